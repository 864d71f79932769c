"""Depthwise 3x3 convolution as one call of the microkernel `wvv_depthwise`: four channels at a time, int16 weights."""

from __future__ import annotations

import numpy as np

from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.layer_words import layer_words, window_words
from tvm_wvv.kernels.short_scales import ShortScales, finish, short_scales, sum_range
from tvm_wvv.kernels.weights import folded_bias
from tvm_wvv.kernels.whole_layer import whole_layer
from tvm_wvv.kernels.windows import output_size
from tvm_wvv.quant.operators import DepthwiseConv2d, Window
from tvm_wvv.quant.parameters import conv_multipliers

_QUAD = 4
# Of padded rows: images with longer ones have few windows at their borders, which are copied one by one.
_RING_BYTES = 6144


def depthwise_conv2d(
    op: DepthwiseConv2d, x_shape: Shape, weights: np.ndarray, bias: np.ndarray | None
) -> Kernel | None:
    """Filters are (1, 3, 3, channels); None for other sizes, multipliers, and channels that are no multiple of 4."""
    _, *size, channels = weights.shape
    if size != [3, 3] or op.multiplier != 1 or channels % _QUAD:
        return None
    taps = weights.reshape(-1, channels)
    zero_point, way = op.input.zero_point, finish(op.output.zero_point, op.clamp)
    folded, sums = folded_bias(taps.T, bias, zero_point), sum_range(taps.T, bias, zero_point)
    scales = short_scales(conv_multipliers(op), folded, sums, op.output.zero_point, op.clamp)
    if scales is None:
        return None
    out_size = output_size(x_shape, (3, 3), op.window)
    ring = _ring_words(op.window, out_size[1], channels)
    by_rows = 0 < ring * 4 <= _RING_BYTES
    scratch = ring if by_rows else window_words(op.window, 9 * channels)
    layer = layer_words(x_shape, out_size, channels, (3, 3), op.window, zero_point, way, op.clamp, int(by_rows))
    constants = {"weights": quad_stream(taps, scales), "layer": layer}
    func = whole_layer("wvv_depthwise", {"x": x_shape}, constants, (x_shape[0], *out_size, channels), max(scratch, 1))
    return Kernel("depthwise_conv2d", func, tuple(constants.values()))


def _ring_words(window: Window, out_width: int, channels: int) -> int:
    """Words of the padded rows of one window; 0 where there is no padding, and the image serves as it is."""
    if not any(window.padding):
        return 0
    columns = (out_width - 1) * window.strides[1] + 2 * window.dilation[1] + 1
    return (2 * window.dilation[0] + 1) * columns * channels // 4


def quad_stream(taps: np.ndarray, scales: ShortScales) -> np.ndarray:
    """(channels / 4, words) as wvv_depthwise.h reads them."""
    raised = (taps * scales.factors).astype(np.int16)
    quads = np.moveaxis(raised.reshape(len(taps), -1, _QUAD), 1, 0)[..., [0, 2, 1, 3]]
    words = np.ascontiguousarray(quads).view("<i4").reshape(len(quads), -1)
    of_channels = scales.words.reshape(-1, _QUAD, 4)
    ends = of_channels[:, :, 1:].reshape(len(quads), -1)
    return np.concatenate([of_channels[:, :, 0], words, ends], axis=1).astype(np.int32)
