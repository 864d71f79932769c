"""Lowering: what the module of kernel calls looks like, and what the reports of its layers say."""

from __future__ import annotations

import pytest
from tvm import relax, tirx

from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.frontends.tflite import load
from tvm_wvv.models import packaged
from tvm_wvv.passes.options import Options, Target
from tvm_wvv.passes.pipeline import explain, lower


@pytest.fixture(scope="module")
def digits() -> QuantModel:
    path = packaged("digits")
    assert path is not None
    return load(path)


def bindings(model: QuantModel, target: Target, options: Options) -> tuple[list[relax.Binding], dict[str, str]]:
    module = lower(model, options, target).module
    layers = {str(variable): str(layer) for variable, layer in module["main"].attrs["layers"].items()}
    return [binding for block in module["main"].body.blocks for binding in block.bindings], layers


@pytest.mark.parametrize(("target", "kernels"), [("x86", 4), ("cortex_m", 1)])
def test_stages_are_kernels_of_their_own_on_x86_and_one_on_cortex_m(digits: QuantModel, target: Target, kernels: int):
    found, layers = bindings(digits, target, Options(winograd="f2"))
    of_layer = [binding for binding in found if layers.get(binding.var.name) == "block1/conv1"]
    assert [binding.value.op.name for binding in of_layer] == ["relax.call_tir"] * kernels


@pytest.mark.parametrize("target", ["x86", "cortex_m"])
def test_only_kernel_calls_and_reshapes_are_left(digits: QuantModel, target: Target):
    found, layers = bindings(digits, target, Options(winograd="f2"))
    values = [binding.value for binding in found if isinstance(binding.value, relax.Call)]
    assert {value.op.name for value in values} == {"relax.call_tir", "relax.reshape"}
    assert set(layers.values()) == {layer.name for layer in explain(digits, Options())}


def test_equal_kernels_are_one_function(digits: QuantModel):
    module = lower(digits, Options(winograd="off"), "cortex_m").module
    functions = [name for name, func in module.functions_items() if isinstance(func, tirx.PrimFunc)]
    # block3/conv1 and block3/conv2 differ in zero points alone; the three additions have scales of their own.
    assert len(functions) <= len(explain(digits, Options())) - 1


def test_reports_count_work_and_bytes(digits: QuantModel):
    layers = {layer.name: layer for layer in lower(digits, Options(winograd="f2"), "cortex_m").layers}
    conv = layers["block1/conv1"]
    assert (conv.op, conv.algorithm, conv.reason) == ("conv2d", "f2:exact", None)
    assert conv.macs == 16 * 16 * 16 * 16 * 9
    assert conv.multiplications == 8 * 8 * 16 * 16 * 16  # tiles, taps, channels, outputs
    assert conv.weight_bytes >= 16 * 16 * 16 * 2  # U alone, in int16
    assert layers["block2/shortcut"].reason == "kernel is (1, 1), need (3, 3)"
    assert layers["block2/conv1"].reason == "stride is (2, 2), need (1, 1)"
    assert layers["logits"].macs == 320
    assert layers["block1/add"].macs == 0


def test_whole_tiles_are_counted(digits: QuantModel):
    layers = {layer.name: layer for layer in explain(digits, Options(winograd="off"))}
    assert layers["block1/conv1"].multiplications == layers["block1/conv1"].macs
    assert layers["block1/conv1"].reason is None


def test_every_layer_makes_each_layer_an_output(digits: QuantModel):
    lowered = lower(digits, Options(winograd="f2", every_layer=True), "x86")
    assert [info.name for info in lowered.outputs] == [layer.name for layer in lowered.layers]
    assert lowered.outputs[0].shape == (1, 16, 16, 16)
    assert lowered.outputs[-1].affine is not None
