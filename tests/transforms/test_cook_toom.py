"""The construction against convolution by definition, in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvm_wvv.transforms.bilinear import computes_convolution, tensor
from tvm_wvv.transforms.cook_toom import Filter, Pair, cook_toom, direct
from tvm_wvv.transforms.points import INFINITY, points, powers
from tvm_wvv.transforms.quadratic import IMAGINARY_UNIT, SIXTH_ROOT, Field

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
    # Papers have 1 for the points 0, +-1 and infinity; g has the other half of the factors.
    assert made.at == ((2, 2, 2, 1, 1, 0), (0, 2, -2, 2, -2, 0), (0, 2, 2, 4, 4, 0), (0, 2, -2, 8, -8, 4))
    assert made.g == ((3, 0, 0), (2, 2, 2), (2, -2, 2), (1, 2, 4), (1, -2, 4), (0, 0, 6))
    assert (len(made.bt), made.tile) == (6, 6)


def test_direct_has_one_product_for_each_tap():
    assert bilinear(direct(3), [2, 3, 5], [7, 11, 13]) == [2 * 7 + 3 * 11 + 5 * 13]


@pytest.mark.parametrize("count", [3, 5])
def test_wrong_number_of_points_is_refused(count):
    with pytest.raises(ValueError, match=rf"F\(2, 3\) takes 4 points, got {count}"):
        cook_toom(2, 3, points(*range(count)))


def test_equal_points_are_refused():
    with pytest.raises(ValueError, match="points are not distinct: 1/2, 1/2, inf"):
        points("1/2", Fraction(2, 4), INFINITY)


def test_complex_points_of_f4_in_real_parts():
    """The pair's rows are real and imaginary part of [0, -i, -1, i, 1, 0] and [1, i, -1]."""
    made = cook_toom(4, 3, points(0, 1, -1, IMAGINARY_UNIT, INFINITY))
    assert made.bt == (
        (1, 0, 0, 0, -1, 0), (0, 1, 1, 1, 1, 0), (0, -1, 1, -1, 1, 0),
        (0, 0, -1, 0, 1, 0), (0, -1, 0, 1, 0, 0), (0, -1, 0, 0, 0, 1),
    )  # fmt: skip
    assert made.g == ((2, 0, 0), (1, 1, 1), (1, -1, 1), (1, 0, -1), (0, 1, 0), (0, 0, 2))
    assert made.at == ((2, 1, 1, 1, 0, 0), (0, 1, -1, 0, 1, 0), (0, 1, 1, -1, 0, 0), (0, 1, -1, 0, -1, 2))
    assert made.scale == 4
    assert made.pairs == (Pair(3, Field(0, 1)),)


def test_sixth_roots_of_unity_need_six_to_clear_their_denominators():
    made = cook_toom(6, 3, points(0, 1, -1, SIXTH_ROOT, SIXTH_ROOT * SIXTH_ROOT, INFINITY))
    assert made.scale == 6
    assert {abs(entry) for row in made.bt for entry in row} == {0, 1}
    assert {abs(entry) for row in made.at for entry in row} == {0, 1, 2}
    assert [pair.place for pair in made.pairs] == [3, 5]


def test_denominators_of_a_pair_move_into_the_weights():
    """Over the pair +-i/2, whose powers end at -1/4: at times 4 and bt divided by its content are paid back in g."""
    half = IMAGINARY_UNIT * Fraction(1, 2)
    made = cook_toom(3, 2, points(half, 0, INFINITY))
    assert made.at == ((4, 0, 2, 0), (0, 2, 0, 0), (-1, 0, 0, 1))
    assert made.bt == ((0, 0, 2, 0), (0, 1, 0, 0), (1, 0, 4, 0), (0, 1, 0, 4))
    assert computes_convolution(tensor("half", made, direct(1)))


def test_a_point_is_not_named_twice_by_its_conjugate():
    with pytest.raises(ValueError, match="points are not distinct"):
        points(IMAGINARY_UNIT, -IMAGINARY_UNIT)
    with pytest.raises(ValueError, match="5 is its own conjugate: no pair"):
        points(IMAGINARY_UNIT * 0 + 5)


def test_a_pair_counts_as_two_points():
    with pytest.raises(ValueError, match=r"F\(2, 3\) takes 4 points, got 5"):
        cook_toom(2, 3, points(0, 1, INFINITY, IMAGINARY_UNIT))


def test_powers_at_infinity_take_the_leading_coefficient():
    assert powers(INFINITY, 3) == (0, 0, 1)
    assert powers(Fraction(-1, 2), 3) == (1, Fraction(-1, 2), Fraction(1, 4))
