"""Winograd layers of microkernels in 8 bits: bytes over random stages, what the product reads, what is left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from quantized_cases import QuantizedCase, by_ranges, quantized_cases
from winograd_dsp_cases import IN_8_BITS, Layer, layer8, open_case
from winograd_dsp_run import build_objects, run

from tvm_wvv.kernels import winograd_dsp_int8
from tvm_wvv.kernels.rescaling import Rescaling
from tvm_wvv.kernels.winograd_quantized import Parts
from tvm_wvv.micro import bare_c
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.winograd_parameters import MultiplierArray
from tvm_wvv.transforms.catalog import F2, F2X1, F4, F4C, Variant

VARIANTS = tuple(Variant(algorithm, "int8") for algorithm in IN_8_BITS)
HALF = 1 << 30


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_objects(tmp_path_factory.mktemp("microkernels"))


@settings(
    max_examples=15, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)  # fmt: skip
@given(one=quantized_cases(variants=VARIANTS))
def test_bytes_are_the_oracles(objects, tmp_path_factory, one):
    assume(winograd_dsp_int8.fits(one.case.algorithm, one.parts))
    np.testing.assert_array_equal(run(layer8(one), objects, tmp_path_factory.mktemp("layer")), one.expected())


def plain(algorithm: Any = F4C, channels: int = 8) -> QuantizedCase:
    return by_ranges(open_case(algorithm, channels), "int8")


@pytest.mark.parametrize("place", [0, -3, -1], ids=["weight", "mantissa", "factor"])
@pytest.mark.parametrize("algorithm", IN_8_BITS, ids=str)
def test_a_changed_word_is_caught(algorithm, place, objects, tmp_path):
    """The comparison above would see one wrong number of the first tap."""
    one = layer8(plain(algorithm))
    u, *rest = one.kernel.constants
    changed = u.copy()
    changed[0, 0, place] ^= 0x60 if place == 0 else changed[0, 0, place] >> 1
    broken = replace(one, kernel=replace(one.kernel, constants=(changed, *rest)))
    np.testing.assert_array_equal(run(one, objects, tmp_path), one.expected)
    assert not np.array_equal(run(broken, objects, tmp_path), one.expected)


def test_the_product_reads_weights_mantissas_and_factors_in_one_run():
    """Two outputs of nine channels: six words of halves 256 u1 + u0, two mantissas doubled, two factors in a word."""
    one = plain(F2)
    u = np.random.default_rng(0).integers(-127, 128, (16, 3, 9), dtype=np.int8)
    mantissas = np.arange(48, dtype=np.int32).reshape(16, 3) + 5
    factors = np.arange(48, dtype=np.int32).reshape(16, 3) + 300
    of_m = Rescaling(MultiplierArray(mantissas, 0), 8, 1000)
    output = replace(one.parts.output, bias=np.zeros(3, np.int32), multipliers=(Multiplier(HALF, -5),) * 3)
    parts = replace(
        one.parts, u=u, offset=np.zeros((16, 3), np.int32), factors=factors, of_products=of_m, output=output
    )
    words = winograd_dsp_int8.winograd_conv2d(F2, one.case.op.window, 0, (1, 4, 4, 9), parts).constants[0]
    assert words.shape == (2, 16, 3 * 2 + 3)
    first = words[0, 7]
    halves = first[:6].astype("<i4").view("<i2").reshape(3, 4)
    channels = [0, 2, 1, 3, 4, 6, 5, 7, 8]
    mixed = 256 * u[7, 1, channels].astype(np.int32) + u[7, 0, channels]
    assert halves.reshape(-1)[:9].tolist() == mixed.tolist()
    assert not halves.reshape(-1)[9:].any()
    assert first[6:8].tolist() == [2 * mantissas[7, 0], 2 * mantissas[7, 1]]
    assert first[8] == factors[7, 0] | factors[7, 1] << 16
    assert (words[1, 7, 6:].tolist()) == [2 * mantissas[7, 2], 0, factors[7, 2]]


def test_sums_start_from_the_zero_points_of_v():
    one = plain()
    assert "wvv_product8_2(" in text(layer8(one))
    offset = np.arange(one.parts.offset.size, dtype=np.int32).reshape(one.parts.offset.shape)
    made = kernel(one, offset=offset)
    assert "wvv_product8_2n(" in text(made)
    assert made.kernel.constants[0][1, 3, :2].tolist() == [offset[3, 2], 256 * offset[3, 3] + offset[3, 2]]


@pytest.mark.parametrize(
    ("multipliers", "raised"),
    [((HALF - 1, 0), 0), ((HALF, 0), 1), ((HALF, 1), 2), ((HALF + 5, 3), 4)],
)
def test_v_is_raised_where_mantissas_cannot_be_doubled(multipliers, raised):
    one = plain()
    mantissas = np.full(one.parts.u.shape[:2], multipliers[0], np.int32)
    made = kernel(one, of_products=Rescaling(MultiplierArray(mantissas, multipliers[1]), 8, 1 << 18))
    assert f", 15, {raised});" in text(made)
    assert made.kernel.constants[0][0, 0, -3] == multipliers[0] * (1 if raised else 2)


@pytest.mark.parametrize(
    "changed",
    [
        {"of_input": None},
        {"of_products": None},
        {"u": np.zeros((46, 8, 8), np.int16)},
        {"factors": np.full((46, 1), 1 << 15, np.int32)},
        {"of_products": Rescaling(MultiplierArray(np.full((46, 8), HALF, np.int32), -1), 8, 1 << 18)},
        {"of_products": Rescaling(MultiplierArray(np.full((46, 8), HALF, np.int32), 4), 8, 1 << 18)},
        {"of_products": Rescaling(MultiplierArray(np.full((46, 8), 9, np.int32), 0), 8, 1 << 23)},
        {"of_products": Rescaling(MultiplierArray(np.full((46, 8), 9, np.int32), 0), 5, 1 << 18)},
    ],
    ids=["v", "m", "weights of 16 bits", "factor", "right shift", "no room to raise", "wide sums", "five bits"],
)
def test_what_has_no_microkernel_is_left_to_tensor_ir(changed):
    parts = plain().parts
    assert winograd_dsp_int8.fits(F4C, parts)
    assert not winograd_dsp_int8.fits(F4C, replace(parts, **changed))


def test_other_algorithms_and_wide_shifts_of_the_output_are_left_to_tensor_ir():
    assert not winograd_dsp_int8.fits(F2X1, plain(F2X1).parts)
    parts = plain(F4).parts
    for shift, fits in ((-23, True), (-24, False), (3, False)):
        output = replace(parts.output, multipliers=(Multiplier(HALF, shift),) * 8)
        assert winograd_dsp_int8.fits(F4, replace(parts, output=output)) == fits


def test_workspace_is_that_of_the_exact_form():
    """V keeps 16 bits for each value: bytes would have to be widened for every two outputs anew."""
    made = layer8(plain(F4, 64)).kernel
    assert bare_c.build(made.func).workspace_bytes == 36 * 64 * 2 * 2 + 36 * 2 * 2 * 4


def kernel(one: QuantizedCase, **changed: Any) -> Layer:
    parts: Parts = replace(one.parts, **changed)
    case = one.case
    made = winograd_dsp_int8.winograd_conv2d(case.algorithm, case.op.window, case.zero_point, case.x.shape, parts)
    return Layer(case, made, parts.output.positive, one.expected(), in_8_bits=True)


def text(one: Layer) -> str:
    return bare_c.build(one.kernel.func).body
