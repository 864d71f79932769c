"""From an operator to its kernel of C microkernels, for cores with integer vectors; None where there is none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tvm_wvv.kernels import direct_conv_mve, direct_depthwise_mve
from tvm_wvv.kernels.direct_dsp import weights_and_bias
from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.quant import operators as ops


def direct_kernel(op: ops.Operator, input_shapes: Sequence[Shape], constants: Sequence[np.ndarray]) -> Kernel | None:
    """Arguments as those of `dispatch.kernel_of`."""
    match op:
        case ops.Conv2d():
            return direct_conv_mve.conv2d(op, input_shapes[0], *weights_and_bias(constants))
        case ops.DepthwiseConv2d():
            return direct_depthwise_mve.depthwise_conv2d(op, input_shapes[0], *weights_and_bias(constants))
        case ops.FullyConnected():
            return direct_conv_mve.fully_connected(op, input_shapes[0], *weights_and_bias(constants))
    return None
