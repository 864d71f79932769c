"""The one requantization against its definition in exact rationals, one value at a time."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.requantize import (
    doubling_high_multiply,
    per_channel,
    requantize,
    requantize_by,
    rounding_shift_right,
)

int32 = st.one_of(
    st.sampled_from((-(2**31), -(2**31) + 1, -(2**30), -1, 0, 1, 2**30, 2**31 - 1)),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**16), 2**16),
)
mantissas = st.one_of(st.just(2**30), st.just(2**31 - 1), st.just(0), st.integers(2**30, 2**31 - 1))
shifts = st.integers(-31, 30)


def wrap(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def half_away(value: Fraction) -> int:
    return int(math.copysign(1, value)) * math.floor(abs(value) + Fraction(1, 2))


def defined(x: int, mantissa: int, shift: int) -> int:
    """Requantization word for word: wrap, multiply with halves up, divide with halves outward."""
    high = math.floor(Fraction(wrap(x * 2 ** max(shift, 0)) * mantissa, 2**31) + Fraction(1, 2))
    return half_away(Fraction(min(high, 2**31 - 1), 2 ** max(-shift, 0)))


@given(int32, mantissas, shifts)
# Ties of the division on both sides of zero, and where the two roundings together differ from one.
@example(6, 2**30, -1)
@example(-6, 2**30, -1)
@example(5, 2**30, -1)
def test_requantize_follows_its_definition(x: int, mantissa: int, shift: int) -> None:
    result = requantize(np.int32(x), mantissa, shift)
    assert result.dtype == np.int32
    assert int(result) == defined(x, mantissa, shift)


def test_two_roundings_are_not_one() -> None:
    """5 * 0.25 = 1.25: halved it is 2.5, rounded to 3, halved again 1.5, rounded to 2."""
    assert int(requantize(5, 2**30, -1)) == 2


@given(int32, int32)
@example(-(2**31), -(2**31))
@example(-(2**31), 2**31 - 1)
def test_the_high_multiply_saturates_at_one_point_only(a: int, b: int) -> None:
    unbounded = math.floor(Fraction(a * b, 2**31) + Fraction(1, 2))
    saturates = a == b == -(2**31)
    assert int(doubling_high_multiply(a, b)) == unbounded - saturates


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [(-1, 1, -1), (1, 1, 1), (-3, 1, -2), (3, 1, 2), (-2, 2, -1), (-1, 2, 0), (5, 0, 5), (-(2**31), 31, -1)],
)
def test_shift_right_sends_ties_outward(value: int, places: int, expected: int) -> None:
    assert int(rounding_shift_right(value, places)) == expected


@given(st.lists(st.tuples(mantissas, shifts), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_multipliers_lie_along_the_last_axis(channels: list[tuple[int, int]], seed: int) -> None:
    acc = np.random.default_rng(seed).integers(-(2**31), 2**31, (2, 3, len(channels)), dtype=np.int32)
    acc[0, 0] = -128
    result = requantize_by(acc, [Multiplier(*one) for one in channels])
    for index, value in np.ndenumerate(acc):
        assert int(result[index]) == defined(int(value), *channels[index[-1]])


def test_one_multiplier_keeps_the_shape_of_a_scalar() -> None:
    assert requantize_by(np.int32(7), Multiplier(2**30, 1)).shape == ()
    vectors = per_channel([Multiplier(2**30, 1), Multiplier(3, -2)])
    assert [one.tolist() for one in vectors] == [[2**30, 3], [1, -2]]
