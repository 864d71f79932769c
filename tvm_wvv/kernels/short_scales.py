"""The last stage of direct microkernels: sums that come out ready for one high multiply.

Twice a sum, times 2^n where the multiplier shifts n places to the left, meets its mantissa in SMMLAR; the factor goes
into weights and bias offline. What is too large for that keeps the TensorIR kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tvm_wvv.kernels.fixed_point import SHORT_BOUND
from tvm_wvv.kernels.output_stage import normal
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.operators import INT8_RANGE, Pair
from tvm_wvv.quant.requantize import per_channel, requantize

# enum wvv_finish of wvv_gemm.h.
SIGNED, POSITIVE, CLAMPED = range(3)
# The zero point, raised by the right shift, stays in 32 bits with half a unit and a high word below 2^30.
_GREATEST_RIGHT = 22
# -128 * 2^8 is the least int16.
_GREATEST_FACTOR = 1 << 8

Range = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class ShortScales:
    """`words` is [output, 4]: bias times its factor, mantissa, rounding with zero point, right shift.

    Weights of a channel are to be multiplied by its entry of `factors`.
    """

    words: np.ndarray
    factors: np.ndarray


def short_scales(
    multipliers: Sequence[Multiplier], bias: np.ndarray, sums: Range, zero_point: int, clamp: Pair
) -> ShortScales | None:
    """`sums` are the least and greatest value of each channel, bias included; None where no short form is proved.

    A channel whose every sum gives the same output needs no weights: real networks have them, with biases and shifts
    that would not fit otherwise.
    """
    mantissas, shifts = (np.broadcast_to(one, bias.shape) for one in per_channel(normal(multipliers)))
    ends = [np.clip(requantize(one, mantissas, shifts) + zero_point, *clamp) for one in sums]
    greatest = np.maximum(-sums[0], sums[1])
    dead = (ends[0] == ends[1]) & (greatest < 1 << 31)
    lefts, rights = np.maximum(shifts, 0), np.maximum(-shifts, 0)
    least_right = 0 if finish(zero_point, clamp) == POSITIVE else 1
    fits = (2 << lefts <= _GREATEST_FACTOR) & (greatest << lefts < SHORT_BOUND)
    if not (dead | fits & (rights >= least_right) & (rights <= _GREATEST_RIGHT)).all():
        return None
    factors = np.where(dead, 0, 2 << lefts)
    roundings = np.where(dead, ends[0], (1 << rights >> 1) + (zero_point << rights))
    words = [bias.astype(np.int64) * factors, np.where(dead, 0, mantissas), roundings, np.where(dead, 0, rights)]
    return ShortScales(np.stack(words, axis=1).astype(np.int32), factors)


def sum_range(weights: np.ndarray, bias: np.ndarray | None, zero_point: int) -> Range:
    """The least and greatest sum (x - zero_point) w + bias of each channel, over every int8 input; exact."""
    flat = weights.reshape(len(weights), -1).astype(np.int64)
    least, greatest = (end - zero_point for end in INT8_RANGE)
    given = 0 if bias is None else bias.astype(np.int64)
    ends = flat * least, flat * greatest
    return np.minimum(*ends).sum(axis=1) + given, np.maximum(*ends).sum(axis=1) + given


def finish(zero_point: int, clamp: Pair) -> int:
    """Which end of the microkernel gives the clamp.

    With a zero point of -128 no negative sum leads above it, whichever way its halves are rounded.
    """
    if clamp != INT8_RANGE:
        return CLAMPED
    return POSITIVE if zero_point == INT8_RANGE[0] else SIGNED
