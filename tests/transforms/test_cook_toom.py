"""The construction against convolution by definition, in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvm_wvv.transforms.cook_toom import Filter, cook_toom, direct
from tvm_wvv.transforms.points import INFINITY, points, powers

rationals = st.fractions(min_value=-4, max_value=4, max_denominator=4)


def apply(matrix, vector):
    return [sum((entry * value for entry, value in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]


def convolve(weights, data):
    count = len(data) - len(weights) + 1
    return [sum(w * data[i + k] for k, w in enumerate(weights)) for i in range(count)]


def bilinear(made: Filter, weights, data):
    products = [u * v for u, v in zip(apply(made.g, weights), apply(made.bt, data), strict=True)]
    return [y / made.scale for y in apply(made.at, products)]


@given(data=st.data(), m=st.integers(1, 5), r=st.integers(1, 4), with_infinity=st.booleans())
def test_equals_direct_convolution_over_any_points(data, m, r, with_infinity):
    count = m + r - 1 - with_infinity
    finite = data.draw(st.lists(rationals, min_size=count, max_size=count, unique=True))
    made = cook_toom(m, r, points(*finite, *([INFINITY] if with_infinity else [])))
    vector = st.lists(rationals, min_size=m + r - 1, max_size=m + r - 1)
    weights, tile = data.draw(vector)[:r], data.draw(vector)
    assert bilinear(made, weights, tile) == convolve(weights, tile)


def test_f2_is_the_form_known_from_papers():
    made = cook_toom(2, 3, points(0, 1, -1, INFINITY))
    assert made.bt == ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1))
    assert made.g == ((2, 0, 0), (1, 1, 1), (1, -1, 1), (0, 0, 2))
    assert made.at == ((1, 1, 1, 0), (0, 1, -1, 1))
    assert made.scale == 2


def test_f4_needs_24_to_clear_its_denominators():
    made = cook_toom(4, 3, points(0, 1, -1, 2, -2, INFINITY))
    assert made.scale == 24
    assert made.at == ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
    assert (made.taps, made.tile) == (6, 6)


def test_direct_has_one_product_for_each_tap():
    assert bilinear(direct(3), [2, 3, 5], [7, 11, 13]) == [2 * 7 + 3 * 11 + 5 * 13]


@pytest.mark.parametrize("count", [3, 5])
def test_wrong_number_of_points_is_refused(count):
    with pytest.raises(ValueError, match=rf"F\(2, 3\) takes 4 points, got {count}"):
        cook_toom(2, 3, points(*range(count)))


def test_equal_points_are_refused():
    with pytest.raises(ValueError, match="points are not distinct: 1/2, 1/2, inf"):
        points("1/2", Fraction(2, 4), INFINITY)


def test_powers_at_infinity_take_the_leading_coefficient():
    assert powers(INFINITY, 3) == (0, 0, 1)
    assert powers(Fraction(-1, 2), 3) == (1, Fraction(-1, 2), Fraction(1, 4))
