"""The QDQ model, run by ONNX's own reference evaluator: NumPy in floating point, nothing of any runtime in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny_resnet
from conftest import require_module

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends import tflite
from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model
from tvm_wvv.micro.onnx_qdq import INPUT, to_onnx
from tvm_wvv.micro.peers import integer


def test_the_model_computes_what_the_reference_computes() -> None:
    require_module("onnx")
    import onnx
    from onnx.reference import ReferenceEvaluator

    x = tiny_resnet.images(2)
    content, name = to_onnx(integer(tiny_resnet.model()), x.shape)
    model = onnx.load_from_string(content)
    cells = (x.astype(np.int16) + 128).astype(np.uint8).transpose(0, 3, 1, 2)
    found: Any = ReferenceEvaluator(model).run([name], {INPUT: cells})
    output = np.asarray(found[0])
    assert output.dtype == np.uint8
    apart = np.abs(output.astype(np.int16) - 128 - tiny_resnet.expected(x))
    # It rounds once where the reference rounds twice, in every layer.
    assert apart.max() <= 2


def test_weights_are_int8_and_activations_uint8() -> None:
    require_module("onnx")
    import onnx

    model = onnx.load_from_string(to_onnx(integer(tiny_resnet.model()), (1, 37, 37, 3))[0])
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            assert constants[node.input[2]].dtype == np.uint8
        if node.op_type == "DequantizeLinear":
            source = constants.get(node.input[0])
            assert source is None or source.dtype in (np.int8, np.int32)
    assert sum(node.op_type == "Conv" for node in model.graph.node) == 10


def test_an_operator_that_is_not_written_is_refused() -> None:
    require_module("onnx")
    tensors = [Tensor(name, (1, 4, 3, 2), "int8", None, (0.5,), (3,)) for name in ("x", "y")]
    content = write_model(tensors, [Operator("MUL", ("x", "x"), ("y",))], ["x"], ["y"])
    with pytest.raises(WvvError, match="mul is not written as ONNX; measure a network of conv2d, "):
        to_onnx(integer(tflite.from_bytes(content, "product", "product")), (1, 4, 3, 2))
