"""Depthwise convolution as one call of the microkernel `wvv_mve_depthwise`: for cores with vectors.

Rows of the image are packed sixteen channels at a time, so that a vector holds a whole 3x3 window of one channel; any
window, stride, dilation and depth multiplier.
"""

from __future__ import annotations

import numpy as np

from tvm_wvv.kernels.direct_conv_mve import CHANNELS, POSITIVE, SIGNED, VECTOR, vector_scales
from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.layer_words import layer_words
from tvm_wvv.kernels.whole_layer import whole_layer
from tvm_wvv.kernels.windows import output_size
from tvm_wvv.quant.operators import DepthwiseConv2d
from tvm_wvv.quant.parameters import conv_multipliers

_FOUR = 4
_COLUMN_BYTES = 64
# Rows of outputs are packed together up to this, so that weights are loaded once for all of them; a single row may take
# more, up to the limit.
_PACKED_BYTES, _PACKED_LIMIT = 2560, 8192


def depthwise_conv2d(
    op: DepthwiseConv2d, x_shape: Shape, weights: np.ndarray, bias: np.ndarray | None
) -> Kernel | None:
    """Filters are (1, height, width, outputs). None for wide images and for multipliers that shift to the left."""
    _, *size, outputs = weights.shape
    taps, kernel = np.moveaxis(weights[0], 2, 0), (size[0], size[1])
    scales = vector_scales(op, conv_multipliers(op), taps, bias)
    out_size, columns = output_size(x_shape, kernel, op.window), _columns(op, x_shape, kernel)
    row_bytes = -(-kernel[0] // _FOUR) * columns * _COLUMN_BYTES
    if scales is None or row_bytes > _PACKED_LIMIT:
        return None
    # Halves of negative numbers show only where outputs below the zero point do.
    way = POSITIVE if op.clamp[0] >= op.output.zero_point else SIGNED
    if way == SIGNED:
        scales = _shifting(scales)
    if scales is None:
        return None
    rows = min(max(_PACKED_BYTES // row_bytes, 1), out_size[0])
    layer = layer_words(x_shape, out_size, outputs, kernel, op.window, op.input.zero_point, way, op.clamp, rows)
    constants = {
        "weights": weight_stream(taps, scales),
        "layer": np.append(layer, np.array([op.output.zero_point, op.multiplier], np.int32)),
    }
    scratch = (VECTOR + rows * row_bytes + 3 * op.window.dilation[1] * _COLUMN_BYTES) // 4
    func = whole_layer("wvv_mve_depthwise", {"x": x_shape}, constants, (x_shape[0], *out_size, outputs), scratch)
    return Kernel("depthwise_conv2d", func, tuple(constants.values()))


def _columns(op: DepthwiseConv2d, x_shape: Shape, kernel: tuple[int, int]) -> int:
    """From the first column that some window reads to the last."""
    width = output_size(x_shape, kernel, op.window)[1]
    return (width - 1) * op.window.strides[1] + (kernel[1] - 1) * op.window.dilation[1] + 1


def _shifting(scales: np.ndarray) -> np.ndarray | None:
    """Right shifts of 1 or more: dead channels may have twice the bias for it, others have none."""
    dead = scales[:, 3] != 0
    made = scales.copy()
    made[dead, 0] *= 2
    made[dead, 2] += 1
    return made if (made[:, 2] >= 1).all() else None


def weight_stream(taps: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """(outputs / 4, words) as wvv_mve_depthwise.h reads them; `taps` are (outputs, height, width)."""
    outputs = len(taps)
    live = np.where(scales[:, 3, None, None] != 0, 0, taps).astype(np.int8)
    padded = np.pad(live, [(0, -extent % _FOUR) for extent in live.shape])
    cut = padded.reshape(-1, CHANNELS, padded.shape[1] // _FOUR, _FOUR, padded.shape[2] // _FOUR, _FOUR)
    # To fours of outputs, then of rows and columns of a window; a vector holds one output's, column by column.
    words = np.ascontiguousarray(cut.transpose(0, 2, 4, 1, 5, 3)).view("<i4").reshape(len(cut), -1)
    of_channels = np.pad(scales[:, :3], ((0, -outputs % CHANNELS), (0, 0))).reshape(-1, CHANNELS, 3)
    biases, mantissas, rights = np.moveaxis(of_channels, 2, 0)
    return np.concatenate([words, biases, mantissas, -rights], axis=1).astype(np.int32)
