"""From a `.tflite` file to integer operators: attributes are the file's, bytes are those of TFLite's kernels."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import require_data
from float_edges import with_float_edges
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_network import run_layers
from strategies import SingleOp, conv_models, dense_models, depthwise_models
from strategies_elementwise import EVERY_OPERATOR_WITHOUT_WEIGHTS
from tvm import IRModule, relax

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.tflite import from_bytes, load
from tvm_wvv.models import packaged
from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.fuse_qdq import FuseQdq
from tvm_wvv.quant import operators as ops
from tvm_wvv.reference.golden import Golden

MODELS = ("pretrainedResnet_quant", "kws_ref_model", "vww_96_int8", "ad01_int8", "digits")
EVERY_OPERATOR = {
    "conv2d": conv_models(),
    "depthwise_conv2d": depthwise_models(),
    "fully_connected": dense_models(),
    **EVERY_OPERATOR_WITHOUT_WEIGHTS,
}


def fused(model: bytes) -> IRModule:
    return FuseQdq()(from_bytes(model, "m", "m.tflite").module)  # type: ignore[operator]


def calls(module: IRModule) -> list[relax.Call]:
    bindings = [binding for block in module["main"].body.blocks for binding in block.bindings]
    return [binding.value for binding in bindings if isinstance(binding.value, relax.Call)]


@pytest.mark.parametrize("name", EVERY_OPERATOR)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_every_operator_keeps_attributes_and_bytes(name: str, data: st.DataObject):
    single: SingleOp = data.draw(EVERY_OPERATOR[name])
    module = fused(single.model)
    assert single.op in [expected(integer_ops.read(call), single.op) for call in calls(module)]
    inputs = single.samples(seed=7, count=3)
    names = [param.name for param in module["main"].params]
    golden = next(iter(Golden(single.model, num_threads=1).run(*inputs).values()))
    for i in range(3):
        layers = run_layers(module, {name: array[i] for name, array in zip(names, inputs, strict=True)})
        np.testing.assert_array_equal(list(layers.values())[-1], golden[i])


def expected(found: object, drawn: ops.Operator) -> object:
    """A depthwise convolution of one channel is a convolution to QDQ, whose float operator is the same."""
    if isinstance(found, ops.Conv2d) and isinstance(drawn, ops.DepthwiseConv2d):
        same = (found.input, found.output, found.weight_scales, found.window)
        return ops.DepthwiseConv2d(*same, drawn.multiplier, found.clamp)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_whole_networks_layer_by_layer(name: str):
    path = packaged(name) or require_data(f"models/{name}.tflite")
    model = load(path)
    module = FuseQdq()(model.module)  # type: ignore[operator]
    x = np.random.default_rng(11).integers(-128, 128, (2, *model.inputs[0].shape)).astype(np.int8)
    golden = Golden(path.read_bytes(), all_tensors=True).layers(x)
    for i in range(2):
        layers = run_layers(module, {model.inputs[0].name: x[i]})
        assert list(layers) == list(golden)
        for layer, value in layers.items():
            np.testing.assert_array_equal(value, golden[layer][i], err_msg=layer)


def test_the_graph_holds_integer_operators_alone():
    path = packaged("digits")
    assert path is not None
    module = FuseQdq()(load(path).module)  # type: ignore[operator]
    found = [call.op.name for call in calls(module)]
    assert found[:4] == ["wvv.conv2d", "wvv.conv2d", "wvv.conv2d", "wvv.add"]
    assert all(name.startswith("wvv.") for name in found)
    assert {str(call.ty.dtype) for call in calls(module)} == {"int8"}
    first = calls(module)[0]
    assert integer_ops.layer_of(first) == "stem/conv"
    assert integer_ops.shape_of(first.args[1]) == (16, 3, 3, 1)  # OHWI


def test_a_float_operator_without_integer_form_is_named():
    x = relax.Var("x", relax.TensorType([1, 4], "int8"))
    builder = relax.BlockBuilder()
    scale, zero = relax.const(0.5, "float32"), relax.const(0, "int32")
    with builder.function("main", [x], attrs={"layers": {}}):
        with builder.dataflow():
            real = builder.emit(relax.op.dequantize(x, scale, zero))
            wave = builder.emit(relax.op.sin(real))
            result = builder.emit_output(builder.emit(relax.op.quantize(wave, scale, zero, out_dtype="int8")))
        builder.emit_func_output(result)
    with pytest.raises(WvvError, match=r"no integer form for .*relax\.sin"):
        FuseQdq()(builder.get())  # type: ignore[operator]


def test_float_stands_at_the_rim_alone():
    path = packaged("digits")
    assert path is not None
    found = calls(fused(with_float_edges(path.read_bytes())))
    assert (found[0].op.name, found[-1].op.name) == ("wvv.quantize", "wvv.dequantize")
    assert [str(call.ty.dtype) for call in found] == ["int8"] * (len(found) - 1) + ["float32"]
    assert (integer_ops.layer_of(found[0]), integer_ops.layer_of(found[-1])) == ("image/int8", "probabilities")
    plain = calls(FuseQdq()(load(path).module))  # type: ignore[operator]
    assert [call.op.name for call in found[1:-1]] == [call.op.name for call in plain]


def test_operands_of_different_scales_are_not_concatenated():
    x = relax.Var("x", relax.TensorType([1, 4], "int8"))
    builder = relax.BlockBuilder()
    with builder.function("main", [x], attrs={"layers": {}}):
        with builder.dataflow():
            zero = relax.const(0, "int32")
            parts = [builder.emit(relax.op.dequantize(x, relax.const(s, "float32"), zero)) for s in (0.5, 0.25)]
            joined = builder.emit(relax.op.concat(parts, axis=1))
            quantized = relax.op.quantize(joined, relax.const(0.5, "float32"), zero, out_dtype="int8")
            result = builder.emit_output(builder.emit(quantized))
        builder.emit_func_output(result)
    with pytest.raises(WvvError, match="need one quantization for all"):
        FuseQdq()(builder.get())  # type: ignore[operator]
