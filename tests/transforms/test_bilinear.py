"""Two-dimensional algorithms: proofs, an independent check on random tiles, and whether a wrong entry would be seen."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from algorithms import ALL, COMPLEX_AND_REAL, HANDMADE
from hypothesis import given
from hypothesis import strategies as st

from tvm_wvv.transforms.bilinear import Algorithm, computes_convolution, tensor
from tvm_wvv.transforms.catalog import ALGORITHMS, F2, F2X1, F4C, F4X1
from tvm_wvv.transforms.cook_toom import cook_toom
from tvm_wvv.transforms.matrix import identity
from tvm_wvv.transforms.pairs import three_products
from tvm_wvv.transforms.points import INFINITY, points
from tvm_wvv.transforms.quadratic import IMAGINARY_UNIT, SIXTH_ROOT, Field

every = pytest.mark.parametrize("algorithm", ALL, ids=str)
values = st.integers(-300, 300)


def tile_convolution(algorithm: Algorithm, weights, tile):
    (m_h, m_w), (r_h, r_w), (_, width) = algorithm.m, algorithm.r, algorithm.tile
    return [
        sum(weights[a * r_w + b] * tile[(i + a) * width + j + b] for a in range(r_h) for b in range(r_w))
        for i in range(m_h)
        for j in range(m_w)
    ]


def by_matrices(algorithm: Algorithm, weights, tile):
    def apply(matrix, vector):
        return [sum(entry * value for entry, value in zip(row, vector, strict=True)) for row in matrix]

    u, v = apply(algorithm.weight_matrix, weights), apply(algorithm.input_matrix, tile)
    return apply(algorithm.output_matrix, [a * b for a, b in zip(u, v, strict=True)])


@every
def test_the_bilinear_form_is_convolution(algorithm):
    assert computes_convolution(algorithm)


@every
@given(data=st.data())
def test_random_tiles_give_scale_times_the_direct_sums(algorithm, data):
    cells, kernel = len(algorithm.input_matrix[0]), len(algorithm.weight_matrix[0])
    tile = data.draw(st.lists(values, min_size=cells, max_size=cells))
    weights = data.draw(st.lists(values, min_size=kernel, max_size=kernel))
    expected = [algorithm.scale * y for y in tile_convolution(algorithm, weights, tile)]
    assert by_matrices(algorithm, weights, tile) == expected


@given(data=st.data(), field=st.sampled_from(("input_factors", "weight_matrix", "output_factors")))
def test_any_changed_entry_is_noticed(data, field):
    """Every entry matters: one more or one less in any of the matrices, and the proof fails."""
    whole = getattr(F2, field)
    place = data.draw(st.integers(0, len(whole) - 1)) if field != "weight_matrix" else None
    matrix = whole if place is None else whole[place]
    row, column = data.draw(st.integers(0, len(matrix) - 1)), data.draw(st.integers(0, len(matrix[0]) - 1))
    changed_row = tuple(entry + (k == column) for k, entry in enumerate(matrix[row]))
    changed = (*matrix[:row], changed_row, *matrix[row + 1 :])
    value = changed if place is None else (*whole[:place], changed, *whole[place + 1 :])
    fields: dict[str, Any] = {field: value}
    assert not computes_convolution(replace(F2, **fields))


def test_a_wrong_scale_is_noticed():
    assert not computes_convolution(replace(F2, scale=2))


def test_f2_has_sixteen_taps_and_scale_four():
    assert (F2.taps, F2.scale, F2.m, F2.tile) == (16, 4, (2, 2), (4, 4))
    assert [k for k, total in enumerate(F2.input_row_sums) if total] == [5]


@pytest.mark.parametrize(
    ("name", "taps", "scale", "m", "saving"),
    [
        ("f2", 16, 4, (2, 2), 2.25),
        ("f4", 36, 576, (4, 4), 4.0),
        ("f4c", 46, 16, (4, 4), 3.13),
        ("f4h", 36, 900, (4, 4), 4.0),
        ("f6", 64, 129600, (6, 6), 5.06),
        ("f6c", 88, 36, (6, 6), 3.68),
        ("f2x1", 12, 2, (1, 2), 1.5),
        ("f4x1", 18, 24, (1, 4), 2.0),
    ],
)
def test_real_products_of_the_catalog(name, taps, scale, m, saving):
    one = ALGORITHMS[name]
    assert (one.taps, one.scale, one.m, one.r) == (taps, scale, m, (3, 3))
    assert round(9 * m[0] * m[1] / taps, 2) == saving


def test_the_catalog_is_complete():
    assert set(ALGORITHMS) == {"f2", "f4", "f4c", "f4h", "f6", "f6c", "f2x1", "f4x1"}


def test_complex_points_give_the_form_made_by_hand():
    for field in ("input_factors", "weight_matrix", "output_matrix", "scale", "m", "r"):
        assert getattr(F4C, field) == getattr(HANDMADE, field), field


def test_complex_points_stand_beside_real_ones():
    """Pairs of both fields down the height (7 products), real points along the width (4)."""
    assert (COMPLEX_AND_REAL.taps, COMPLEX_AND_REAL.m, COMPLEX_AND_REAL.tile) == (28, (3, 2), (5, 4))


@pytest.mark.parametrize("name", ["f4c", "f6c"])
def test_complex_transforms_need_neither_multiplication_nor_shift(name):
    """Entries of both axes' matrices are 0 or +-1; only the traces on the way back count some numbers twice."""
    for factor in ALGORITHMS[name].input_factors:
        assert {abs(entry) for row in factor for entry in row} == {0, 1}
    for factor in ALGORITHMS[name].output_factors:
        assert {abs(entry) for row in factor for entry in row} <= {0, 1, 2}


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("f2", "0100121101000100"),
        ("f4x1", "010000" * 3),
        # Reals by rows; three operands each of (real, i), of (i, real) and of the two at (i, +-i).
        ("f4c", "0100121101000100" + "000111000000" * 2 + "000000"),
    ],
)
def test_only_the_point_one_lets_constants_pass(name, axes):
    """On both axes, one or none; direct filters along the height let them pass in every tap, which counts for none."""
    assert "".join(map(str, ALGORITHMS[name].constant_axes)) == axes


