"""Two-dimensional algorithms: proofs, an independent check on random tiles, and whether a wrong entry would be seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from algorithms import ALL, F4C, F4X1
from hypothesis import given
from hypothesis import strategies as st

from tvm_wvv.transforms.bilinear import Algorithm, computes_convolution
from tvm_wvv.transforms.catalog import ALGORITHMS, F2
from tvm_wvv.transforms.matrix import identity

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


@pytest.mark.parametrize("algorithm", ALGORITHMS.values(), ids=str)
def test_the_whole_catalog_is_proved(algorithm):
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


def test_complex_points_fit_the_same_form():
    assert (F4C.taps, F4C.scale, F4C.tile) == (46, 16, (6, 6))


def test_one_axis_alone_may_be_fast():
    assert (F4X1.taps, F4X1.m, F4X1.tile, F4X1.scale) == (18, (4, 1), (6, 3), 24)


def test_an_identity_factor_is_left_out():
    assert all(factor != identity(len(factor)) for factor in F4X1.input_factors)
    assert len(F4X1.input_factors) == 1
