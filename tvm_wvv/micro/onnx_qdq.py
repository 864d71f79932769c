"""The integer graph of a network as a QDQ ONNX model, so that onnxruntime can be measured on the same weights.

Images become NCHW and activations uint8 (int8 plus 128), which is what onnxruntime's x86 kernels are fastest on. Bytes
of the result differ in places: its kernels round once, in floating point. Needs the package onnx.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tvm import IRModule, relax

from tvm_wvv.errors import WvvError
from tvm_wvv.passes import integer_ops
from tvm_wvv.quant import operators as ops

INPUT = "x"
_OPSET, _IR_VERSION = 19, 9


def to_onnx(integer: IRModule, x_shape: Sequence[int]) -> tuple[bytes, str]:
    """The model's bytes and the name of its output; `integer` is the module after `FuseQdq`, of one NHWC input."""
    import onnx
    from onnx import TensorProto, helper

    writer = _Writer(onnx)
    main = integer["main"]
    names = {main.params[0].name: INPUT}
    last = INPUT
    for binding in (one for block in main.body.blocks for one in block.bindings):
        if integer_ops.is_integer_op(binding.value):
            data, constants = integer_ops.split_args(binding.value)
            arrays = [constant.value.numpy() for constant in constants]
            last = writer.write(integer_ops.read(binding.value), [names[one.name] for one in data], arrays)
            names[binding.var.name] = last
        elif isinstance(binding.value, relax.Var):
            names[binding.var.name] = names[binding.value.name]
    n, h, w, c = x_shape
    ports = [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, [n, c, h, w])]
    results = [helper.make_tensor_value_info(last, TensorProto.UINT8, None)]
    graph = helper.make_graph(writer.nodes, "network", ports, results, writer.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR_VERSION
    return model.SerializeToString(), last


@dataclass
class _Writer:
    """Nodes and constants so far, and each tensor's quantization."""

    onnx: Any
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    affines: dict[str, ops.Affine] = field(default_factory=dict)

    def write(self, op: Any, inputs: Sequence[str], arrays: Sequence[np.ndarray]) -> str:
        """The nodes of one operator; its output's name."""
        writers: dict[Any, Callable[..., str]] = {
            ops.Conv2d: self._conv,
            ops.DepthwiseConv2d: self._depthwise,
            ops.FullyConnected: self._dense,
            ops.Add: self._add,
            ops.AveragePool: self._average,
            ops.MaxPool: self._greatest,
            ops.Reshape: self._flatten,
            ops.Softmax: self._softmax,
        }
        if type(op) not in writers:
            raise WvvError(f"{op.op} is not written as ONNX; measure a network of {', '.join(o.op for o in writers)}")
        return writers[type(op)](op, inputs, arrays)

    def _conv(self, op: ops.Conv2d, inputs: Sequence[str], arrays: Sequence[np.ndarray]) -> str:
        return self._convolution(op, inputs[0], arrays[0].transpose(0, 3, 1, 2), arrays[1:], 1)

    def _depthwise(self, op: ops.DepthwiseConv2d, inputs: Sequence[str], arrays: Sequence[np.ndarray]) -> str:
        filters = arrays[0].transpose(3, 0, 1, 2)
        return self._convolution(op, inputs[0], filters, arrays[1:], len(filters) // op.multiplier)

    def _convolution(
        self,
        op: ops.Conv2d | ops.DepthwiseConv2d,
        source: str,
        filters: np.ndarray,
        bias: Sequence[np.ndarray],
        groups: int,
    ) -> str:
        """`filters` are (outputs, inputs of a group, h, w)."""
        top, left, bottom, right = op.window.padding
        operands = [self._real(source, op.input), *self._parameters(op, np.ascontiguousarray(filters), bias)]
        shape = {"strides": list(op.window.strides), "pads": [top, left, bottom, right], "group": groups}
        return self._quantized(self._node("Conv", operands, **shape), op.output, op.clamp)

    def _dense(self, op: ops.FullyConnected, inputs: Sequence[str], arrays: Sequence[np.ndarray]) -> str:
        flat = self._node("Flatten", inputs, axis=1)
        operands = [self._real(flat, op.input), *self._parameters(op, arrays[0], arrays[1:])]
        return self._quantized(self._node("Gemm", operands, transB=1), op.output, op.clamp)

    def _add(self, op: ops.Add, inputs: Sequence[str], _: Sequence[np.ndarray]) -> str:
        pair = [self._real(one, side) for one, side in zip(inputs, (op.lhs, op.rhs), strict=True)]
        return self._quantized(self._node("Add", pair), op.output, op.clamp)

    def _average(self, op: ops.AveragePool, inputs: Sequence[str], _: Sequence[np.ndarray]) -> str:
        affine = self.affines[inputs[0]]
        shape = {"kernel_shape": list(op.size), "strides": list(op.window.strides)}
        return self._quantized(self._node("AveragePool", [self._real(inputs[0], affine)], **shape), affine, op.clamp)

    def _greatest(self, op: ops.MaxPool, inputs: Sequence[str], _: Sequence[np.ndarray]) -> str:
        top, left, bottom, right = op.window.padding
        shape = {"kernel_shape": list(op.size), "strides": list(op.window.strides), "pads": [top, left, bottom, right]}
        return self._same(inputs[0], self._node("MaxPool", inputs, **shape))

    def _flatten(self, _op: ops.Reshape, inputs: Sequence[str], _: Sequence[np.ndarray]) -> str:
        return self._same(inputs[0], self._node("Flatten", inputs, axis=1))

    def _softmax(self, op: ops.Softmax, inputs: Sequence[str], _: Sequence[np.ndarray]) -> str:
        real = self._node("Softmax", [self._real(inputs[0], op.input)], axis=1)
        return self._quantized(real, op.output, ops.INT8_RANGE)

    def _same(self, source: str, name: str) -> str:
        self.affines[name] = self.affines[source]
        return name

    def _parameters(
        self, op: ops.Conv2d | ops.DepthwiseConv2d | ops.FullyConnected, weights: np.ndarray, bias: Sequence[np.ndarray]
    ) -> list[str]:
        scales = np.broadcast_to(np.array(op.weight_scales, np.float32), len(weights)).copy()
        start = bias[0] if bias else np.zeros(len(weights), np.int32)
        pairs = ((weights, scales), (start, (np.float32(op.input.scale) * scales).astype(np.float32)))
        return [
            self._node(
                "DequantizeLinear", [*map(self._constant, (array, step, np.zeros_like(start, array.dtype)))], axis=0
            )
            for array, step in pairs
        ]

    def _real(self, name: str, affine: ops.Affine) -> str:
        return self._node("DequantizeLinear", [name, *self._steps(affine)])

    def _quantized(self, real: str, affine: ops.Affine, clamp: ops.Pair) -> str:
        # A clamp at the zero point is a ReLU; where nothing lies below that, quantization itself is one.
        if clamp[0] == affine.zero_point:
            real = self._node("Relu", [real])
        name = self._node("QuantizeLinear", [real, *self._steps(affine)])
        self.affines[name] = affine
        return name

    def _steps(self, affine: ops.Affine) -> list[str]:
        return [self._constant(np.float32(affine.scale)), self._constant(np.uint8(affine.zero_point + 128))]

    def _constant(self, array: Any) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(array), name))
        return name

    def _node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name