def test_one_axis_alone_may_be_fast():
    assert (F4X1.taps, F4X1.m, F4X1.tile, F4X1.scale) == (18, (1, 4), (3, 6), 24)
    assert (F2X1.taps, F2X1.m, F2X1.tile, F2X1.scale) == (12, (1, 2), (3, 4), 2)


def test_an_identity_factor_is_left_out():
    assert all(factor != identity(len(factor)) for factor in F4X1.input_factors)
    assert len(F4X1.input_factors) == 1


def test_pairs_of_two_fields_do_not_mix_across_axes():
    rows, columns = (cook_toom(2, 3, points(0, 1, root)) for root in (IMAGINARY_UNIT, SIXTH_ROOT))
    with pytest.raises(ValueError, match=r"along the height and .* along the width do not mix"):
        tensor("mixed", rows, columns)


roots = st.sampled_from((IMAGINARY_UNIT, SIXTH_ROOT))


@given(root=roots, numbers=st.lists(st.fractions(-2, 2, max_denominator=3), min_size=5, max_size=5), real=st.booleans())
def test_any_pair_of_any_quadratic_field_gives_convolution(root, numbers, real):
    """F(m, 3) over a + b theta (b not zero) and another point, on both axes; over a rational point on one axis."""
    a, b, c, d, e = numbers
    pair = root * (b or Fraction(1)) + a
    down = cook_toom(2, 3, points(pair, c, INFINITY))
    along = cook_toom(1, 2, points(d, e + 9)) if real else cook_toom(1, 2, points(root * (d or Fraction(1)) + e))
    assert computes_convolution(tensor("any", down, along))


@given(
    trace=st.integers(-3, 3),
    beyond=st.integers(1, 4),
    along_one_axis=st.booleans(),
    parts=st.lists(st.integers(-9, 9), min_size=4, max_size=4),
)
def test_three_real_products_make_a_complex_one(trace, beyond, along_one_axis, parts):
    field = Field(trace, trace * trace // 4 + beyond)
    form, (a, b, c, d) = three_products(field, along_one_axis), parts
    operands = [
        sum(x * y for x, y in zip(row, (a, b), strict=True)) * sum(x * y for x, y in zip(column, (c, d), strict=True))
        for row, column in zip(form.inputs, form.weights, strict=True)
    ]
    made = field.number(*(sum(x * y for x, y in zip(row, operands, strict=True)) for row in form.results))
    assert made == field.number(a, b) * field.number(c, d)
