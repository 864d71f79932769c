"""What lowering for x86 makes of layers, CPU by CPU, and how `auto` decides there."""

from __future__ import annotations

import numpy as np
import pytest
from tvm import relax

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.frontends.tflite import load
from tvm_wvv.kernels.x86_vectors import AVX2, AVX512, AVX512_VNNI, AVX_VNNI, SSE2, Vectors
from tvm_wvv.models import packaged
from tvm_wvv.passes.choose import Choice, Refusal, choose
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower
from tvm_wvv.passes.spec import Mode
from tvm_wvv.quant.fixed_point import to_float32
from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.schedules import x86


@pytest.fixture(scope="module")
def digits() -> QuantModel:
    path = packaged("digits")
    assert path is not None
    return load(path)


def kernels_of(model: QuantModel, options: Options, layer: str) -> list[str]:
    """Names of the kernels that compute one layer."""
    module = lower(model, options, "x86").module
    layers = {str(variable): str(name) for variable, name in module["main"].attrs["layers"].items()}
    found = [binding for block in module["main"].body.blocks for binding in block.bindings]
    calls = [one.value for one in found if layers.get(one.var.name) == layer and isinstance(one.value, relax.Call)]
    return [str(module[call.args[0]].attrs["wvv.kernel"]) for call in calls]


@pytest.mark.parametrize("cpu", ["x86-64", "haswell", "cascadelake"])
def test_an_exact_winograd_layer_is_one_kernel(digits: QuantModel, cpu: str):
    assert kernels_of(digits, Options(winograd="f2", mcpu=cpu), "block1/conv1") == ["winograd_f2_conv2d"]
    assert kernels_of(digits, Options(winograd="off", mcpu=cpu), "block1/conv1") == ["conv2d"]


def test_what_rounds_in_between_stays_in_stages(digits: QuantModel):
    assert len(kernels_of(digits, Options(winograd="f4c:int8", mcpu="haswell"), "block1/conv1")) == 6


@pytest.mark.parametrize(
    ("cpu", "vectors"),
    [
        ("", None),
        ("x86-64", SSE2),
        ("haswell", AVX2),
        ("alderlake", AVX_VNNI),
        ("skylake-avx512", AVX512),
        ("znver4", AVX512_VNNI),
    ],
)
def test_vectors_follow_from_the_cpu(digits: QuantModel, cpu: str, vectors: Vectors | None):
    assert x86.vectors_of(x86.resolve(cpu)) == vectors
    assert str(lower(digits, Options(mcpu=cpu), "x86").module["main"].attrs["mcpu"]) == cpu


def test_unknown_cpus_are_refused_with_a_near_one():
    with pytest.raises(WvvError, match="--mcpu haswel: LLVM knows no such x86 CPU; did you mean 'haswell'"):
        x86.resolve("haswel")


def test_this_host_is_one_that_llvm_knows():
    assert x86.resolve(x86.resolve("native")) == x86.resolve("native")


def site(side: int, inputs: int, outputs: int) -> ConvSite:
    affine = Affine(to_float32(0.02), 3)
    op = Conv2d(affine, affine, (to_float32(0.001),), Window(padding=(1, 1, 1, 1)))
    weights = np.random.default_rng(side).integers(-40, 41, (outputs, 3, 3, inputs)).astype(np.int8)
    return ConvSite(op, (1, side, side, inputs), weights)


# Measured: with bytes' dot products the transforms of few channels cost more than the products save, and U of many
# channels on a small image does not come out of memory fast enough in a network. Pairs of int16 are so slow that it
# pays all the same.
@pytest.mark.parametrize(
    ("shape", "vectors", "pays"),
    [
        ((32, 16, 16), "avx512vnni", False),
        ((8, 64, 64), "avx512vnni", True),
        ((28, 128, 128), "avx512vnni", True),
        ((14, 256, 256), "avx512vnni", False),
        ((7, 512, 512), "avx512vnni", False),
        ((32, 16, 16), "avx2", True),
        ((8, 64, 64), "avx2", True),
    ],
)
def test_auto_follows_the_measured_order(shape: tuple[int, int, int], vectors: str, pays: bool):
    assert isinstance(choose(site(*shape), Mode.AUTO, target=vectors), Choice) == pays


def test_refusals_count_cycles_and_name_channels_without_a_kernel():
    refused = choose(site(32, 16, 16), Mode.AUTO, target="avx512vnni")
    assert isinstance(refused, Refusal)
    assert "cycles by f4:exact" in refused.reason
    odd = choose(site(8, 20, 64), Mode.AUTO, target="avx512vnni")
    assert isinstance(odd, Refusal)
    assert odd.reason.endswith("has no kernel for 20 input and 64 output channels here")
