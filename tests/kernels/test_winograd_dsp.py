"""Winograd layers of microkernels: U's layout, the loops around the calls, and bytes over random shapes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from winograd_cases import winograd_cases
from winograd_dsp_cases import VARIANTS, cases, layer, open_case
from winograd_dsp_run import build_objects, run

from tvm_wvv.kernels import winograd, winograd_dsp
from tvm_wvv.kernels.output_stage import OutputStage
from tvm_wvv.micro import bare_c
from tvm_wvv.micro.in_place import in_place_inputs
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.reference.winograd import transform_weights
from tvm_wvv.transforms.catalog import F2, F4, F4C, F4X1, F6C

small = st.sampled_from(VARIANTS).flatmap(lambda algorithm: winograd_cases(algorithm, channels=9, largest=(9, 9)))


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_objects(tmp_path_factory.mktemp("microkernels"))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=small)
def test_bytes_are_those_of_direct_convolution(objects, tmp_path_factory, case):
    one = layer(case)
    np.testing.assert_array_equal(run(one, objects, tmp_path_factory.mktemp("layer")), one.expected)


@pytest.mark.parametrize("algorithm", VARIANTS, ids=str)
def test_a_changed_weight_is_caught(algorithm, objects, tmp_path):
    """The comparison above would see one wrong entry of U."""
    one = layer(open_case(algorithm, 8))
    u, stage = one.kernel.constants
    changed = u.copy()
    changed[0, 1, 0, 0, 0] += 1 << 12
    broken = replace(one, kernel=replace(one.kernel, constants=(changed, stage)))
    assert not np.array_equal(run(broken, objects, tmp_path), one.expected)


def test_weights_lie_as_the_product_loop_reads_them():
    """[tap, o, c] as words [two outputs, tap, quad, pair, output]; pairs are channels 0 and 2, then 1 and 3."""
    rng = np.random.default_rng(0)
    u = rng.integers(-32768, 32768, (36, 5, 7), dtype=np.int16)
    words = winograd_dsp.pack_weights(u)
    assert words.shape == (3, 36, 2, 2, 2)
    for tap, o, c in ((0, 0, 0), (35, 4, 6), (7, 3, 1), (20, 2, 5), (9, 1, 2)):
        word = int(words[o // 2, tap, c // 4, c % 2, o % 2])
        assert np.int16(np.uint16(word >> 16 * (c % 4 // 2) & 0xFFFF).astype(np.int16)) == u[tap, o, c]
    assert not words[2, :, :, :, 1].any()
    assert not (words[:, :, 1, 1, :] >> 16).any()


@pytest.mark.parametrize(
    ("channels", "call"), [(5, "wvv_product_2("), (64, "wvv_product_16("), (72, "wvv_product_9n(")]
)
def test_the_product_of_so_many_channels_is_called(channels, call):
    case = next(cases(1, (F4,)))
    weights, x = np.ones((6, 3, 3, channels), np.int8), np.zeros((1, 9, 8, channels), np.int8)
    made = layer(replace(case, x=x, weights=weights, bias=np.zeros(6, np.int32),
                         op=replace(case.op, weight_scales=(1.0,))))  # fmt: skip
    assert call in bare_c.build(made.kernel.func).body


def test_kernel_rows_along_the_width_are_summed_like_channels():
    """V of six taps, each with the channels of three rows; seven channels fill two quads of a row."""
    kernel = layer(open_case(F4X1, 7)).kernel
    assert kernel.constants[0].shape == (2, 6, 3 * 2, 2, 2)
    assert "wvv_product_6(" in bare_c.build(kernel.func).body


def test_workspace_is_two_tiles_of_v_and_one_block_of_m():
    one = layer(open_case(F4, 64))
    assert bare_c.build(one.kernel.func).workspace_bytes == 36 * 64 * 2 * 2 + 36 * 2 * 2 * 4
    assert in_place_inputs(one.kernel.func) == ()


def test_a_clamp_of_its_own_comes_last():
    texts = {case.op.clamp: bare_c.build(layer(case).kernel.func).body for case in cases(1, (F2, F4))}
    assert all(("wvv_clamp(" in text) == (clamp != (-128, 127)) for clamp, text in texts.items())


@pytest.mark.parametrize(
    ("algorithm", "shift", "fits"),
    [(F2, -1, True), (F4, -22, True), (F4X1, -9, True), (F4C, 0, False), (F4, -23, False), (F6C, -9, False)],
)
def test_what_has_no_microkernel_is_left_to_tensor_ir(algorithm, shift, fits):
    stage = OutputStage(np.zeros(4, np.int32), (Multiplier(1 << 30, shift),), 0, (-128, 127), 1 << 20)
    assert winograd_dsp.fits(algorithm, stage) == fits


def test_the_exact_stage_is_that_of_the_kernel_of_tensor_ir():
    case = next(cases(1, VARIANTS))
    u = transform_weights(case.weights, case.algorithm)
    stage = winograd.exact_output_stage(case.op, case.algorithm, u, case.bias)
    kernel = winograd.winograd_conv2d(case.op, case.algorithm, case.x.shape, u, case.bias)
    for ours, theirs in zip(stage.constants, kernel.constants[1:], strict=True):
        np.testing.assert_array_equal(ours, theirs)
