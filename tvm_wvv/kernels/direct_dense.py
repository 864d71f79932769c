"""Fully connected layer as one call of the microkernel `wvv_dense`: four outputs at a time, int8 weights."""

from __future__ import annotations

import math

import numpy as np

from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.short_scales import finish, short_scales, sum_range
from tvm_wvv.kernels.weights import folded_bias
from tvm_wvv.kernels.whole_layer import whole_layer
from tvm_wvv.quant.operators import FullyConnected
from tvm_wvv.quant.parameters import dense_multipliers

_QUAD = 4
# Of one row as pairs of int16: more is too much scratch for what the kernel gains.
_ROW_BYTES = 8192


def fully_connected(op: FullyConnected, x_shape: Shape, weights: np.ndarray, bias: np.ndarray | None) -> Kernel | None:
    """Weights are (outputs, inputs). None for long rows, multipliers above one, and sums without a short form."""
    outputs, inputs = weights.shape
    zero_point, rows = op.input.zero_point, math.prod(x_shape) // inputs
    folded, sums = folded_bias(weights, bias, zero_point), sum_range(weights, bias, zero_point)
    scales = short_scales(dense_multipliers(op), folded, sums, op.output.zero_point, op.clamp)
    words = 2 * -(-inputs // _QUAD)
    if scales is None or scales.factors.max() > 2 or 4 * words > _ROW_BYTES:
        return None
    layer = [rows, inputs, outputs, finish(op.output.zero_point, op.clamp), *op.clamp]
    constants = {
        "weights": quads(np.where(scales.factors[:, None] == 0, 0, weights).astype(np.int8)),
        "scales": scales.words,
        "layer": np.array(layer, np.int32),
    }
    func = whole_layer("wvv_dense", {"x": x_shape}, constants, (rows, outputs), words)
    return Kernel("fully_connected", func, tuple(constants.values()))


def quads(weights: np.ndarray) -> np.ndarray:
    """(outputs / 4, inputs / 4, 4, 4): a word of four inputs for each of four outputs; zeros fill up both."""
    padded = np.pad(weights, [(0, -size % _QUAD) for size in weights.shape])
    cut = padded.reshape(len(padded) // _QUAD, _QUAD, -1, _QUAD)
    return np.ascontiguousarray(np.moveaxis(cut, 1, 2))
