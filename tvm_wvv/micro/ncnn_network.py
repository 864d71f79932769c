"""The integer graph of a network as ncnn's two files, so that ncnn can be measured on the same weights and shapes.

Convolutions and dense layers are int8 with ncnn's own symmetric scales: one for each input, one for each output channel
of the weights. As `ncnn2int8` does it, a convolution whose output goes to convolutions alone writes int8; additions,
pools and softmax are in float32, which is all that ncnn has for them. Input and output are float32, of one image.
So bytes differ: ncnn has 127 steps for what is not negative where TFLite has 255, and it keeps what TFLite clips.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tvm import IRModule, relax

from tvm_wvv.errors import WvvError
from tvm_wvv.passes import integer_ops
from tvm_wvv.quant import operators as ops

INPUT = "x"
_MAGIC = 7767517
# Marks of weights in the binary file: int8, and float32 as it is (modelbin.cpp). Vectors bear none.
_INT8_TAG = np.uint32(0x000D4B38)
_GREATEST = 127
# int8_scale_term: a scale for each output channel or group of the weights, one of the input; and one of the output.
_INT8, _INT8_GROUPS, _TO_INT8 = 2, 1, 100
_CONVOLUTIONS = (ops.Conv2d, ops.DepthwiseConv2d)


@dataclass(frozen=True)
class NcnnNetwork:
    """Text of the .param file, bytes of the .bin file, and the name of the output blob."""

    param: str
    binary: bytes
    output: str


@dataclass(frozen=True)
class _Step:
    """One operator, what it reads and what it makes, by names of blobs; `shape` is its first input's."""

    op: Any
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    arrays: tuple[np.ndarray, ...]
    output: str


def to_ncnn(integer: IRModule, x_shape: Sequence[int]) -> NcnnNetwork:
    """`integer` is the module after `FuseQdq`, of one NHWC input of one image."""
    steps = _steps(integer)
    readers: dict[str, list[Any]] = {}
    for step in steps:
        for name in step.inputs:
            readers.setdefault(name, []).append(step.op)
    _, height, width, channels = x_shape
    writer = _Writer(readers)
    writer.layer("Input", (), INPUT, {0: width, 1: height, 2: channels})
    for step in steps:
        writer.write(step)
    lines = [str(_MAGIC), f"{len(writer.lines)} {writer.blobs}", *writer.lines]
    return NcnnNetwork("\n".join(lines) + "\n", b"".join(writer.weights), steps[-1].output)


def _steps(integer: IRModule) -> tuple[_Step, ...]:
    """The operators in order; a reshape to a vector disappears, for ncnn's pool over the whole image gives one."""
    main = integer["main"]
    names = {main.params[0].name: INPUT}
    steps: list[_Step] = []
    for binding in (one for block in main.body.blocks for one in block.bindings):
        if isinstance(binding.value, relax.Var):
            names[binding.var.name] = names[binding.value.name]
        elif integer_ops.is_integer_op(binding.value):
            data, constants = integer_ops.split_args(binding.value)
            inputs, op = tuple(names[one.name] for one in data), integer_ops.read(binding.value)
            shape = integer_ops.shape_of(data[0])
            if isinstance(op, ops.Reshape) and math.prod(shape) == shape[-1] == op.shape[-1]:
                names[binding.var.name] = inputs[0]
                continue
            arrays = tuple(constant.value.numpy() for constant in constants)
            names[binding.var.name] = f"blob{len(steps)}"
            steps.append(_Step(op, inputs, shape, arrays, names[binding.var.name]))
    return tuple(steps)


