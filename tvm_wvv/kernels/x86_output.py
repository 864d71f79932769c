"""The end of every x86 convolution: int32 sums to int8, a register of output channels at a time (numerics.md, N18).

Constants stand in registers' order, filled up to whole registers: where the sums start (the bias with all zero points
folded in), mantissas for even and for odd lanes, what the last rounding adds, and its places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from tvm import tirx
from tvm.ir import Expr

from tvm_wvv.kernels.fixed_point import SHORT_BOUND
from tvm_wvv.kernels.short_scales import sum_range
from tvm_wvv.kernels.weights import folded_bias, sum_bound
from tvm_wvv.kernels.x86_vectors import Index, Vectors, even_and_odd, high_of_double, load, narrowed, splat
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.operators import INT8_RANGE, Pair
from tvm_wvv.quant.requantize import per_channel, requantize

Arrays = dict[str, np.ndarray]
_UNSIGNED = 128
# Of a channel that has a constant for an output.
_ANY = Multiplier(1 << 30, -1)


@dataclass(frozen=True)
class X86Output:
    """`constants` by the names of the kernel's parameters; `value` uses those buffers."""

    vectors: Vectors
    constants: Arrays
    zero_point: int
    clamp: Pair

    def start(self, buffers: dict[str, tirx.Buffer], block: Index) -> Expr:
        """What the sums of register `block` of channels start from."""
        lanes = self.vectors.lanes
        return load(buffers["start"], block * lanes, lanes)

    def value(self, buffers: dict[str, tirx.Buffer], block: Index, total: Expr) -> Expr:
        """The int8 values of a register of sums."""
        lanes = self.vectors.lanes
        even = load(buffers["mantissas"], block * lanes, lanes // 2)
        odd = load(buffers["mantissas"], block * lanes + lanes // 2, lanes // 2)
        high = high_of_double(total, (even, odd), lanes)
        rounding = load(buffers["rounding"], block * lanes, lanes)
        # Where halves round differently below zero, which is below the zero point, the clamp hides it.
        nearest = high if self.clamp[0] >= self.zero_point else high + (high >> splat(31, lanes))
        moved = (nearest + rounding) >> load(buffers["places"], block * lanes, lanes)
        return narrowed(moved, self.clamp, lanes)


def direct_output(
    vectors: Vectors,
    weights: np.ndarray,
    bias: np.ndarray | None,
    zero_points: Pair,
    multipliers: Sequence[Multiplier],
    clamp: Pair = INT8_RANGE,
) -> X86Output | None:
    """After sums of cells as they are; `zero_points` are the input's and the output's. None as with `x86_output`.

    A channel whose every sum gives the same output has that for a constant: real networks have such channels, with
    biases and scales that would not fit otherwise.
    """
    offset = zero_points[0] + (_UNSIGNED if vectors.unsigned_cells else 0)
    mantissas, shifts = per_channel(multipliers)
    low, high = (
        np.clip(requantize(one, mantissas, shifts) + zero_points[1], *clamp)
        for one in sum_range(weights, bias, zero_points[0])
    )
    dead = np.asarray(low == high)
    given = None if bias is None else np.where(dead, 0, bias)
    bound = sum_bound(weights, given, zero_points[0])
    kept = [_ANY if one else each for one, each in zip(dead, _each(multipliers, len(weights)), strict=True)]
    made = x86_output(vectors, folded_bias(weights, given, offset), bound, zero_points[1], kept, clamp)
    return made if made is None or not dead.any() else _with_constants(made, dead, low)


def _each(multipliers: Sequence[Multiplier], channels: int) -> Sequence[Multiplier]:
    return multipliers if len(multipliers) > 1 else [multipliers[0]] * channels


def _with_constants(made: X86Output, dead: np.ndarray, values: np.ndarray) -> X86Output:
    """Dead channels give their value: a product with zero, and a rounding that the last shift makes the value of."""
    lanes = made.vectors.lanes
    filled = np.pad(dead, (0, -len(dead) % lanes))
    rounding = made.constants["rounding"].copy()
    rounding[: len(dead)][dead] = values[dead] << -_ANY.shift
    zeros = even_and_odd(filled.reshape(-1, lanes)).reshape(-1).astype(bool)
    mantissas = np.where(zeros, 0, made.constants["mantissas"])
    return replace(made, constants={**made.constants, "mantissas": mantissas, "rounding": rounding})


def x86_output(
    vectors: Vectors,
    start: np.ndarray,
    bound: int,
    zero_point: int,
    multipliers: Sequence[Multiplier],
    clamp: Pair = INT8_RANGE,
) -> X86Output | None:
    """`start` holds what sums begin with, `bound` limits the finished ones; None where they may not have the short
    requantization.

    The zero point is added before the last shift: it is a multiple of the unit that this shift leaves.
    """
    right = np.broadcast_to([-one.shift for one in multipliers], len(start)).astype(np.int64)
    mantissa = np.broadcast_to([one.mantissa for one in multipliers], len(start)).astype(np.int64)
    if right.min() < 1 or right.max() > 30 or bound >= SHORT_BOUND:
        return None
    rounding = (np.int64(1) << right >> 1) + (np.int64(zero_point) << right)
    reach = np.abs(rounding) + (np.int64(bound) * mantissa >> 31) + 2
    if reach.max() >= 1 << 31:
        return None
    named = {"start": start, "mantissas": mantissa, "rounding": rounding, "places": right}
    filled = {name: np.pad(array, (0, -len(start) % vectors.lanes)).astype(np.int32) for name, array in named.items()}
    mantissas = even_and_odd(filled["mantissas"].reshape(-1, vectors.lanes)).reshape(-1)
    return X86Output(vectors, {**filled, "mantissas": mantissas}, zero_point, clamp)
