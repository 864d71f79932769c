"""One operator value, its tensors and its constants in; its output out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tvm_wvv.quant import operators as ops
from tvm_wvv.reference.conv import conv2d, depthwise_conv2d
from tvm_wvv.reference.dense import fully_connected
from tvm_wvv.reference.elementwise import add, clip, dequantize, mul, quantize, relu, requantize_tensor
from tvm_wvv.reference.finish import Int8Array, Int32Array
from tvm_wvv.reference.mean import mean
from tvm_wvv.reference.pool import average_pool, max_pool
from tvm_wvv.reference.shape import concat, pad, reshape
from tvm_wvv.reference.softmax import softmax

# Arrays of any kind: inputs are int8 (float32 for `Quantize`); constants are weights (int8), then a bias (int32)
# where there is one.
Arrays = Sequence[np.ndarray]


def apply(op: ops.Operator, inputs: Arrays, constants: Arrays = ()) -> np.ndarray:
    """What TFLite's reference kernel gives for `op`, byte for byte.

    A constant operand of an addition, a product or a concatenation counts among the inputs, in its own place.
    """
    match op:
        case ops.Conv2d():
            return conv2d(inputs[0], *_weights_and_bias(constants), op)
        case ops.DepthwiseConv2d():
            return depthwise_conv2d(inputs[0], *_weights_and_bias(constants), op)
        case ops.FullyConnected():
            return fully_connected(inputs[0], *_weights_and_bias(constants), op)
        case ops.Add():
            return add(inputs[0], inputs[1], op)
        case ops.Mul():
            return mul(inputs[0], inputs[1], op)
        case ops.Concat():
            return concat(inputs, op)
        case _:
            return _apply_to_one(op, inputs[0])


def _apply_to_one(op: ops.Operator, x: np.ndarray) -> np.ndarray:
    """The operators with one input and no constants."""
    match op:
        case ops.AveragePool():
            return average_pool(x, op)
        case ops.MaxPool():
            return max_pool(x, op)
        case ops.Mean():
            return mean(x, op)
        case ops.Pad():
            return pad(x, op)
        case ops.Reshape():
            return reshape(x, op)
        case ops.Softmax():
            return softmax(x, op)
        case ops.Requantize():
            return requantize_tensor(x, op)
        case ops.Quantize():
            return quantize(x, op)
        case ops.Dequantize():
            return dequantize(x, op)
        case ops.Relu():
            return relu(x, op)
        case ops.Clip():
            return clip(x, op)
    raise TypeError(f"no oracle for {type(op).__name__}")


def _weights_and_bias(constants: Arrays) -> tuple[Int8Array, Int32Array | None]:
    return constants[0], constants[1] if len(constants) > 1 else None
