"""Fixed-point exponentials and reciprocals, against floating point within their known error."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import affines

from tvm_wvv.errors import WvvError
from tvm_wvv.quant.operators import Affine, Softmax
from tvm_wvv.quant.softmax import (
    SUM_BITS,
    exp_negative,
    exp_table,
    high_multiply,
    reciprocal,
    shift_right,
    softmax_parameters,
)

OUTPUT = Affine(1 / 256, -128)


@given(st.integers(-(2**31), 0))
def test_exp_is_good_to_24_bits(raw: int) -> None:
    # Taylor to the fourth order leaves 1/8^5/5! = 2.5e-7 at the ends; the factors add a few last places.
    assert exp_negative(raw) / 2**31 == pytest.approx(math.exp(raw / 2**26), abs=4e-7)


@given(st.integers(2**19, 2**31 - 1))
def test_reciprocal_is_good_to_27_bits(total: int) -> None:
    """The least sum is one: the row's maximum has the exponential 1."""
    r, bits = reciprocal(total)
    assert 2**29 < r < 2**31
    assert r / 2**31 * 2.0**-bits == pytest.approx(2**19 / total, rel=2.0**-27)
    assert 0 <= bits <= SUM_BITS


@given(affines, st.sampled_from((0.1, 1.0, 3.0)))
def test_the_table_falls_from_one_to_zero(source: Affine, beta: float) -> None:
    table = exp_table(Softmax(source, OUTPUT, beta))
    assert len(table) == 256 and table[0] == 2**31 - 1
    assert all(before >= after >= 0 for before, after in itertools.pairwise(table))
    assert table[1] / 2**31 == pytest.approx(math.exp(-beta * source.scale), abs=4e-7)


def test_differences_below_the_radius_are_left_out() -> None:
    """The radius sees only the multiplier's power of two: with mantissas of 1/2 half of the range is given away."""
    op = Softmax(Affine(1.0, 0), OUTPUT)
    assert softmax_parameters(op).least == -15
    assert exp_table(op)[15] > 0 == exp_table(op)[16]
    assert softmax_parameters(Softmax(Affine(0.984375, 0), OUTPUT)).least == -31


def test_a_steep_softmax_keeps_only_the_maximum() -> None:
    assert exp_table(Softmax(Affine(64.0, 0), OUTPUT))[1:] == (0,) * 255


def test_a_scale_too_small_for_the_fixed_point_is_refused() -> None:
    with pytest.raises(WvvError, match="softmax: beta times input scale is 1e-09"):
        softmax_parameters(Softmax(Affine(1e-9, 0), OUTPUT))


@pytest.mark.parametrize(("value", "places", "expected"), [(-2, 2, -1), (2, 2, 1), (-1, 2, 0), (-6, 2, -2), (5, 1, 3)])
def test_shift_right_sends_ties_outward(value: int, places: int, expected: int) -> None:
    assert shift_right(value, places) == expected


def test_high_multiply_of_one_and_one_is_one() -> None:
    assert high_multiply(2**31 - 1, 2**31 - 1) == 2**31 - 2
