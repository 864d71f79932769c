"""Fixed-point softmax (numerics.md, N24): what it needs beyond multiplications, as integers ready for a kernel.

An int8 row has only 256 differences to its maximum, so the exponentials are a table made here, offline, with the
arithmetic of TFLite's reference kernel; a kernel needs the table, `reciprocal`'s Newton steps and two shifts.
Notation: Qm.n is an int32 with m integer and n fraction bits (m + n = 31). Standard library only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tvm_wvv.errors import WvvError
from tvm_wvv.quant.fixed_point import Multiplier, quantize_multiplier
from tvm_wvv.quant.operators import Softmax

DIFFERENCE_BITS = 5  # scaled differences are Q5.26: exp(-32) is zero in Q0.31
SUM_BITS = 12  # the sum of exponentials is Q12.19: rows of up to 4096 entries
NEWTON_STEPS = 3
ONE_Q0 = (1 << 31) - 1
ONE_Q2 = 1 << 29
NEWTON_START = round(48 / 17 * ONE_Q2)  # least worst-case error of a line through 1/d for d in [1/2, 1]
NEWTON_SLOPE = round(-32 / 17 * ONE_Q2)


@dataclass(frozen=True)
class SoftmaxParameters:
    """`scale` turns a difference to the row's maximum into Q5.26; differences below `least` give exponential 0."""

    scale: Multiplier
    least: int


def softmax_parameters(op: Softmax) -> SoftmaxParameters:
    """beta * input scale in double, capped where one step already means exp(-2^31 / 2^26)."""
    real = min(op.beta * op.input.scale * (1 << (31 - DIFFERENCE_BITS)), (1 << 31) - 1.0)
    if real <= 1.0:
        raise WvvError(f"softmax: beta times input scale is {op.beta * op.input.scale:g}, at least 1.5e-8 is needed")
    scale = quantize_multiplier(real)
    radius = ((1 << DIFFERENCE_BITS) - 1) * (1 << (31 - DIFFERENCE_BITS)) / (1 << scale.shift)
    return SoftmaxParameters(scale, -math.floor(radius))


def exp_table(op: Softmax) -> tuple[int, ...]:
    """exp of each difference 0, -1, ... -255 in Q0.31; 0 for differences that the kernel leaves out."""
    use = softmax_parameters(op)
    scaled = (high_multiply(-d << use.scale.shift, use.scale.mantissa) for d in range(256))
    return tuple(exp_negative(x) if -d >= use.least else 0 for d, x in enumerate(scaled))


def exp_negative(x: int) -> int:
    """exp of a Q5.26 number <= 0, as Q0.31: a polynomial within a quarter, then one factor for each bit above."""
    if x == 0:
        return ONE_Q0
    quarter = 1 << (31 - DIFFERENCE_BITS - 2)
    within = (x & (quarter - 1)) - quarter
    result = _exp_within_quarter(within << DIFFERENCE_BITS)
    for place in range(DIFFERENCE_BITS + 2):
        if (within - x) >> (31 - DIFFERENCE_BITS - 2 + place) & 1:
            result = high_multiply(result, round(math.exp(-(2.0 ** (place - 2))) * 2**31))
    return result


def _exp_within_quarter(x: int) -> int:
    """exp on [-1/4, 0) in Q0.31: Taylor to the fourth order around -1/8."""
    centre = x + (1 << 28)
    square = high_multiply(centre, centre)
    cube = high_multiply(square, centre)
    fourth = shift_right(high_multiply(square, square), 2)
    third = round(2**31 / 3)
    tail = shift_right(high_multiply(fourth + cube, third) + square, 1)
    at_centre = round(math.exp(-1 / 8) * 2**31)
    return at_centre + high_multiply(at_centre, centre + tail)


def reciprocal(total: int) -> tuple[int, int]:
    """(r, bits) with 1 / total = r * 2^-bits, for a sum in Q12.19; r is Q0.31 and lies in (1/2, 1]."""
    headroom = 32 - total.bit_length()
    fraction = (total << headroom) - (1 << 31)  # total = (1 + fraction) * 2^bits, fraction in Q0.31
    half = (fraction + ONE_Q0 + 1) >> 1  # the mean of fraction and one: (1 + fraction) / 2, halves up
    r = NEWTON_START + high_multiply(half, NEWTON_SLOPE)
    for _ in range(NEWTON_STEPS):
        r += high_multiply(r, ONE_Q2 - high_multiply(half, r)) << 2
    return min(r << 1, ONE_Q0), SUM_BITS - headroom


def high_multiply(a: int, b: int) -> int:
    """The saturating rounding doubling high multiply of `requantize`, on Python integers."""
    return min((a * b + (1 << 30)) >> 31, ONE_Q0)


def shift_right(value: int, places: int) -> int:
    """value / 2^places (places >= 1) to the nearest integer, halves away from zero, on Python integers."""
    return (value + (1 << places >> 1) - (value < 0)) >> places
