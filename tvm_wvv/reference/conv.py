"""Convolution and depthwise convolution from their definition: for each tap, input less zero point times weight.

Outside the image the input is its zero point, so that it adds nothing. Sums wrap to 32 bits (numerics.md, N2).
"""

from __future__ import annotations

import numpy as np

from tvm_wvv.quant.operators import Conv2d, DepthwiseConv2d
from tvm_wvv.quant.parameters import conv_multipliers
from tvm_wvv.quant.requantize import requantize_by
from tvm_wvv.reference.finish import Int8Array, Int32Array, WideArray, centred, finish, wrapped
from tvm_wvv.reference.windows import output_size, taps


def conv2d_sums(x: Int8Array, weights: Int8Array, bias: Int32Array | None, op: Conv2d) -> Int32Array:
    """The int32 sums of a convolution before requantization; filters are OHWI.

    Filters with fewer input channels than the image mean groups: group g of the outputs sees group g of the inputs.
    """
    outputs, kernel_h, kernel_w, inputs = weights.shape
    image = centred(x, op.input)
    groups = image.shape[3] // inputs
    filters = weights.astype(np.int64).reshape(groups, outputs // groups, kernel_h, kernel_w, inputs)
    sums = _blank(x, (kernel_h, kernel_w), outputs, op)
    grouped = sums.reshape(*sums.shape[:3], groups, outputs // groups)
    for row, column, view in taps(image, (kernel_h, kernel_w), op.window, 0):
        for group in range(groups):
            part = view[..., group * inputs : (group + 1) * inputs]
            grouped[..., group, :] += part @ filters[group, :, row, column, :].T
    return wrapped(sums if bias is None else sums + bias)


def conv2d(x: Int8Array, weights: Int8Array, bias: Int32Array | None, op: Conv2d) -> Int8Array:
    """int8 NHWC in and out."""
    sums = requantize_by(conv2d_sums(x, weights, bias, op), conv_multipliers(op))
    return finish(sums, op.output.zero_point, op.clamp)


def depthwise_conv2d(x: Int8Array, weights: Int8Array, bias: Int32Array | None, op: DepthwiseConv2d) -> Int8Array:
    """Output channel c * multiplier + m is input channel c through filter (1, kh, kw, c * multiplier + m)."""
    _, kernel_h, kernel_w, outputs = weights.shape
    image = np.repeat(centred(x, op.input), op.multiplier, axis=3)
    sums = _blank(x, (kernel_h, kernel_w), outputs, op)
    for row, column, view in taps(image, (kernel_h, kernel_w), op.window, 0):
        sums += view * weights[0, row, column, :].astype(np.int64)
    biased = wrapped(sums if bias is None else sums + bias)
    return finish(requantize_by(biased, conv_multipliers(op)), op.output.zero_point, op.clamp)


def _blank(x: Int8Array, kernel: tuple[int, int], outputs: int, op: Conv2d | DepthwiseConv2d) -> WideArray:
    return np.zeros((x.shape[0], *output_size(x.shape[1:3], kernel, op.window), outputs), np.int64)
