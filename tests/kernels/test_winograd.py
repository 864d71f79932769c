"""Each stage in TensorIR, and all of them in one scheduled kernel, byte for byte like the oracle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tvm
from algorithms import EXACT
from conftest import require_tool
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_run import CKernel, LlvmKernel
from winograd_cases import WinogradCase, winograd_cases

from tvm_wvv.kernels import winograd as kernels
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.micro import bare_c
from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.reference import winograd as oracle
from tvm_wvv.reference.conv import conv2d
from tvm_wvv.schedules.winograd import schedule
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import F2, F4C, F4X1
from tvm_wvv.transforms.matrix import IntMatrix

small = st.sampled_from(EXACT).flatmap(lambda algorithm: winograd_cases(algorithm, channels=9, largest=(8, 8)))
wide = st.sampled_from(EXACT).flatmap(lambda algorithm: winograd_cases(algorithm, 130, largest=(40, 37), batch=3))


def run(kernel: Kernel, data: np.ndarray) -> np.ndarray:
    """On LLVM, into an output that is full of stale bytes."""
    built = tvm.compile(kernel.func.with_attr("global_symbol", "kernel"), target="llvm")
    result = kernel.func.params[-1].ty
    out = tvm.runtime.tensor(np.full([int(size) for size in result.shape], 85, str(result.dtype)))
    built["kernel"](*(tvm.runtime.tensor(np.ascontiguousarray(one)) for one in (data, *kernel.constants)), out)
    return out.numpy()


def merged(case: WinogradCase) -> Kernel:
    u = oracle.transform_weights(case.weights, case.algorithm)
    return kernels.winograd_conv2d(case.op, case.algorithm, case.x.shape, u, case.bias)


def expected(case: WinogradCase) -> np.ndarray:
    return conv2d(case.x, case.weights, case.bias, case.op)


@settings(max_examples=14, deadline=None)
@given(case=small)
def test_every_stage_equals_the_oracle(case):
    algorithm, u = case.algorithm, oracle.transform_weights(case.weights, case.algorithm)
    v = oracle.input_transform(case.x, algorithm, case.zero_point, case.padding)
    m = oracle.tile_product(v, u)
    sums = oracle.output_transform(m, algorithm, case.grid.output)
    for kernel, data, result in (
        (kernels.input_transform(algorithm, case.x.shape, case.zero_point, case.padding), case.x, v),
        (kernels.tile_product(algorithm, v.shape, u), v, m),
        (kernels.output_transform(algorithm, m.shape, case.grid.output), m, sums),
        (kernels.winograd_requantize(case.op, sums.shape, case.bias), sums, expected(case)),
    ):
        np.testing.assert_array_equal(run(kernel, data), result, err_msg=kernel.name)


@settings(max_examples=16, deadline=None)
@given(case=wide)
def test_scheduled_kernel_equals_direct_convolution(case):
    kernel = merged(case)
    scheduled = Kernel(kernel.name, schedule(kernel.func), kernel.constants)
    np.testing.assert_array_equal(run(scheduled, case.x), expected(case))


@settings(max_examples=12, deadline=None)
@given(case=small)
def test_generated_c_equals_direct_convolution(tmp_path_factory, case):
    """As C with sanitizers: no undefined overflow or shift anywhere."""
    compiler, folder = require_tool("cc"), tmp_path_factory.mktemp("winograd")
    kernel = merged(case)
    made = CKernel(schedule(kernel.func), compiler, folder)((case.x, *kernel.constants))
    np.testing.assert_array_equal(made, expected(case))


@pytest.mark.parametrize("algorithm", EXACT, ids=str)
@pytest.mark.parametrize("shape", [(1, 40, 37, 3), (3, 1, 1, 130)])
def test_largest_and_smallest_images(algorithm, shape):
    """All weights -128, inputs at both ends, the zero point at the end that gives the widest range."""
    rng = np.random.default_rng(7)
    x = rng.choice(np.array([-128, 127], np.int8), shape)
    weights = np.full((10, 3, 3, shape[3]), -128, np.int8)
    op = Conv2d(Affine(1.0, -128), Affine(9e5, 11), (0.75,) * 10, Window(padding=(1, 1, 1, 1)))
    case = WinogradCase(algorithm, op, x, weights, rng.integers(-9999, 9999, 10, np.int32))
    kernel = merged(case)
    made = LlvmKernel(schedule(kernel.func))((x, *kernel.constants))
    np.testing.assert_array_equal(made, expected(case))


def plain_case(algorithm: Algorithm) -> WinogradCase:
    rng = np.random.default_rng(2)
    x, weights = rng.integers(-128, 128, (1, 9, 10, 4), np.int8), rng.integers(-128, 128, (4, 3, 3, 4), np.int8)
    op = Conv2d(Affine(1.0, -7), Affine(300.0, 0), (1.0,), Window())
    return WinogradCase(algorithm, op, x, weights, np.zeros(4, np.int32))


def with_one_more(matrix: IntMatrix, row: int) -> IntMatrix:
    """The matrix with the first entry of one row that is not zero greater by one, or less where that gives zero."""
    column = next(k for k, entry in enumerate(matrix[row]) if entry)
    entry = matrix[row][column] + (1 if matrix[row][column] != -1 else -1)
    return (*matrix[:row], (*matrix[row][:column], entry, *matrix[row][column + 1 :]), *matrix[row + 1 :])


@pytest.mark.parametrize("algorithm", [F2, F4C, F4X1], ids=str)
@pytest.mark.parametrize("field", ["input_factors", "weight_matrix", "output_factors"])
def test_a_changed_matrix_entry_is_caught(algorithm, field):
    case, whole = plain_case(algorithm), getattr(algorithm, field)
    changed = with_one_more(whole, 3) if field == "weight_matrix" else (with_one_more(whole[0], 3), *whole[1:])
    fields: dict[str, Any] = {field: changed}
    assert np.array_equal(run(merged(case), case.x), expected(case))
    broken = replace(case, algorithm=replace(algorithm, **fields))
    assert not np.array_equal(run(merged(broken), case.x), expected(case))


@pytest.mark.parametrize("algorithm", [F2, F4C, F4X1], ids=str)
def test_a_missing_zero_point_correction_is_caught(algorithm):
    case, uncorrected = plain_case(algorithm), replace(algorithm)
    vars(uncorrected)["input_row_sums"] = (0,) * algorithm.taps
    assert not np.array_equal(run(merged(replace(case, algorithm=uncorrected)), case.x), expected(case))


def case_16x16() -> Kernel:
    rng = np.random.default_rng(0)
    u = oracle.transform_weights(rng.integers(-128, 128, (32, 3, 3, 32), np.int8), F2)
    op = Conv2d(Affine(0.5, -128), Affine(900.0, 3), tuple(rng.uniform(0.1, 0.2, 32)), Window(padding=(1, 1, 1, 1)))
    return kernels.winograd_conv2d(op, F2, (1, 16, 16, 32), u, np.zeros(32, np.int32))


def test_scheduled_workspace_is_two_tiles_and_a_strip_of_rows():
    """V of two tiles, M of two tiles and four channels, four padded rows; unscheduled, all of these whole."""
    kernel = case_16x16()
    v, m, strip = 2 * 16 * 32 * 2, 2 * 16 * 4 * 4, 4 * 18 * 32
    assert bare_c.build(schedule(kernel.func)).workspace_bytes == v + m + strip
    assert bare_c.build(kernel.func).workspace_bytes > 16 * 1024


@pytest.mark.parametrize(("columns", "together", "channels"), [(4, 2, 4), (3, 3, 2), (5, 1, 4), (9, 3, 2)])
def test_tiles_are_computed_together_as_far_as_they_fill_the_row(columns, together, channels):
    weights = np.ones((8, 3, 3, 8), np.int8)
    x = np.zeros((1, 6, 4 * columns + 2, 8), np.int8)
    kernel = merged(replace(plain_case(F4C), x=x, weights=weights, bias=np.zeros(8, np.int32)))
    v, m = together * 46 * 8 * 2, together * 46 * channels * 4
    assert bare_c.build(schedule(kernel.func)).workspace_bytes == v + m


def test_stages_stand_in_the_kernel_by_name():
    text = case_16x16().func.script()
    for name in ("pad", "input_transform", "tile_product", "output_transform", "requantize"):
        assert f'T.sblock("{name}")' in text


def test_an_image_that_tiles_fit_is_read_without_a_copy():
    kernel = kernels.input_transform(F2, (1, 6, 8, 4), 0, (0, 0, 0, 0))
    assert 'T.sblock("pad")' not in kernel.func.script()


def test_a_zero_point_costs_one_subtraction():
    """Only the tap that evaluates both axes at 1 sees a constant image."""
    plain, offset = (kernels.input_transform(F2, (1, 6, 6, 1), z, (0, 0, 0, 0)).func.script() for z in (0, 9))
    changed = [(a, b) for a, b in zip(plain.splitlines(), offset.splitlines(), strict=True) if a != b]
    assert len(changed) == 1
    assert "- 36" in changed[0][1]


def test_straight_line_programs_are_kept_sum_by_sum():
    """Code generation neither repeats nor drops a sum: 32 of the input transform, 24 of the output transform."""
    body = bare_c.build(schedule(case_16x16().func)).body
    assert body.count("d_ptr[") == 16 + 3 * 32 + 16 + 1
    assert body.count("t_ptr[") == 16 + 3 * 24 + 4 + 1


def test_a_kernel_without_the_stages_passes_through():
    kernel = kernels.input_transform(F2, (1, 6, 6, 1), 0, (0, 0, 0, 0))
    assert schedule(kernel.func).same_as(kernel.func)


def test_kernels_of_complex_points_have_46_products():
    assert merged(plain_case(F4C)).constants[0].shape == (46, 1, 4, 4)
