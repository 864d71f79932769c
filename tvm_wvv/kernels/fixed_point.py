"""The one requantization as TIR: an int32 sum to another scale in two rounding steps (numerics.md, N17).

    high = floor((acc * 2^left * mantissa + 2^30) / 2^31)        halves up
    y    = high / 2^right                                        nearest, halves away from zero

A multiplier's shift is left - right, one of them zero. Where |acc * 2^left| is proved to be below 2^30, shorter forms
give the same bits (numerics.md, N18), and none of their steps overflows:

    high = floor((2 * acc * 2^left * mantissa + 2^31) / 2^32)    the upper word of one product
    y    = (high - [high < 0] + 2^(right - 1)) >> right          for right >= 1

TVM 0.27 asks for three precautions. `high` is written out at each use, since its bound analysis stops on a `Let`.
Shifts to the left are opaque: as a product, TVM would carry them through the cast to 64 bits and multiply twice; as a
shift of signed numbers, C would leave them undefined. And what is read at run time enters as a plain operand, for the
bounds that TVM derives from variable shifts are wrong, and let it drop a rounding or a clamp.
"""

from __future__ import annotations

from tvm import te, tirx
from tvm.ir import Expr

from tvm_wvv.quant.fixed_point import MANTISSA_BITS, Multiplier
from tvm_wvv.quant.operators import Pair

# Below this, doubling a sum keeps it in 32 bits, and so does adding half of any right shift's unit to it.
SHORT_BOUND = 1 << 30


def int32(value: int) -> Expr:
    """An int32 immediate."""
    return tirx.const(value, "int32")


def wide(value: Expr) -> Expr:
    """An int32 as int64, where sums of a few do not overflow."""
    return tirx.Cast("int64", value)


def wrapped(value: Expr) -> Expr:
    """An int64 modulo 2^32. Compilers make additions of 32 bits of it, which TVM's own could not be: in LLVM it marks
    them as never wrapping, and in C they would be undefined.
    """
    return tirx.Cast("int32", value)


def finish(value: Expr, zero_point: int, clamp: Pair) -> Expr:
    """`value` moved by the zero point, held within the clamp, as int8 (numerics.md, N20)."""
    return clamped(value + int32(zero_point), clamp)


def clamped(value: Expr, clamp: Pair) -> Expr:
    """An int32 held within the clamp, as int8."""
    return tirx.Cast("int8", tirx.min(tirx.max(value, int32(clamp[0])), int32(clamp[1])))


# The greatest value, by comparison: TVM's C generator keeps operands of `max` in variables, and goes on using the copy
# of a running maximum after that was stored anew.
greatest = te.comm_reducer(lambda a, b: tirx.Select(a > b, a, b), tirx.min_value, name="greatest")


def requantize(acc: Expr, multiplier: Multiplier, bound: int | None = None) -> Expr:
    """`acc` by one multiplier whose numbers become immediates; `bound` is a proved limit of |acc|."""
    return requantize_shifted(acc, int32(multiplier.mantissa), multiplier.shift, bound)


def requantize_shifted(acc: Expr, mantissa: Expr, shift: int, bound: int | None = None) -> Expr:
    """`acc` by a mantissa that may be read at run time; only its shift becomes immediates."""
    left, right = max(shift, 0), max(-shift, 0)
    if left > 31:
        return int32(0)  # every bit leaves on the left
    if bound is None or bound << left >= SHORT_BOUND:
        high = high_multiply(shift_left(acc, int32(left)) if left else acc, mantissa)
        return _rounding_shift_right(high, int32(right), int32((1 << right) - 1)) if right else high
    doubled = shift_left(acc, int32(left + 1))
    if not right:
        return _high_of_double(doubled, mantissa)
    return requantize_short(doubled, mantissa, int32(1 << right >> 1), int32(right))


def requantize_doubled(acc: Expr, doubled_mantissa: Expr, shift: int, offset: int = 0) -> Expr:
    """Any `acc` by twice a mantissa that is below 2^30, shift -22 to 0; then `offset` of 0 to 2^16 is added.

    No word of it can overflow: the product's upper one stays below 2^30.
    """
    if not shift:
        return _high_of_double(acc, doubled_mantissa, offset)
    high = _high_of_double(acc, doubled_mantissa)
    return ((high + (high >> int32(31)) + int32(1 << -shift >> 1)) >> int32(-shift)) + int32(offset)


def requantize_by(acc: Expr, mantissa: Expr, left: Expr, right: Expr, mask: Expr) -> Expr:
    """Any `acc` by a multiplier that is read at run time; `mask` is 2^right - 1, left and right lie in 0..31."""
    return _rounding_shift_right(high_multiply(shift_left(acc, left), mantissa), right, mask)


def requantize_short(doubled: Expr, mantissa: Expr, rounding: Expr, right: Expr) -> Expr:
    """The short form on 2 * acc, right >= 1. `rounding` is 2^(right - 1), or that and (n << right) to add n as well."""
    high = _high_of_double(doubled, mantissa)
    return (high + (high >> int32(31)) + rounding) >> right


def high_multiply(a: Expr, b: Expr) -> Expr:
    """floor((a * b + 2^30) / 2^31); not for both of them -2^31, where it would have to saturate."""
    product = tirx.Cast("int64", a) * tirx.Cast("int64", b) + tirx.const(1 << (MANTISSA_BITS - 1), "int64")
    return tirx.Cast("int32", product >> tirx.const(MANTISSA_BITS, "int64"))


def shift_left(value: Expr, places: Expr) -> Expr:
    """value * 2^places in 32 bits that wrap."""
    return _signed(tirx.Cast("uint32", value) << tirx.Cast("uint32", places))


def wrapping_add(a: Expr, b: Expr) -> Expr:
    """a + b in 32 bits that wrap."""
    return _signed(tirx.Cast("uint32", a) + tirx.Cast("uint32", b))


def _signed(value: Expr) -> Expr:
    # Not a cast: TVM takes a cast to keep the value, so that a number that was unsigned before could not be negative.
    return tirx.reinterpret("int32", value)


def _high_of_double(doubled: Expr, mantissa: Expr, offset: int = 0) -> Expr:
    addend = tirx.const((offset << 32) + (1 << MANTISSA_BITS), "int64")
    product = tirx.Cast("int64", doubled) * tirx.Cast("int64", mantissa) + addend
    return tirx.Cast("int32", product >> tirx.const(MANTISSA_BITS + 1, "int64"))


def _rounding_shift_right(high: Expr, right: Expr, mask: Expr) -> Expr:
    """Any value, any right shift in 0..31: one more where the rest is above the half, which is later for negatives."""
    half = (mask >> int32(1)) + tirx.Cast("int32", high < int32(0))
    return (high >> right) + tirx.Cast("int32", (high & mask) > half)
