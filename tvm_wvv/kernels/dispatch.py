"""From an operator value to its kernel: the one table of what can be generated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tvm_wvv.kernels.conv import conv2d, depthwise_conv2d
from tvm_wvv.kernels.dense import fully_connected
from tvm_wvv.kernels.elementwise import add, clip, mul, relu, requantize_tensor
from tvm_wvv.kernels.float_edges import dequantize, quantize
from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.mean import mean
from tvm_wvv.kernels.pool import average_pool, max_pool
from tvm_wvv.kernels.shape import concat, pad, reshape
from tvm_wvv.kernels.softmax import softmax
from tvm_wvv.quant import operators as ops


def kernel_of(op: ops.Operator, input_shapes: Sequence[Shape], constants: Sequence[np.ndarray] = ()) -> Kernel:
    """`input_shapes` are those of the buffers at run time, constant operands of elementwise operators among them;
    `constants` are the weights and, where there is one, the bias."""
    match op:
        case ops.Conv2d():
            return conv2d(op, input_shapes[0], *_weights_and_bias(constants))
        case ops.DepthwiseConv2d():
            return depthwise_conv2d(op, input_shapes[0], *_weights_and_bias(constants))
        case ops.FullyConnected():
            return fully_connected(op, input_shapes[0], *_weights_and_bias(constants))
        case ops.Add():
            return add(op, *input_shapes)
        case ops.Mul():
            return mul(op, *input_shapes)
        case ops.Concat():
            return concat(op, input_shapes)
        case _:
            return _of_one_input(op, input_shapes[0])


def _of_one_input(op: ops.Operator, x_shape: Shape) -> Kernel:
    match op:
        case ops.AveragePool():
            return average_pool(op, x_shape)
        case ops.MaxPool():
            return max_pool(op, x_shape)
        case ops.Mean():
            return mean(op, x_shape)
        case ops.Pad():
            return pad(op, x_shape)
        case ops.Reshape():
            return reshape(op, x_shape)
        case ops.Softmax():
            return softmax(op, x_shape)
        case ops.Requantize():
            return requantize_tensor(op, x_shape)
        case ops.Quantize():
            return quantize(op, x_shape)
        case ops.Dequantize():
            return dequantize(op, x_shape)
        case ops.Relu():
            return relu(op, x_shape)
        case ops.Clip():
            return clip(op, x_shape)
    raise TypeError(f"no kernel for {type(op).__name__}")


def _weights_and_bias(constants: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    return constants[0], constants[1] if len(constants) > 1 else None
