"""Which layers get microkernels of vectors, and what `auto` takes where it can count on them."""

from __future__ import annotations

import numpy as np
import pytest

from tvm_wvv.frontends.tflite import load
from tvm_wvv.kernels import direct_mve
from tvm_wvv.kernels.winograd_mve import LANES, TOGETHER, pack_weights
from tvm_wvv.micro.board import board_names, load_board
from tvm_wvv.micro.emit_c import emit
from tvm_wvv.models import packaged
from tvm_wvv.passes.choose import Choice, Refusal, choose
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.passes.estimate_mve import direct_instructions, winograd_instructions
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower
from tvm_wvv.passes.spec import Mode
from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.transforms.catalog import F2, F4, F4C

# Counted on QEMU's Cortex-M55: direct and f4 in thousands.
COUNTED = {
    (8, 8, 64, 64): (296, 189),
    (16, 16, 32, 32): (340, 249),
    (32, 32, 16, 16): (446, 358),
    (32, 32, 3, 16): (227, 269),
}


def site(height: int, width: int, inputs: int, outputs: int, scale: float = 1.0) -> ConvSite:
    op = Conv2d(Affine(1.0, -128), Affine(900.0, 0), (scale,), Window(padding=(1, 1, 1, 1)))
    weights = np.random.default_rng(1).integers(-127, 128, (outputs, 3, 3, inputs), dtype=np.int8)
    return ConvSite(op, (1, height, width, inputs), weights, np.zeros(outputs, np.int32))


@pytest.mark.parametrize("shape", COUNTED, ids=str)
def test_estimates_are_near_the_counts(shape):
    direct, winograd = COUNTED[shape]
    assert direct_instructions(site(*shape)) / 1000 == pytest.approx(direct, rel=0.1)
    assert winograd_instructions(site(*shape), F4) / 1000 == pytest.approx(winograd, rel=0.1)


@pytest.mark.parametrize("algorithm", [F2, F4C], ids=str)
def test_algorithms_without_vector_kernels_are_dearer(algorithm):
    assert winograd_instructions(site(8, 8, 64, 64), algorithm) > 2 * winograd_instructions(site(8, 8, 64, 64), F4)


@pytest.mark.parametrize("shape", COUNTED, ids=str)
def test_auto_takes_what_counts_least(shape):
    decision = choose(site(*shape), Mode.AUTO, target="cortex_m_mve")
    direct, winograd = COUNTED[shape]
    if winograd < direct:
        assert isinstance(decision, Choice) and decision.variant.algorithm == F4
    else:
        assert isinstance(decision, Refusal)


def test_a_refusal_names_both_counts():
    decision = choose(site(32, 32, 3, 16), Mode.AUTO, target="cortex_m_mve")
    assert isinstance(decision, Refusal)
    assert "instructions by f4:exact" in decision.reason and decision.reason.endswith("direct")


def test_boards_with_mve_get_microkernels_of_vectors():
    targets = {name: load_board(name).target for name in board_names()}
    assert [name for name, target in targets.items() if target == "cortex_m_mve"] == ["mps3-an547"]


@pytest.mark.parametrize(("winograd", "function"), [("off", "wvv_mve_conv2d"), ("f4", "wvv_mve_winograd")])
def test_microkernels_travel_with_the_generated_files(winograd, function):
    path = packaged("digits")
    assert path is not None
    files = emit(lower(load(path), Options(winograd=winograd), "cortex_m_mve")).files
    assert f"{function}(" in files["digits_kernels.c"] and f"{function}.c" in files


@pytest.mark.parametrize(("scale", "there"), [(1.0, True), (2000.0, False)])
def test_a_shift_to_the_left_has_no_vector_kernel(scale, there):
    one = site(4, 5, 3, 2, scale)
    assert (direct_mve.direct_kernel(one.op, [one.x_shape], [one.weights]) is not None) == there


def test_weights_lie_in_the_order_of_the_product():
    u = np.arange(2 * 5 * 11, dtype=np.int16).reshape(2, 5, 11)
    words = pack_weights(u)
    assert words.shape == (2, 2, 2, TOGETHER, LANES // 2)
    halves = words.astype("<i4").view("<i2")
    assert halves[1, 1, 1, 0, 2] == u[1, 4, 10]
    assert halves[0, 1, 0, 3, 7] == u[1, 3, 7]
    assert not halves[1, :, :, 1:].any() and not halves[:, :, 1, :, 3:].any()
