"""Pools and means as one call of the microkernel `wvv_pool`: eight channels at a time, sixteen with vectors."""

from __future__ import annotations

import math

import numpy as np

from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.layer_words import layer_words
from tvm_wvv.kernels.whole_layer import whole_layer
from tvm_wvv.kernels.windows import output_size
from tvm_wvv.quant.operators import INT8_RANGE, AveragePool, MaxPool, Mean, Pair, Window
from tvm_wvv.quant.parameters import mean_multiplier

# enum wvv_pool_way of wvv_pool.h.
_GREATEST, _AVERAGE, _MEAN = range(3)
# Up to here sum / count is exact as a multiplication: 256 * count^2 < 2^32.
MOST_AVERAGED = 4095
# 255 of each, with the zero point taken off, fit into 32 bits.
_MOST_SUMMED = (1 << 31) // 512
_NO_MEAN = (0, 0, 0, 0)


def pool(op: AveragePool | MaxPool, x_shape: Shape) -> Kernel | None:
    """None for dilation, windows that may lie beside the image, and averages of very many numbers."""
    averages, window = isinstance(op, AveragePool), op.window
    beside = any(before >= taps for before, taps in zip(window.padding, 2 * op.size, strict=True))
    if window.dilation != (1, 1) or beside or (averages and math.prod(op.size) > MOST_AVERAGED):
        return None
    out_size = output_size(x_shape, op.size, window)
    layer = layer_words(x_shape, out_size, x_shape[3], op.size, window, 0, 0, op.clamp)
    way = _AVERAGE if averages else _GREATEST
    return _kernel(op.op, x_shape, np.append(layer, [way, *_NO_MEAN]), (x_shape[0], *out_size, x_shape[3]))


def mean(op: Mean, x_shape: Shape) -> Kernel | None:
    """None for axes that do not follow each other, for the last axis, and for multipliers that shift to the left."""
    first, last = (op.axes[0], op.axes[-1]) if op.axes else (0, len(x_shape) - 1)
    if last - first + 1 != len(op.axes) or last == len(x_shape) - 1:
        return None
    count = math.prod(x_shape[axis] for axis in op.axes)
    multiplier = mean_multiplier(op, count)
    if count > _MOST_SUMMED or multiplier.shift > 0:
        return None
    # Rows are whole images of one column, all of whose pixels are averaged.
    seen = (math.prod(x_shape[:first]), count, 1, math.prod(x_shape[last + 1 :]))
    size: Pair = (count, 1)
    layer = layer_words(seen, (1, 1), seen[3], size, Window(), op.input.zero_point, 0, INT8_RANGE)
    offset = op.input.zero_point * count
    end = [_MEAN, offset, multiplier.mantissa, -multiplier.shift, op.output.zero_point]
    kept = tuple(1 if axis in op.axes else size for axis, size in enumerate(x_shape))
    y_shape = kept if op.keep_dims else tuple(size for axis, size in enumerate(x_shape) if axis not in op.axes)
    return _kernel(op.op, x_shape, np.append(layer, end), y_shape)


def _kernel(name: str, x_shape: Shape, layer: np.ndarray, y_shape: Shape) -> Kernel:
    constants = {"layer": layer.astype(np.int32)}
    return Kernel(name, whole_layer("wvv_pool", {"x": x_shape}, constants, y_shape), tuple(constants.values()))
