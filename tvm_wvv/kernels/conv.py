"""int8 convolution and depthwise convolution, NHWC: stages `pad`, `conv` or `depthwise`, `requantize`.

The input's zero point never meets the inner loop: sum (x - z) w = sum x w - z sum w, and the second term goes into the
bias offline (numerics.md, N2). Padding holds z, so that it adds nothing. Where the window never leaves the image there
is no `pad` stage.
"""

from __future__ import annotations

import numpy as np
from tvm import te
from tvm.ir import Expr

from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.output_stage import OutputStage
from tvm_wvv.kernels.weights import blocked, channel_block, folded_bias, sum_bound
from tvm_wvv.kernels.windows import output_size, padded
from tvm_wvv.quant.operators import Conv2d, DepthwiseConv2d
from tvm_wvv.quant.parameters import conv_multipliers


def conv2d(op: Conv2d, x_shape: Shape, weights: np.ndarray, bias: np.ndarray | None) -> Kernel:
    """Filters are OHWI; filters with fewer input channels than the image mean groups."""
    outputs, kernel_h, kernel_w, inputs = weights.shape
    per_group = outputs * inputs // x_shape[3]
    block = channel_block(per_group)
    x = te.placeholder(x_shape, "int8", "x")
    w = te.placeholder((outputs // block, kernel_h, kernel_w, inputs, block), "int8", "weights")
    source = padded(x, op.window, op.input.zero_point)
    ry, rx, rc = _reduce_axes(weights.shape[1:])
    (stride_h, stride_w), (dilation_h, dilation_w) = op.window.strides, op.window.dilation

    def at(n: Expr, row: Expr, column: Expr, o: Expr) -> Expr:
        first = o // per_group * inputs
        value = source[n, row * stride_h + ry * dilation_h, column * stride_w + rx * dilation_w, first + rc]
        return _sum_of_products(value, w[o // block, ry, rx, rc, o % block], [ry, rx, rc])

    shape = (x_shape[0], *output_size(x_shape, (kernel_h, kernel_w), op.window), outputs)
    # For schedules: the taps of a window's row lie in one run of bytes.
    row_run = dilation_w == 1 and inputs == x_shape[3]
    sums = te.compute(shape, at, name="conv", attrs={"channel_block": block, "row_run": row_run})
    return _kernel("conv2d", [x, w], sums, _output_stage(op, weights, bias), blocked(weights, block))


def depthwise_conv2d(op: DepthwiseConv2d, x_shape: Shape, weights: np.ndarray, bias: np.ndarray | None) -> Kernel:
    """Filters are (1, kh, kw, c * multiplier); the constant keeps that order of bytes."""
    taps = weights[0]
    x = te.placeholder(x_shape, "int8", "x")
    w = te.placeholder(taps.shape, "int8", "weights")
    source = padded(x, op.window, op.input.zero_point)
    ry, rx = _reduce_axes(taps.shape[:2])
    (stride_h, stride_w), (dilation_h, dilation_w) = op.window.strides, op.window.dilation

    def at(n: Expr, row: Expr, column: Expr, o: Expr) -> Expr:
        value = source[n, row * stride_h + ry * dilation_h, column * stride_w + rx * dilation_w, o // op.multiplier]
        return _sum_of_products(value, w[ry, rx, o], [ry, rx])

    shape = (x_shape[0], *output_size(x_shape, taps.shape[:2], op.window), taps.shape[2])
    sums = te.compute(shape, at, name="depthwise", attrs={"multiplier": op.multiplier})
    stage = _output_stage(op, np.moveaxis(taps, 2, 0), bias)
    return _kernel("depthwise_conv2d", [x, w], sums, stage, np.ascontiguousarray(taps))


def _reduce_axes(sizes: Shape) -> list[te.IterVar]:
    return [te.reduce_axis((0, size), name) for size, name in zip(sizes, ("ry", "rx", "rc"), strict=False)]


def _sum_of_products(value: Expr, weight: Expr, axes: list[te.IterVar]) -> Expr:
    return te.sum(value.astype("int32") * weight.astype("int32"), axis=axes)


def _output_stage(op: Conv2d | DepthwiseConv2d, channels_first: np.ndarray, bias: np.ndarray | None) -> OutputStage:
    zero_point = op.input.zero_point
    return OutputStage(
        folded_bias(channels_first, bias, zero_point),
        conv_multipliers(op),
        op.output.zero_point,
        op.clamp,
        sum_bound(channels_first, bias, zero_point),
    )


def _kernel(name: str, operands: list[te.Tensor], sums: te.Tensor, stage: OutputStage, weights: np.ndarray) -> Kernel:
    constants = stage.placeholders()
    func = te.create_prim_func([*operands, *constants, stage.of(sums, constants)])
    return Kernel(name, func, (weights, *stage.constants))
