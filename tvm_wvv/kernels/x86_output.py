"""The end of every x86 convolution: int32 sums to int8, registers of output channels at a time (numerics.md, N18).

Constants stand in registers' order, filled up to whole registers: where the sums start (the bias with all zero points
folded in), and for even and for odd lanes mantissas and what is added to the product; the places of the one shift.
Both roundings and the zero point are that addend: the floor of a floor is one floor.
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
from tvm_wvv.kernels.x86_vectors import Index, Vectors, high_of_sum, load, packed, shifted, splat
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.operators import INT8_RANGE, Pair
from tvm_wvv.quant.requantize import per_channel, requantize

Arrays = dict[str, np.ndarray]
_UNSIGNED = 128
# Of a channel that has a constant for an output.
_ANY = Multiplier(1 << 30, -1)


@dataclass(frozen=True)
class X86Output:
    """`constants` by the names of the kernel's parameters; `values` uses those buffers.

    Sums come as multiples of 2^`raised`. `signed` rounds halves below zero away from it, as the reference does; where
    these lie below the zero point, the clamp may hide them.
    """

    vectors: Vectors
    constants: Arrays
    clamp: Pair
    raised: int
    signed: bool

    def start(self, buffers: dict[str, tirx.Buffer], block: Index) -> Expr:
        """What the sums of register `block` of channels start from."""
        lanes = self.vectors.lanes
        return load(buffers["start"], block * lanes, lanes)

    def value(self, buffers: dict[str, tirx.Buffer], block: Index, total: Expr) -> Expr:
        """int32 values of a register of sums, not yet held within the clamp."""
        lanes, half = self.vectors.lanes, self.vectors.lanes // 2
        mantissas, addends = (
            (load(buffers[name], block * lanes, half), load(buffers[name], block * lanes + half, half))
            for name in ("mantissas", "addends")
        )
        high = high_of_sum(total, mantissas, addends, lanes)
        if self.signed:
            # A unit of the first rounding less. Sums below zero that it rounds to zero are far from a half.
            high = high + shifted(total >> splat(31, lanes), self.raised - 1, lanes)
        return high >> load(buffers["places"], block * lanes, lanes)

    def bytes(self, values: Sequence[Expr]) -> Expr:
        """Up to four registers of `value` as one of int8."""
        return packed(self.vectors, values, self.clamp)


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
    # Doubled, sums have room for a unit of the first rounding.
    raised = int(clamp[0] < zero_points[1])
    made = x86_output(vectors, folded_bias(weights, given, offset), bound, zero_points[1], kept, clamp, raised)
    return made if made is None or not dead.any() else _with_constants(made, dead, low)


def _each(multipliers: Sequence[Multiplier], channels: int) -> Sequence[Multiplier]:
    return multipliers if len(multipliers) > 1 else [multipliers[0]] * channels


def _with_constants(made: X86Output, dead: np.ndarray, values: np.ndarray) -> X86Output:
    """Dead channels give their value: a product with zero, and an addend that the last shift makes the value of, with
    half a unit for what a sum below zero takes off.
    """
    vectors, constants = made.vectors, made.constants
    places = constants["places"][: len(dead)].astype(np.int64)
    addends = np.where(dead, ((values.astype(np.int64) << places) + (1 << places >> 1)) << 32, 0)
    at, wanted = (_even_and_odd(_filled(one, vectors), vectors.lanes) for one in (dead, addends))
    changed = {
        "mantissas": np.where(at, 0, constants["mantissas"]),
        "addends": np.where(at, wanted, constants["addends"]),
    }
    return replace(made, constants={**constants, **changed})


def x86_output(
    vectors: Vectors,
    start: np.ndarray,
    bound: int,
    zero_point: int,
    multipliers: Sequence[Multiplier],
    clamp: Pair = INT8_RANGE,
    raised: int = 1,
) -> X86Output | None:
    """`start` holds what sums begin with, `bound` limits the finished ones; None where 64 bits may be too few.

    Sums come multiplied by 2^`raised`, or by less where that would leave int32.
    """
    signed = clamp[0] < zero_point
    right = np.broadcast_to([-one.shift for one in multipliers], len(start)).astype(object)
    mantissa = np.broadcast_to([one.mantissa for one in multipliers], len(start)).astype(object)
    if right.min() < 1 or right.max() > 30 or bound >= SHORT_BOUND:
        return None
    addend = (1 << 30) + 2 ** (30 + right) + zero_point * 2 ** (31 + right)
    greatest = int((bound * mantissa + abs(addend)).max())
    while raised >= 0 and (bound << raised >= 1 << 31 or greatest << raised >= 1 << 63):
        raised -= 1
    if raised < signed:
        return None
    constants = {
        "start": _filled(start, vectors).astype(np.int32),
        "mantissas": _even_and_odd(_filled(mantissa, vectors), vectors.lanes),
        "addends": _even_and_odd(_filled(addend * 2**raised, vectors), vectors.lanes),
        "places": _filled(right + (raised - 1), vectors).astype(np.int32),
    }
    return X86Output(vectors, constants, clamp, raised, signed)


def _filled(array: np.ndarray, vectors: Vectors) -> np.ndarray:
    return np.pad(array, (0, -len(array) % vectors.lanes))


def _even_and_odd(numbers: np.ndarray, lanes: int) -> np.ndarray:
    return numbers.reshape(-1, lanes // 2, 2).transpose(0, 2, 1).astype(np.int64).reshape(-1)
