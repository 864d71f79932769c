"""Multipliers: 31 bits, to nearest, and TFLite's limits at both ends."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvm_wvv.errors import WvvError
from tvm_wvv.quant.fixed_point import Multiplier, quantize_multiplier, round_half_away, to_float32

positive_floats = st.floats(2.0**-80, 2.0**40)


def exact(multiplier: Multiplier) -> Fraction:
    return multiplier.mantissa * Fraction(2) ** (multiplier.shift - 31)


@given(positive_floats)
def test_the_multiplier_is_the_nearest_of_31_bits(real: float) -> None:
    found = quantize_multiplier(real)
    if found == Multiplier(0, 0):
        assert real < 2.0**-32
        return
    assert 2**30 <= found.mantissa < 2**31 and found.shift >= -31
    assert abs(exact(found) - Fraction(real)) <= Fraction(2) ** (found.shift - 32)


@pytest.mark.parametrize(
    ("real", "mantissa", "shift"),
    [
        (0.0, 0, 0),
        (1.0, 2**30, 1),
        (0.5, 2**30, 0),
        (0.75, 3 * 2**29, 0),
        (255.0, 255 * 2**23, 8),
        # Rounds up to 2^31, which does not fit: half of it, one place higher.
        (1.0 - 2.0**-33, 2**30, 1),
        # A tie goes away from zero: 2^30 + 1/2.
        (0.5 + 2.0**-32, 2**30 + 1, 0),
        # The least multiplier, and what lies below it.
        (2.0**-32, 2**30, -31),
        (2.0**-33, 0, 0),
        # Rounding comes before the limit: this one is just below 2^-32 and rounds up to it.
        (2.0**-32 * (1 - 2.0**-33), 2**30, -31),
    ],
)
def test_known_multipliers(real: float, mantissa: int, shift: int) -> None:
    assert quantize_multiplier(real) == Multiplier(mantissa, shift)


@pytest.mark.parametrize("real", [float("inf"), float("nan")])
def test_a_scale_that_is_no_number_is_refused(real: float) -> None:
    with pytest.raises(WvvError, match="not a finite number; check the scales"):
        quantize_multiplier(real)


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.5, 1), (-0.5, -1), (2.5, 3), (-2.5, -3), (2.4999, 2), (0.0, 0), (0.49999999999999994, 0)]
)
def test_halves_go_away_from_zero(value: float, rounded: int) -> None:
    assert round_half_away(value) == rounded


@given(st.floats(2.0**-40, 2.0**40, width=32), st.floats(2.0**-40, 2.0**40, width=32))
def test_to_float32_of_a_double_is_the_float32_operation(a: float, b: float) -> None:
    assert to_float32(a * b) == float(np.float32(a) * np.float32(b))
    assert to_float32(a / b) == float(np.float32(a) / np.float32(b))
