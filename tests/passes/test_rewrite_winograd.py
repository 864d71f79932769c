"""The Winograd rewrite: which stages stand in the graph, which layers stay, and what the stages compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import SingleOp, conv_models
from tvm import IRModule, relax

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.frontends.tflite import from_bytes, load
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.models import packaged
from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.fuse_qdq import FuseQdq
from tvm_wvv.passes.options import Options, Target
from tvm_wvv.passes.pipeline import decide, lower
from tvm_wvv.passes.rewrite_winograd import RewriteWinograd
from tvm_wvv.passes.stages import InputTransform, OutputTransform, TileProduct, WinogradRequantize
from tvm_wvv.quant.operators import Conv2d
from tvm_wvv.reference.golden import Golden
from tvm_wvv.transforms.catalog import ARITHMETICS

EXACT = tuple(name for name, arithmetics in ARITHMETICS.items() if "exact" in arithmetics)
STAGES = ["winograd_input_transform", "winograd_tile_product", "winograd_output_transform", "winograd_requantize"]


def digits() -> QuantModel:
    path = packaged("digits")
    assert path is not None
    return load(path)


def calls(module: IRModule) -> list[relax.Call]:
    bindings = [binding for block in module["main"].body.blocks for binding in block.bindings]
    return [binding.value for binding in bindings if isinstance(binding.value, relax.Call)]


def rewritten(model: QuantModel, options: Options) -> IRModule:
    integer = FuseQdq()(model.module)  # type: ignore[operator]
    return RewriteWinograd(decide(integer, options))(integer)  # type: ignore[operator]


def test_a_chosen_convolution_becomes_four_stages():
    module = rewritten(digits(), Options(winograd="f2"))
    of_layer = [call for call in calls(module) if integer_ops.layer_of(call) == "block1/conv1"]
    assert [integer_ops.read(call).op for call in of_layer] == STAGES
    v, m, sums, out = of_layer
    assert (integer_ops.shape_of(v), v.ty.dtype) == ((1, 8, 8, 16, 16), "int16")  # tiles, taps, channels
    assert (integer_ops.shape_of(m), m.ty.dtype) == ((1, 8, 8, 16, 16), "int32")
    assert (integer_ops.shape_of(sums), sums.ty.dtype) == ((1, 16, 16, 16), "int32")
    assert (integer_ops.shape_of(out), out.ty.dtype) == ((1, 16, 16, 16), "int8")
    assert integer_ops.read(v) == InputTransform("f2:exact", -128, (1, 1, 1, 1))
    assert integer_ops.read(m) == TileProduct("f2:exact")
    assert integer_ops.read(sums) == OutputTransform("f2:exact", (16, 16))
    assert isinstance(integer_ops.read(out), WinogradRequantize)
    assert m.args[1].value.numpy().shape == (16, 16, 16)  # U is there already, transformed offline


def test_refused_layers_stay_direct():
    module = rewritten(digits(), Options(winograd="f2"))
    direct = [integer_ops.layer_of(call) for call in calls(module) if isinstance(integer_ops.read(call), Conv2d)]
    assert direct == ["block2/conv1", "block2/shortcut"]


def test_off_changes_nothing():
    model = digits()
    names = [call.op.name for call in calls(rewritten(model, Options(winograd="off")))]
    assert names == [call.op.name for call in calls(FuseQdq()(model.module))]  # type: ignore[operator]


def test_a_layers_own_wish_goes_first():
    options = Options(winograd="f2", layers=(("block1/conv1", "off"),))
    by_name = {layer.name: layer for layer in lower(digits(), options, "cortex_m").layers}
    assert by_name["block1/conv1"].algorithm == "direct"
    assert by_name["block1/conv2"].algorithm == "f2:exact"


def test_an_unknown_layer_is_refused_with_a_suggestion():
    with pytest.raises(WvvError, match="did you mean 'block1/conv"):
        lower(digits(), Options(layers=(("block1/conv", "f2"),)), "cortex_m")


@pytest.mark.parametrize("target", ["x86", "cortex_m"])
@settings(max_examples=18, deadline=None, derandomize=True)
@given(single=conv_models(kernel=(3, 3), dense=True), name=st.sampled_from(EXACT))
def test_any_3x3_convolution_gives_the_reference_bytes(target: Target, single: SingleOp, name: str):
    lowered = lower(from_bytes(single.model, "m", "m.tflite"), Options(winograd=name), target)
    assert lowered.layers[0].algorithm == f"{name}:exact"
    inputs = single.samples(seed=3)
    golden = next(iter(Golden(single.model, num_threads=1).run(*inputs).values()))
    compiled = InProcess(lowered)
    for i in range(len(inputs[0])):
        np.testing.assert_array_equal(compiled.run(tuple(array[i] for array in inputs))[0], golden[i])
