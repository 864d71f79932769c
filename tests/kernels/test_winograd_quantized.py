"""Each stage of quantized Winograd layers, and all of them in one scheduled kernel, byte for byte like the oracle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tvm
from conftest import require_tool
from hypothesis import given, settings
from kernel_run import CKernel, LlvmKernel
from quantized_cases import VARIANTS, QuantizedCase, by_ranges, quantized, quantized_cases
from winograd_cases import WinogradCase

from tvm_wvv.kernels import winograd_quantized as kernels
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.kernels.rescaling import Rescaling
from tvm_wvv.kernels.winograd import input_transform
from tvm_wvv.micro import bare_c
from tvm_wvv.quant.default_stages import from_ranges
from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.quant.stage import StageQuantizer, Stages
from tvm_wvv.reference import winograd_quantized as oracle
from tvm_wvv.schedules.winograd import schedule
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import F2, F4, F4C, Variant


def run(kernel: Kernel, data: np.ndarray) -> np.ndarray:
    """On LLVM, into an output that is full of stale bytes."""
    built = tvm.compile(kernel.func.with_attr("global_symbol", "kernel"), target="llvm")
    result = kernel.func.params[-1].ty
    out = tvm.runtime.tensor(np.full([int(size) for size in result.shape], 85, str(result.dtype)))
    built["kernel"](*(tvm.runtime.tensor(np.ascontiguousarray(one)) for one in (data, *kernel.constants)), out)
    return out.numpy()


def scheduled(one: QuantizedCase) -> np.ndarray:
    kernel = one.kernel()
    return LlvmKernel(schedule(kernel.func))((one.case.x, *kernel.constants))


def stage_kernels(one: QuantizedCase, trace: oracle.Trace) -> list[tuple[Kernel, np.ndarray, np.ndarray]]:
    """Kernel, input and result of every stage that the layer has."""
    case, parts, algorithm, size = one.case, one.parts, one.case.algorithm, one.case.grid.output
    stored, m, v_dtype = trace.stored_v, trace.m, str(trace.stored_v.dtype)
    of_v = input_transform(
        algorithm, case.x.shape, case.zero_point, case.padding, "int32" if parts.of_input else "int16"
    )
    found = [
        (of_v, case.x, trace.v),
        (kernels.tile_product(algorithm, stored.shape, v_dtype, parts.u, parts.offset), stored, m),
    ]
    if parts.of_input:
        found.append((kernels.requantize_input(algorithm, stored.shape, parts.of_input), trace.v, stored))
    rescaled = trace.rescaled_m
    if parts.of_products:
        rescaled = rescaled.astype(parts.of_products.dtype)
        found.append((kernels.requantize_products(algorithm, m.shape, parts.of_products), m, rescaled))
    back = kernels.output_transform(algorithm, m.shape, str(rescaled.dtype), size, parts.factors)
    last = kernels.requantize_output(trace.y.shape, parts.output)
    return [*found, (back, rescaled, trace.y), (last, trace.y, trace.output)]


@settings(max_examples=16, deadline=None)
@given(one=quantized_cases())
def test_every_stage_equals_the_oracle(one: QuantizedCase) -> None:
    trace = oracle.trace(one.case.x, one.case.op, one.case.algorithm, one.integers)
    for kernel, data, result in stage_kernels(one, trace):
        np.testing.assert_array_equal(run(kernel, data), result, err_msg=kernel.name)


@settings(max_examples=20, deadline=None)
@given(one=quantized_cases(channels=130, largest=(40, 37), batch=3))
def test_scheduled_kernel_equals_the_oracle(one: QuantizedCase) -> None:
    np.testing.assert_array_equal(scheduled(one), one.expected())


@settings(max_examples=12, deadline=None)
@given(one=quantized_cases())
def test_generated_c_equals_the_oracle(tmp_path_factory: pytest.TempPathFactory, one: QuantizedCase) -> None:
    """As C with sanitizers: no undefined overflow or shift anywhere."""
    compiler, folder = require_tool("cc"), tmp_path_factory.mktemp("winograd")
    kernel = one.kernel()
    made = CKernel(schedule(kernel.func), compiler, folder)((one.case.x, *kernel.constants))
    np.testing.assert_array_equal(made, one.expected())


def extreme(algorithm: Algorithm, shape: tuple[int, ...], zero_point: int) -> WinogradCase:
    """All weights -128, inputs at both ends, the zero point at an end: the widest ranges there are."""
    rng = np.random.default_rng(7)
    x = rng.choice(np.array([-128, 127], np.int8), shape)
    weights = np.full((6, *algorithm.r, shape[3]), -128, np.int8)
    op = Conv2d(Affine(1.0, zero_point), Affine(9e5, 11), (0.75,) * 6, Window(padding=(1, 1, 1, 1)))
    return WinogradCase(algorithm, op, x, weights, rng.integers(-9999, 9999, 6, np.int32))


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize(("shape", "zero_point"), [((1, 40, 37, 3), 127), ((3, 1, 1, 130), -128)])
def test_largest_and_smallest_images(variant: Variant, shape: tuple[int, ...], zero_point: int) -> None:
    one = by_ranges(extreme(variant.algorithm, shape, zero_point), variant.arithmetic)
    np.testing.assert_array_equal(scheduled(one), one.expected())


def plain(algorithm: Algorithm = F2, seed: int = 2) -> WinogradCase:
    rng = np.random.default_rng(seed)
    x, weights = rng.integers(-128, 128, (1, 9, 10, 4), np.int8), rng.integers(-128, 128, (4, 3, 3, 4), np.int8)
    op = Conv2d(Affine(1.0, -7), Affine(300.0, 0), (1.0,), Window())
    return WinogradCase(algorithm, op, x, weights, np.zeros(4, np.int32))


def leaning(case: WinogradCase) -> QuantizedCase:
    """With clips that are met, and a zero point for each tap."""
    stages = from_ranges(case.algorithm, case.op, case.weights, "int8")
    assert stages.v is not None and stages.m is not None
    taps = case.algorithm.taps

    def finer(stage: StageQuantizer) -> StageQuantizer:
        return replace(stage, scale=tuple(one / 16 for one in stage.scale))

    v = replace(finer(stages.v), zero_point=tuple(range(-20, taps - 20)))
    return quantized(case, Stages(stages.u, v, finer(stages.m)))


def changed(one: QuantizedCase, **fields: Any) -> np.ndarray:
    """What the kernel of one other part makes."""
    case = one.case
    kernel = kernels.winograd_conv2d(case.op, case.algorithm, case.x.shape, replace(one.parts, **fields))
    return LlvmKernel(schedule(kernel.func))((case.x, *kernel.constants))


class OffByOne(Rescaling):
    """The clip of a Rescaling, one too narrow at its upper end."""

    def value(self, acc: Any, constants: Any, keep: Any) -> Any:
        kept = super().value(acc, constants, keep)
        return tvm.tirx.min(kept, tvm.tirx.const((1 << (self.bits - 1)) - 2, self.dtype))


@pytest.mark.parametrize("stage", ["of_input", "of_products"])
def test_a_clip_off_by_one_is_seen(stage: str) -> None:
    # Outputs in fine steps: in coarse ones so small a difference may be lost.
    case = plain(F4C)
    one = leaning(replace(case, op=replace(case.op, output=Affine(30.0, 0))))
    np.testing.assert_array_equal(changed(one), one.expected())
    right: Rescaling = getattr(one.parts, stage)
    wrong = OffByOne(right.multipliers, right.bits, right.bound, right.zero_points)
    assert not np.array_equal(changed(one, **{stage: wrong}), one.expected())


def test_a_missing_zero_point_correction_is_seen() -> None:
    one = leaning(plain(F4C))
    assert one.parts.offset.any()
    assert not np.array_equal(changed(one, offset=np.zeros_like(one.parts.offset)), one.expected())


@pytest.mark.parametrize("field", ["mantissa", "factor", "zero_point"])
def test_a_changed_constant_is_seen(field: str) -> None:
    one, tap = leaning(plain(F4)), 8
    parts, of_input = one.parts, one.parts.of_input
    assert of_input is not None
    given = of_input.multipliers
    if field == "factor":
        factors = parts.factors.copy()
        factors[tap] += factors[tap] // 16
        assert not np.array_equal(changed(one, factors=factors), one.expected())
        return
    mantissas, zero_points = given.mantissa.copy(), of_input.zero_points.copy()
    if field == "mantissa":
        mantissas[tap] += mantissas[tap] // 16
    else:
        zero_points[tap] += 1
    wrong = Rescaling(replace(given, mantissa=mantissas), of_input.bits, of_input.bound, zero_points)
    assert not np.array_equal(changed(one, of_input=wrong), one.expected())


def case_16x16(arithmetic: str, power_of_two: bool = False) -> Kernel:
    rng = np.random.default_rng(0)
    weights = rng.integers(-128, 128, (32, 3, 3, 32), np.int8)
    op = Conv2d(Affine(0.5, -128), Affine(900.0, 3), tuple(rng.uniform(0.1, 0.2, 32)), Window(padding=(1, 1, 1, 1)))
    case = WinogradCase(F4, op, np.zeros((1, 16, 16, 32), np.int8), weights, np.zeros(32, np.int32))
    return quantized(case, from_ranges(F4, op, weights, arithmetic, power_of_two=power_of_two)).kernel()


@pytest.mark.parametrize(("arithmetic", "v_bytes", "m_bytes"), [("int16", 2, 4), ("int8", 1, 1)])
def test_scheduled_workspace_is_two_tiles_and_a_strip_of_rows(arithmetic: str, v_bytes: int, m_bytes: int) -> None:
    """V of two tiles, M of two tiles and four channels, six padded rows."""
    v, m, strip = 2 * 36 * 32 * v_bytes, 2 * 36 * 4 * m_bytes, 6 * 18 * 32
    assert bare_c.build(schedule(case_16x16(arithmetic).func)).workspace_bytes == v + m + strip


def test_stages_stand_in_the_kernel_by_name() -> None:
    text = case_16x16("int8").func.script()
    for name in ("input_transform", "tile_product", "requantize_products", "output_transform", "requantize"):
        assert f'T.sblock("{name}")' in text


def test_powers_of_two_become_shifts() -> None:
    """Neither V's mantissas nor the taps' factors are read: only sums have a multiplier for each tap and channel."""
    names = [parameter.name for parameter in case_16x16("int8", power_of_two=True).func.params]
    assert "v_mantissas" not in names
    assert "factors" not in names
    assert {"v_mantissas", "factors"} <= {parameter.name for parameter in case_16x16("int8").func.params}


def test_weights_of_8_bits_are_stored_in_bytes() -> None:
    assert case_16x16("int8").constants[0].dtype == np.int8
    assert case_16x16("int16").constants[0].dtype == np.int16
