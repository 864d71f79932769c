"""Convolution and fully connected layer as one call of the microkernel `wvv_mve_conv2d`: for cores with vectors.

Windows become columns of bytes, two at a time, and meet output channels four by four. Weights stay int8, and the two
roundings are those of the reference, so every multiplier that shifts to the right will do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from tvm import tirx

from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.layer_words import layer_words
from tvm_wvv.kernels.output_stage import normal
from tvm_wvv.kernels.short_scales import sum_range
from tvm_wvv.kernels.weights import folded_bias
from tvm_wvv.kernels.whole_layer import whole_layer
from tvm_wvv.kernels.windows import output_size
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.operators import Conv2d, DepthwiseConv2d, FullyConnected, Pair, Window
from tvm_wvv.quant.parameters import conv_multipliers, dense_multipliers
from tvm_wvv.quant.requantize import per_channel, requantize

VECTOR, CHANNELS = 16, 4
# Of two columns: more than this is too much scratch for what the kernel gains.
_COLUMN_BYTES = 8192
# A sum's high word keeps this distance from 2^31, so that a zero point can be added.
_GREATEST_SUM = (1 << 31) - 256
# enum wvv_mve_finish of wvv_mve_gemm.h.
SIGNED, POSITIVE = range(2)


def conv2d(op: Conv2d, x_shape: Shape, weights: np.ndarray, bias: np.ndarray | None) -> Kernel | None:
    """Filters are OHWI. None where there are groups, huge windows, or multipliers that shift to the left."""
    if weights.shape[3] != x_shape[3]:
        return None
    scales = vector_scales(op, conv_multipliers(op), weights, bias)
    height, width = output_size(x_shape, (weights.shape[1], weights.shape[2]), op.window)
    func = _call(op, op.window, x_shape, weights, scales, (x_shape[0], height, width, len(weights)))
    return func and Kernel("conv2d", *func)


def fully_connected(op: FullyConnected, x_shape: Shape, weights: np.ndarray, bias: np.ndarray | None) -> Kernel | None:
    """Weights are (outputs, inputs). Rows are pixels of an image of one row. None as with `conv2d`."""
    outputs, inputs = weights.shape
    rows = math.prod(x_shape) // inputs
    scales = vector_scales(op, dense_multipliers(op), weights, bias)
    func = _call(op, Window(), (1, 1, rows, inputs), weights[:, None, None], scales, (rows, outputs), x_shape)
    return func and Kernel("fully_connected", *func)


def _call(
    op: Conv2d | FullyConnected,
    window: Window,
    x_shape: Shape,
    weights: np.ndarray,
    scales: np.ndarray | None,
    y_shape: Shape,
    given: Shape | None = None,
) -> tuple[tirx.PrimFunc, tuple[np.ndarray, ...]] | None:
    """The function and its constants; the input comes in another shape where one is `given`."""
    outputs, rows, columns, inputs = weights.shape
    vectors = -(-rows * columns * inputs // VECTOR)
    if scales is None or 2 * VECTOR * vectors > _COLUMN_BYTES:
        return None
    serves = (rows, columns) == (1, 1) and not any(window.padding)
    words = VECTOR // 4 * vectors
    size, kernel = output_size(x_shape, (rows, columns), window), (rows, columns)
    # Halves of negative numbers show only where outputs below the zero point do.
    way = POSITIVE if op.clamp[0] >= op.output.zero_point else SIGNED
    zero_point = op.input.zero_point
    scratch = 0 if serves else words
    layer = layer_words(x_shape, size, outputs, kernel, window, zero_point, way, op.clamp, vectors, scratch)
    copied = _copied(x_shape, size) if serves else 0
    constants = {
        "weights": weight_stream(weights, scales),
        "layer": np.append(layer, np.array([op.output.zero_point, copied], np.int32)),
    }
    needed = (words if copied else 1) if serves else 2 * words
    func = whole_layer("wvv_mve_conv2d", {"x": given or x_shape}, constants, y_shape, needed)
    return func, tuple(constants.values())


def _copied(x_shape: Shape, size: Pair) -> int:
    """How many of the last pixels lie so near the image's end that less than a column's bytes follow."""
    missing = -x_shape[3] % VECTOR
    return min(-(-missing // x_shape[3]), x_shape[0] * math.prod(size))


def vector_scales(
    op: Conv2d | DepthwiseConv2d | FullyConnected,
    multipliers: Sequence[Multiplier],
    weights: np.ndarray,
    bias: np.ndarray | None,
) -> np.ndarray | None:
    """[output, 4]: bias, mantissa, right shift, and whether the channel is dead; None where a multiplier shifts to the
    left or a sum may overflow.

    A dead channel's every sum gives the same output. It has zeros for weights, a mantissa of 1/2, and twice that output
    for a bias: real networks have such channels, with scales that would not fit otherwise.
    """
    zero_point, sums = op.output.zero_point, sum_range(weights, bias, op.input.zero_point)
    folded = folded_bias(weights, bias, op.input.zero_point)
    mantissas, shifts = (np.broadcast_to(one, folded.shape) for one in per_channel(normal(multipliers)))
    ends = [np.clip(requantize(one, mantissas, shifts) + zero_point, *op.clamp) for one in sums]
    greatest = np.maximum(-sums[0], sums[1])
    dead = (ends[0] == ends[1]) & (greatest < 1 << 31)
    if not (dead | (greatest < _GREATEST_SUM) & (shifts <= 0)).all():
        return None
    biases = np.where(dead, 2 * (ends[0] - zero_point), folded)
    words = [biases, np.where(dead, 1 << 30, mantissas), np.where(dead, 0, -shifts), dead]
    return np.stack(words, axis=1).astype(np.int32)


def weight_stream(weights: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """(outputs / 4, words) as wvv_mve_gemm.h reads them."""
    outputs = len(weights)
    taps = np.where(scales[:, 3:] != 0, 0, weights.reshape(outputs, -1)).astype(np.int8)
    padded = np.pad(taps, ((0, -outputs % CHANNELS), (0, -taps.shape[1] % VECTOR)))
    cut = padded.reshape(-1, CHANNELS, padded.shape[1] // VECTOR, VECTOR)
    words = np.ascontiguousarray(np.moveaxis(cut, 1, 2)).view("<i4").reshape(len(cut), -1)
    of_channels = np.pad(scales[:, :3], ((0, -outputs % CHANNELS), (0, 0))).reshape(-1, CHANNELS, 3)
    biases, mantissas, rights = np.moveaxis(of_channels, 2, 0)
    return np.concatenate([biases, words, mantissas, -rights], axis=1).astype(np.int32)
