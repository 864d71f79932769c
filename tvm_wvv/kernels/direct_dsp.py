"""From an operator to its kernel of C microkernels, for cores with the DSP extension; None where there is none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tvm_wvv.kernels import (
    direct_add,
    direct_conv,
    direct_copy,
    direct_dense,
    direct_depthwise,
    direct_lookup,
    direct_pool,
    direct_softmax,
)
from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.quant import operators as ops


def direct_kernel(op: ops.Operator, input_shapes: Sequence[Shape], constants: Sequence[np.ndarray]) -> Kernel | None:
    """Arguments as those of `dispatch.kernel_of`."""
    match op:
        case ops.Conv2d():
            return direct_conv.conv2d(op, input_shapes[0], *weights_and_bias(constants))
        case ops.DepthwiseConv2d():
            return direct_depthwise.depthwise_conv2d(op, input_shapes[0], *weights_and_bias(constants))
        case ops.FullyConnected():
            return direct_dense.fully_connected(op, input_shapes[0], *weights_and_bias(constants))
        case ops.Add():
            return direct_add.add(op, *input_shapes)
        case ops.AveragePool() | ops.MaxPool():
            return direct_pool.pool(op, input_shapes[0])
        case ops.Mean():
            return direct_pool.mean(op, input_shapes[0])
        case ops.Softmax():
            return direct_softmax.softmax(op, input_shapes[0])
        case ops.Concat():
            return direct_copy.concat(op, input_shapes)
        case ops.Pad():
            return direct_copy.pad(op, input_shapes[0])
        case ops.Requantize() | ops.Relu() | ops.Clip():
            return direct_lookup.lookup(op, input_shapes[0])
    return None


def weights_and_bias(constants: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    """The constants of an operator with weights."""
    return constants[0], constants[1] if len(constants) > 1 else None
