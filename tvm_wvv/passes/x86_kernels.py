"""Kernels with vectors of their own, for x86; None where there is none for an operator or a shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tvm_wvv.kernels import x86_add, x86_conv, x86_depthwise, x86_pool, x86_winograd
from tvm_wvv.kernels.direct_dsp import weights_and_bias
from tvm_wvv.kernels.kernel import AS_BY_DEFAULT, Blocking, Kernel, Shape
from tvm_wvv.kernels.winograd import exact_output_stage
from tvm_wvv.kernels.x86_output import x86_output
from tvm_wvv.kernels.x86_vectors import Vectors
from tvm_wvv.passes.stage_kernels import is_exact
from tvm_wvv.passes.stages import InputTransform, WinogradRequantize
from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.operators import Window
from tvm_wvv.quant.parameters import conv_multipliers
from tvm_wvv.transforms.catalog import read_variant
from tvm_wvv.transforms.modular import quotient


def x86_kernel(
    vectors: Vectors,
    nodes: Sequence[Any],
    shapes: Sequence[Sequence[Shape]],
    constants: Sequence[Sequence[np.ndarray]],
    blocking: Blocking = AS_BY_DEFAULT,
) -> Kernel | None:
    """The kernel of one operator, or of the stages of one exact Winograd layer; arguments as those of `dsp_kernel`."""
    op, x_shape = nodes[0], shapes[0][0]
    if isinstance(op, InputTransform):
        return _winograd(vectors, nodes, x_shape, constants, blocking)
    match op:
        case ops.Conv2d():
            return x86_conv.conv2d(vectors, op, x_shape, *weights_and_bias(constants[0]), blocking)
        case ops.DepthwiseConv2d():
            return x86_depthwise.depthwise_conv2d(vectors, op, x_shape, *weights_and_bias(constants[0]))
        case ops.FullyConnected():
            return x86_conv.fully_connected(vectors, op, x_shape, *weights_and_bias(constants[0]), blocking)
        case ops.Add():
            return x86_add.add(vectors, op, *shapes[0])
        case ops.AveragePool():
            return x86_pool.average_pool(vectors, op, x_shape)
        case ops.MaxPool():
            return x86_pool.max_pool(vectors, op, x_shape)
        case ops.Mean():
            return x86_pool.mean(vectors, op, x_shape)
    return None


def _winograd(
    vectors: Vectors,
    stages: Sequence[Any],
    x_shape: Shape,
    constants: Sequence[Sequence[np.ndarray]],
    blocking: Blocking,
) -> Kernel | None:
    first, last = stages[0], stages[-1]
    if not isinstance(last, WinogradRequantize) or not is_exact(constants):
        return None
    algorithm, (u, *_), (bias, *_) = read_variant(first.algorithm).algorithm, constants[1], constants[-1]
    window = Window(padding=first.padding)
    op = ops.Conv2d(last.input, last.output, last.weight_scales, window, last.clamp)
    bound = exact_output_stage(op, algorithm, u, bias).bound
    raised = quotient(algorithm.scale).shift
    output = x86_output(vectors, bias, bound, op.output.zero_point, conv_multipliers(op), op.clamp, raised)
    if output is None or not x86_winograd.fits(vectors, x_shape, u.shape[1]):
        return None
    zero_point = first.zero_point
    return x86_winograd.winograd_conv2d(vectors, algorithm, window, zero_point, x_shape, u, output, blocking=blocking)