@dataclass
class _Writer:
    """Lines and weights so far; of each blob who reads it, and the names of its copies that are left."""

    readers: Mapping[str, Sequence[Any]]
    lines: list[str] = field(default_factory=list)
    weights: list[bytes] = field(default_factory=list)
    blobs: int = 0
    copies: dict[str, Iterator[str]] = field(default_factory=dict)

    def write(self, step: _Step) -> None:
        """The layers of one operator."""
        writers: dict[Any, Callable[[_Step], None]] = {
            ops.Conv2d: self._conv,
            ops.DepthwiseConv2d: self._depthwise,
            ops.FullyConnected: self._dense,
            ops.Add: self._add,
            ops.AveragePool: self._average,
            ops.MaxPool: self._greatest,
            ops.Softmax: self._softmax,
        }
        if type(step.op) not in writers:
            raise WvvError(
                f"{step.op.op} is not written for ncnn; measure a network of {', '.join(o.op for o in writers)}"
            )
        writers[type(step.op)](step)

    def layer(self, kind: str, inputs: Sequence[str], output: str, values: Mapping[int, object]) -> None:
        """One layer; a blob that several layers read goes through a Split first, as ncnn wants it."""
        sources = [next(self.copies[name]) if name in self.copies else name for name in inputs]
        self._line(kind, sources, [output], values)
        count = len(self.readers.get(output, ()))
        if count > 1:
            copies = [f"{output}_{number}" for number in range(count)]
            self._line("Split", [output], copies, {})
            self.copies[output] = iter(copies)

    def _line(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], values: Mapping[int, object]) -> None:
        settings = [f"{key}={value}" for key, value in values.items()]
        name, counts = f"{kind}{len(self.lines)}", [str(len(inputs)), str(len(outputs))]
        self.lines.append(" ".join([kind, name, *counts, *inputs, *outputs, *settings]))
        self.blobs += len(outputs)

    def _conv(self, step: _Step) -> None:
        self._convolution("Convolution", step, step.arrays[0].transpose(0, 3, 1, 2), _INT8, {})

    def _depthwise(self, step: _Step) -> None:
        if step.op.multiplier != 1:
            raise WvvError(f"ncnn has one weight scale for {step.op.multiplier} channels of a depthwise convolution")
        filters = step.arrays[0].transpose(3, 0, 1, 2)
        self._convolution("ConvolutionDepthWise", step, filters, _INT8_GROUPS, {7: len(filters)})

    def _convolution(self, kind: str, step: _Step, filters: np.ndarray, term: int, more: Mapping[int, int]) -> None:
        """`filters` are (outputs, inputs, h, w)."""
        op, readers = step.op, self.readers.get(step.output, ())
        outputs, _, kernel_h, kernel_w = filters.shape
        top, left, bottom, right = op.window.padding
        narrow = bool(readers) and all(isinstance(one, _CONVOLUTIONS) for one in readers)
        values = {
            0: outputs, 1: kernel_w, 11: kernel_h, 3: op.window.strides[1], 13: op.window.strides[0],
            4: left, 15: right, 14: top, 16: bottom, 5: 1, 6: filters.size, 8: term + _TO_INT8 * narrow,
            9: int(_is_relu(op)),
        }  # fmt: skip
        self.layer(kind, step.inputs, step.output, {**values, **more})
        self._parameters(op, filters, step.arrays[1:])
        if narrow:
            self.weights.append(_vector([_steps_of(op.output)]))

    def _dense(self, step: _Step) -> None:
        matrix = step.arrays[0]
        values = {0: len(matrix), 1: 1, 2: matrix.size, 8: _INT8, 9: int(_is_relu(step.op))}
        self.layer("InnerProduct", step.inputs, step.output, values)
        self._parameters(step.op, matrix, step.arrays[1:])

    def _parameters(self, op: Any, weights: np.ndarray, bias: Sequence[np.ndarray]) -> None:
        """Weights, bias, scales: numbers by which ncnn multiplies a real one to have its code."""
        octets = np.ascontiguousarray(weights).tobytes()
        self.weights += [_INT8_TAG.tobytes(), octets, b"\0" * (-len(octets) % 4)]
        scales = np.broadcast_to(np.array(op.weight_scales, np.float64), len(weights))
        real = (bias[0] if bias else 0) * scales * op.input.scale
        self.weights += [_vector(real), _vector(1 / scales), _vector([_steps_of(op.input)])]

    def _add(self, step: _Step) -> None:
        if not _is_relu(step.op):
            self.layer("BinaryOp", step.inputs, step.output, {0: 0})
            return
        total = f"{step.output}_sum"
        self.layer("BinaryOp", step.inputs, total, {0: 0})
        self.layer("ReLU", [total], step.output, {})

    def _average(self, step: _Step) -> None:
        self._pool(step, 1, {4: int(step.op.size == step.shape[1:3])})

    def _greatest(self, step: _Step) -> None:
        self._pool(step, 0, {})

    def _pool(self, step: _Step, kind: int, more: Mapping[int, int]) -> None:
        (kernel_h, kernel_w), window = step.op.size, step.op.window
        top, left, bottom, right = window.padding
        values = {
            0: kind, 1: kernel_w, 11: kernel_h, 2: window.strides[1], 12: window.strides[0],
            3: left, 14: right, 13: top, 15: bottom, 5: 1 if not any(window.padding) else 0,
        }  # fmt: skip
        self.layer("Pooling", step.inputs, step.output, {**values, **more})

    def _softmax(self, step: _Step) -> None:
        self.layer("Softmax", step.inputs, step.output, {0: 0, 1: 1})


def _is_relu(op: Any) -> bool:
    """Whether codes below zero's are clipped, by a clamp or because there are none."""
    return bool(max(op.clamp[0], ops.INT8_RANGE[0]) >= op.output.zero_point)


def _steps_of(affine: ops.Affine) -> float:
    """ncnn's codes for one unit of a real number, such that the range of TFLite's codes fits."""
    farthest = max(_GREATEST - affine.zero_point, affine.zero_point - ops.INT8_RANGE[0])
    return _GREATEST / (affine.scale * farthest)


def _vector(values: Any) -> bytes:
    return np.asarray(values, "<f4").tobytes()
