"""The one requantization: an int32 sum to an int32 value of another scale, in two rounding steps (numerics.md, N17).

    high = floor((x * 2^max(shift, 0) * mantissa + 2^30) / 2^31)      halves up; -2^31 * -2^31 saturates to 2^31 - 1
    y    = high / 2^max(-shift, 0)                                    nearest, halves away from zero

x * 2^max(shift, 0) wraps to 32 bits, as TFLite's reference kernels do where it overflows. Shifts lie in -31..31.
Kernels compute the same bits in shorter forms (numerics.md, N18). Zero point and clamp follow elsewhere. Mantissas and
shifts broadcast against the values, so a vector of them is one for each last-axis channel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tvm_wvv.quant.fixed_point import Multiplier

Int32Array = NDArray[np.int32]
_INT32_MIN = -(1 << 31)
_INT32_MAX = (1 << 31) - 1


def requantize(acc: ArrayLike, mantissa: ArrayLike, shift: ArrayLike) -> Int32Array:
    """`acc` times mantissa * 2^(shift - 31), rounded twice as TFLite's reference kernels do."""
    exponent = np.asarray(shift, np.int64)
    shifted = (np.asarray(acc, np.int64) << np.maximum(exponent, 0)).astype(np.int32)
    return rounding_shift_right(doubling_high_multiply(shifted, mantissa), np.maximum(-exponent, 0))


def doubling_high_multiply(a: ArrayLike, b: ArrayLike) -> Int32Array:
    """The upper half of 2 * a * b: halves round up, and the one product that does not fit saturates."""
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.minimum((product + (1 << 30)) >> 31, _INT32_MAX).astype(np.int32)


def rounding_shift_right(value: ArrayLike, places: ArrayLike) -> Int32Array:
    """value / 2^places to the nearest integer, halves away from zero; places in 0..31."""
    wide, places = np.asarray(value, np.int64), np.asarray(places, np.int64)
    half = (np.int64(1) << places) >> 1
    # Adding half - 1 to a negative value makes the floor of a tie fall to the lower, outer side.
    return ((wide + half - ((wide < 0) & (places > 0))) >> places).astype(np.int32)


def per_channel(multipliers: Sequence[Multiplier]) -> tuple[Int32Array, Int32Array]:
    """Mantissas and shifts as two vectors, ready to broadcast along the last axis."""
    mantissas = np.array([one.mantissa for one in multipliers], np.int32)
    return mantissas, np.array([one.shift for one in multipliers], np.int32)


def requantize_by(acc: ArrayLike, multipliers: Multiplier | Sequence[Multiplier]) -> Int32Array:
    """`requantize` with one multiplier, or with one for each channel of the last axis."""
    if isinstance(multipliers, Multiplier):
        return requantize(acc, multipliers.mantissa, multipliers.shift)
    return requantize(acc, *per_channel(multipliers))
