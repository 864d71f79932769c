"""Real multipliers as 32-bit fixed point: real is about mantissa * 2^(shift - 31).

`quantize_multiplier` gives TFLite's very integers, so that its rounding and its limits are rules and not choices.
Standard library only.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from tvm_wvv.errors import WvvError

MANTISSA_BITS = 31


@dataclass(frozen=True)
class Multiplier:
    """mantissa * 2^(shift - 31). The mantissa of a positive real is 0 or lies in [2^30, 2^31); shift >= -31."""

    mantissa: int
    shift: int


def quantize_multiplier(real: float) -> Multiplier:
    """The fixed-point form of `real`: 31 bits, halves rounded away from zero; below 2^-32 it becomes zero
    (numerics.md, N16).
    """
    if not math.isfinite(real):
        raise WvvError(f"multiplier {real} is not a finite number; check the scales of the model's tensors")
    if real == 0.0:
        return Multiplier(0, 0)
    fraction, shift = math.frexp(real)
    mantissa = round_half_away(fraction * 2.0**MANTISSA_BITS)
    if mantissa == 1 << MANTISSA_BITS:
        # The fraction rounded up to 1.0, which 31 bits cannot hold: halve it and raise the exponent.
        mantissa, shift = mantissa // 2, shift + 1
    # Kernels cannot shift right by more than 31: TFLite flushes such multipliers to zero.
    return Multiplier(mantissa, shift) if shift >= -MANTISSA_BITS else Multiplier(0, 0)


def round_half_away(value: float) -> int:
    """The nearest integer, halves away from zero: C's `round`, where Python's own goes to even."""
    whole = math.floor(abs(value))
    rounded = whole + (abs(value) - whole >= 0.5)
    return rounded if value >= 0 else -rounded


def to_float32(value: float) -> float:
    """The nearest float32, as a Python float. Rounding a double product or quotient of two float32
    values this way equals the float32 operation itself, since 53 >= 2 * 24 + 2 bits."""
    return float(struct.unpack("<f", struct.pack("<f", value))[0])
