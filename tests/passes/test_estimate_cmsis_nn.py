"""Beside CMSIS-NN's direct kernels `auto` holds Winograd against their cost, not against ours."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tvm_wvv.passes.choose import Choice, Refusal, choose
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.passes.estimate_cmsis_nn import direct_instructions
from tvm_wvv.passes.spec import Mode
from tvm_wvv.quant.operators import Affine, Conv2d, Window

# CMSIS-NN 7 on QEMU, -Ofast, only functions of the library and memory functions: instructions a multiply-accumulate.
COUNTED = {
    (32, 32, 3, 16): {"cortex_m": 5.50, "cortex_m_dsp": 4.88, "cortex_m_mve": 1.41},
    (32, 32, 16, 16): {"cortex_m": 3.35, "cortex_m_dsp": 2.34, "cortex_m_mve": 0.40},
    (16, 16, 32, 32): {"cortex_m": 2.88, "cortex_m_dsp": 1.94, "cortex_m_mve": 0.264},
    (8, 8, 64, 64): {"cortex_m": 2.69, "cortex_m_dsp": 1.78, "cortex_m_mve": 0.220},
}


def site(height: int, width: int, inputs: int, outputs: int) -> ConvSite:
    op = Conv2d(Affine(1.0, -128), Affine(900.0, 0), (1.0,), Window(padding=(1, 1, 1, 1)))
    weights = np.random.default_rng(1).integers(-127, 128, (outputs, 3, 3, inputs), dtype=np.int8)
    return ConvSite(op, (1, height, width, inputs), weights, np.zeros(outputs, np.int32))


@pytest.mark.parametrize("target", ["cortex_m", "cortex_m_dsp", "cortex_m_mve"])
@pytest.mark.parametrize("shape", COUNTED, ids=str)
def test_estimates_are_near_the_counts(shape, target):
    near, macs = 0.08 if target == "cortex_m_mve" else 0.02, 9 * math.prod(shape)
    assert direct_instructions(site(*shape), target) / macs == pytest.approx(COUNTED[shape][target], rel=near)


def test_a_layer_that_stays_direct_beside_ours_may_pay_beside_the_library():
    few = site(16, 16, 1, 16)
    assert isinstance(choose(few, Mode.AUTO, target="cortex_m_dsp"), Refusal)
    assert isinstance(choose(few, Mode.AUTO, target="cortex_m_dsp", direct="cmsis-nn"), Choice)


def test_where_winograd_pays_beside_neither_the_librarys_cost_is_given():
    single = site(1, 1, 4, 4)
    refused = choose(single, Mode.AUTO, target="cortex_m_dsp", direct="cmsis-nn")
    assert isinstance(refused, Refusal)
    assert f"{direct_instructions(single, 'cortex_m_dsp'):,.0f} direct" in refused.reason


def test_on_this_host_there_is_no_library():
    assert choose(site(8, 8, 16, 16), Mode.AUTO, target="x86", direct="cmsis-nn") == choose(
        site(8, 8, 16, 16), Mode.AUTO, target="x86"
    )
