"""Which layers get microkernels, and what `auto` takes where it can count on them."""

from __future__ import annotations

import numpy as np
import pytest

from tvm_wvv.frontends.tflite import load
from tvm_wvv.micro.board import board_names, load_board
from tvm_wvv.micro.emit_c import emit
from tvm_wvv.models import packaged
from tvm_wvv.passes.choose import Choice, choose
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.passes.estimate_dsp import direct_instructions, winograd_instructions
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower
from tvm_wvv.passes.spec import Mode
from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.transforms.catalog import ARITHMETICS, F2, F2X1, F4, F4C, F4X1, F6C

# Counted on QEMU's Cortex-M4: direct, f2, f4, f4c, f2x1, f4x1 in thousands.
COUNTED = {
    (8, 8, 64, 64): (1599, 888, 508, 668, 1239, 989),
    (16, 16, 32, 32): (1695, 1123, 644, 866, 1462, 1208),
    (32, 32, 16, 16): (1920, 1615, 909, 1256, 1825, 1576),
    (6, 6, 32, 32): (245, 170, 173, 220, 211, 236),
    (7, 7, 40, 24): (320, 272, 167, 209, 310, 269),
    (24, 24, 32, 32): (3788, 2520, 1439, 1940, 3268, 2694),
    (8, 8, 128, 128): (6189, 3199, 1817, 2361, 4489, 3487),
    (32, 32, 3, 16): (590, 843, 483, 725, 829, 693),
    (32, 32, 1, 8): (335, 506, 273, 401, 492, 421),
    (1, 1, 16, 16): (4.1, 9.4, 20.9, 26.8, 5.9, 9.5),
    (16, 16, 16, 1): (143, 157, 88, 104, 160, 170),
}
ALGORITHMS = (F2, F4, F4C, F2X1, F4X1)


def site(height: int, width: int, inputs: int, outputs: int) -> ConvSite:
    op = Conv2d(Affine(1.0, -128), Affine(900.0, 0), (1.0,), Window(padding=(1, 1, 1, 1)))
    weights = np.random.default_rng(1).integers(-127, 128, (outputs, 3, 3, inputs), dtype=np.int8)
    return ConvSite(op, (1, height, width, inputs), weights, np.zeros(outputs, np.int32))


@pytest.mark.parametrize("shape", [shape for shape in COUNTED if min(shape) > 3], ids=str)
def test_estimates_are_near_the_counts(shape):
    direct, *counts = COUNTED[shape]
    assert direct_instructions(site(*shape)) / 1000 == pytest.approx(direct, rel=0.15)
    for algorithm, count in zip(ALGORITHMS, counts, strict=True):
        assert winograd_instructions(site(*shape), algorithm) / 1000 == pytest.approx(count, rel=0.15), algorithm


@pytest.mark.parametrize("shape", COUNTED, ids=str)
def test_auto_costs_at_most_a_seventh_more_than_the_best(shape):
    decision = choose(site(*shape), Mode.AUTO, target="cortex_m_dsp")
    direct, *counts = COUNTED[shape]
    counted = {
        one.name: count for one, count in zip(ALGORITHMS, counts, strict=True) if "exact" in ARITHMETICS[one.name]
    }
    taken = counted[decision.variant.algorithm.name] if isinstance(decision, Choice) else direct
    assert taken <= min(direct, *counted.values()) * 8 / 7


def test_an_algorithm_without_microkernels_is_estimated_as_tensor_ir():
    assert winograd_instructions(site(8, 8, 64, 64), F6C) > 2 * winograd_instructions(site(8, 8, 64, 64), F4C)


def digits(winograd: str, target: str) -> Lowered:
    path = packaged("digits")
    assert path is not None
    return lower(load(path), Options(winograd=winograd), target)  # type: ignore[arg-type]


def test_microkernels_travel_with_the_generated_files():
    files = emit(digits("f2", "cortex_m_dsp")).files
    assert {"wvv_simd.h", "wvv_winograd.h", "wvv_winograd_f2.c"} <= set(files)
    assert "wvv_f2_input(" in files["digits_kernels.c"]


@pytest.mark.parametrize("algorithm", ["f2", "f4", "f4c"])
def test_layers_in_8_bits_get_microkernels(algorithm):
    text = emit(digits(f"{algorithm}:int8", "cortex_m_dsp")).files["digits_kernels.c"]
    assert f"wvv_{algorithm}_output8" in text
    assert "wvv_round8(" in text


@pytest.mark.parametrize("spec", ["f2x1:int8", "f4h:int8", "f6c"])
def test_what_has_no_microkernels_is_tensor_ir(spec):
    assert "wvv_winograd.h" not in emit(digits(spec, "cortex_m_dsp")).files


@pytest.mark.parametrize("target", ["cortex_m", "x86"])
def test_other_targets_have_none(target):
    lowered = digits("f2", target)
    assert not [func for func in lowered.module.functions.values() if "wvv.headers" in (func.attrs or {})]


def test_boards_with_dsp_get_microkernels():
    targets = {name: load_board(name).target for name in board_names()}
    assert targets["mps2-an385"] == "cortex_m"
    assert {targets[name] for name in ("mps2-an386", "mps2-an500", "mps2-an505")} == {"cortex_m_dsp"}
