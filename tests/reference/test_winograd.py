"""The oracle's stages against direct convolution, for every algorithm that is exact in int16."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from algorithms import EXACT
from hypothesis import given, settings
from hypothesis import strategies as st
from winograd_cases import WinogradCase, winograd_cases

from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.reference import winograd as oracle
from tvm_wvv.reference.conv import conv2d, conv2d_sums
from tvm_wvv.transforms.catalog import F2, F4, F4C
from tvm_wvv.transforms.ranges import INT8, stage_ranges

cases = st.sampled_from(EXACT).flatmap(winograd_cases)


def stages(case: WinogradCase) -> tuple[np.ndarray, ...]:
    v = oracle.input_transform(case.x, case.algorithm, case.zero_point, case.padding)
    u = oracle.transform_weights(case.weights, case.algorithm)
    m = oracle.tile_product(v, u)
    return v, u, m, oracle.output_transform(m, case.algorithm, case.grid.output)


@settings(deadline=None)
@given(case=cases)
def test_sums_and_output_equal_direct_convolution(case):
    _, _, _, sums = stages(case)
    np.testing.assert_array_equal(sums, conv2d_sums(case.x, case.weights, None, case.op))
    made = oracle.winograd_conv2d(case.x, case.weights, case.bias, case.op, case.algorithm)
    np.testing.assert_array_equal(made, conv2d(case.x, case.weights, case.bias, case.op))


@settings(deadline=None)
@given(case=cases)
def test_shapes_and_types_are_those_of_the_grid(case):
    v, u, m, sums = stages(case)
    outputs, inputs = case.weights.shape[0], case.x.shape[3]
    assert (v.shape, v.dtype) == (case.grid.v_shape, np.int16)
    assert (u.shape, u.dtype) == ((case.algorithm.taps, outputs, inputs), np.int16)
    assert (m.shape, m.dtype) == (case.grid.m_shape(outputs), np.int32)
    assert (sums.shape, sums.dtype) == (case.grid.out_shape(outputs), np.int32)


@settings(deadline=None)
@given(case=cases)
def test_no_stage_leaves_its_proved_range(case):
    v, u, _, sums = stages(case)
    cells = INT8[0] - case.zero_point, INT8[1] - case.zero_point
    proved = stage_ranges(case.algorithm, cells, oracle.weight_sums(u, case.algorithm))
    for values, (low, high) in ((v, proved.v), (u, proved.u), (sums, proved.sums)):
        assert low <= values.min() and values.max() <= high


@pytest.mark.parametrize("algorithm", EXACT, ids=str)
def test_the_proved_range_of_sums_is_that_of_direct_convolution(algorithm):
    rng = np.random.default_rng(3)
    weights = rng.integers(-128, 128, (3, *algorithm.r, 4), dtype=np.int8)
    u = oracle.transform_weights(weights, algorithm)
    proved = stage_ranges(algorithm, (-123, 132), oracle.weight_sums(u, algorithm))
    direct = weights.astype(np.int64).reshape(3, -1)
    low = (np.where(direct > 0, -123, 132) * direct).sum(axis=1).min()
    high = (np.where(direct > 0, 132, -123) * direct).sum(axis=1).max()
    assert (low, high) == proved.sums


@pytest.mark.parametrize(
    ("algorithm", "channels", "fits"), [(F4C, 917, True), (F4C, 918, False), (F4, 229, True), (F4, 230, False)]
)
def test_channels_that_fit_at_worst(algorithm, channels, fits):
    """Zero point 0, weights within 127: 9 * 127 * 128 for each channel must stay below 2^27 for f4c, 2^25 for f4."""
    u = oracle.transform_weights(np.full((1, 3, 3, channels), 127, np.int8), algorithm)
    reason = stage_ranges(algorithm, INT8, oracle.weight_sums(u, algorithm)).overflow()
    assert (reason is None) == fits, reason


def test_real_f4_is_exact_though_its_products_wrap_around():
    rng = np.random.default_rng(4)
    # All channels alike, so that their products add up.
    x, weights = (rng.choice([-128, 127], (*shape, 1)).repeat(99, 3) for shape in ((1, 8, 8), (2, 3, 3)))
    op = Conv2d(Affine(1.0, -128), Affine(1.0, 0), (1.0,), Window(padding=(1, 1, 1, 1)))
    v = oracle.input_transform(x.astype(np.int8), F4, -128, (1, 1, 1, 1))
    u = oracle.transform_weights(weights.astype(np.int8), F4)
    wide = np.einsum("nabtc,toc->nabto", v.astype(np.int64), u.astype(np.int64))
    assert np.abs(wide).max() >= 1 << 31
    sums = oracle.output_transform(oracle.tile_product(v, u), F4, (8, 8))
    np.testing.assert_array_equal(sums, conv2d_sums(x.astype(np.int8), weights.astype(np.int8), None, op))


def changed_by_one(matrix, row: int, column: int):
    """The same matrix, one entry greater by one."""
    return tuple(
        tuple(entry + ((i, j) == (row, column)) for j, entry in enumerate(line)) for i, line in enumerate(matrix)
    )


@settings(deadline=None)
@given(data=st.data(), field=st.sampled_from(("input_factors", "output_factors")))
def test_a_changed_entry_changes_the_output_or_leaves_a_rest(data, field):
    factors = getattr(F2, field)
    place = data.draw(st.integers(0, len(factors) - 1))
    row = data.draw(st.integers(0, len(factors[place]) - 1))
    column = data.draw(st.integers(0, len(factors[place][0]) - 1))
    changed: dict[str, Any] = {
        field: (*factors[:place], changed_by_one(factors[place], row, column), *factors[place + 1 :])
    }
    broken = replace(F2, **changed)
    rng = np.random.default_rng(1)
    x, weights = rng.integers(-128, 128, (1, 6, 6, 8), np.int8), rng.integers(-128, 128, (8, 3, 3, 8), np.int8)
    op = Conv2d(Affine(1.0, 3), Affine(1.0, 0), (1.0,), Window())
    m = oracle.tile_product(
        oracle.input_transform(x, broken, 3, (0, 0, 0, 0)), oracle.transform_weights(weights, broken)
    )
    with suppress(AssertionError):
        assert np.array_equal(oracle.output_transform(m, broken, (4, 4)), conv2d_sums(x, weights, None, op))
        pytest.fail("the wrong matrix gave the right sums")


def test_a_missing_zero_point_correction_is_seen():
    x, weights = np.full((1, 4, 4, 2), 7, np.int8), np.ones((1, 3, 3, 2), np.int8)
    u = oracle.transform_weights(weights, F2)
    right, wrong = (
        oracle.output_transform(oracle.tile_product(oracle.input_transform(x, F2, z, (1, 1, 1, 1)), u), F2, (4, 4))
        for z in (7, 0)
    )
    assert not right.any()
    assert wrong.any()
