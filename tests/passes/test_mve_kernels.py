"""Which layers get microkernels of vectors, and what `auto` takes where it can count on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tvm_wvv.frontends.tflite import load
from tvm_wvv.kernels import direct_mve
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
from tvm_wvv.transforms.catalog import F2, F4, F4C, F4X1, F6C

ALGORITHMS = (F2, F4, F4C)
# Counted on QEMU's Cortex-M55, in thousands: direct, then the three algorithms where the weights fit the board. Only
# the first four shapes were among those that the estimates were fitted to.
COUNTED: dict[tuple[int, int, int, int], tuple[float, ...]] = {
    (8, 8, 64, 64): (295.9, 348.1, 189.7, 241.5),
    (16, 16, 32, 32): (339.8, 464.6, 249.7, 317.5),
    (32, 32, 16, 16): (458.7, 707.2, 367.8, 467.6),
    (32, 32, 3, 16): (238.8, 516.5, 260.3, 330.2),
    (5, 7, 40, 4): (14.1, 29.6, 19.4, 23.5),
    (6, 7, 64, 4): (22.3, 45.2, 29.7, 35.8),
    (7, 4, 4, 8): (6.8, 9.7, 5.3, 6.2),
    (10, 25, 48, 4): (100.7, 181.9, 119.1, 145.4),
    (14, 32, 17, 24): (302.1, 544.3, 330.7, 415.9),
    (16, 5, 48, 128): (554.5, 787.7, 584.9),
    (16, 32, 4, 64): (379.0, 848.7, 443.2, 572.7),
    (28, 16, 8, 128): (820.7, 1423.4, 750.9, 974.4),
    (40, 8, 17, 4): (77.7, 135.6, 69.0, 83.5),
}


def site(height: int, width: int, inputs: int, outputs: int, scale: float = 1.0) -> ConvSite:
    op = Conv2d(Affine(1.0, -128), Affine(900.0, 0), (scale,), Window(padding=(1, 1, 1, 1)))
    weights = np.random.default_rng(1).integers(-127, 128, (outputs, 3, 3, inputs), dtype=np.int8)
    return ConvSite(op, (1, height, width, inputs), weights, np.zeros(outputs, np.int32))


@pytest.mark.parametrize("shape", COUNTED, ids=str)
def test_estimates_are_near_the_counts(shape):
    direct, *winograd = COUNTED[shape]
    assert direct_instructions(site(*shape)) / 1000 == pytest.approx(direct, rel=0.05)
    for algorithm, counted in zip(ALGORITHMS, winograd, strict=False):
        made = winograd_instructions(site(*shape), algorithm) / 1000
        assert made == pytest.approx(counted, rel=0.07), algorithm


@pytest.mark.parametrize("algorithm", [F6C, F4X1], ids=str)
def test_algorithms_without_vector_kernels_are_dearer(algorithm):
    assert winograd_instructions(site(8, 8, 64, 64), algorithm) > 2 * winograd_instructions(site(8, 8, 64, 64), F4)


def test_an_activation_that_clips_costs_more():
    plain = site(8, 8, 64, 64)
    clipped = replace(plain, op=replace(plain.op, clamp=(-128, 100)))
    assert winograd_instructions(clipped, F4) > 1.1 * winograd_instructions(plain, F4)


@pytest.mark.parametrize("shape", COUNTED, ids=str)
def test_auto_takes_what_counts_least_or_nearly(shape):
    decision, counted = choose(site(*shape), Mode.AUTO, target="cortex_m_mve"), COUNTED[shape]
    assert isinstance(decision, Choice | Refusal)
    taken = counted[0]
    if isinstance(decision, Choice):
        taken = counted[1 + ALGORITHMS.index(decision.variant.algorithm)]
    assert taken <= 1.05 * min(counted)


def test_a_refusal_names_both_counts():
    decision = choose(site(32, 32, 3, 16), Mode.AUTO, target="cortex_m_mve")
    assert isinstance(decision, Refusal)
    assert "instructions by f4:exact" in decision.reason and decision.reason.endswith("direct")


def test_boards_with_mve_get_microkernels_of_vectors():
    targets = {name: load_board(name).target for name in board_names()}
    assert [name for name, target in targets.items() if target == "cortex_m_mve"] == ["mps3-an547"]


@pytest.mark.parametrize(("winograd", "function"), [
    ("off", "wvv_mve_conv2d"), ("f2", "wvv_mve_winograd_f2"), ("f4", "wvv_mve_winograd_f4"),
    ("f4c", "wvv_mve_winograd_f4c"), ("f2:int8", "wvv_mve_winograd_f2_int8"),
    ("f4:int8", "wvv_mve_winograd_f4_int8"), ("f4c:int8", "wvv_mve_winograd_f4c_int8"),
])  # fmt: skip
def test_microkernels_travel_with_the_generated_files(winograd, function):
    path = packaged("digits")
    assert path is not None
    files = emit(lower(load(path), Options(winograd=winograd), "cortex_m_mve")).files
    assert f"{function}(" in files["digits_kernels.c"]
    assert any(f"{function}" in text for name, text in files.items() if name.startswith("wvv_mve_") and ".c" in name)


@pytest.mark.parametrize("winograd", ["f4c:int16", "f6c:int8", "f4x1:int8"])
def test_what_has_no_vector_kernel_is_left_to_tensor_ir(winograd):
    path = packaged("digits")
    assert path is not None
    files = emit(lower(load(path), Options(winograd=winograd), "cortex_m_mve")).files
    assert "wvv_mve_winograd_" not in files["digits_kernels.c"].replace("wvv_mve_winograd_f4c(", "")


@pytest.mark.parametrize(("scale", "there"), [(1.0, True), (2000.0, False)])
def test_a_shift_to_the_left_has_no_vector_kernel(scale, there):
    one = site(4, 5, 3, 2, scale)
    assert (direct_mve.direct_kernel(one.op, [one.x_shape], [one.weights]) is not None) == there
