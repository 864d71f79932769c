"""Convolution as one call of the microkernel `wvv_conv2d`: what a core with the DSP extension runs instead of TensorIR.

Windows become columns of int16 and meet all output channels two by two; the layer's numbers travel as a constant, so
that every convolution of a network is the same code. Weights are int16: twice the bytes of int8, for which the inner
loop needs no unpacking (a quarter of an instruction a product) and the sums no shift.
"""

from __future__ import annotations

import numpy as np

from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.layer_words import layer_words, window_words
from tvm_wvv.kernels.short_scales import ShortScales, finish, short_scales, sum_range
from tvm_wvv.kernels.weights import folded_bias
from tvm_wvv.kernels.whole_layer import whole_layer
from tvm_wvv.kernels.windows import output_size
from tvm_wvv.quant.operators import Conv2d
from tvm_wvv.quant.parameters import conv_multipliers

# Of two columns: more than this is too much scratch for what the kernel gains.
_COLUMN_BYTES = 8192
_GROUP = 4


def conv2d(op: Conv2d, x_shape: Shape, weights: np.ndarray, bias: np.ndarray | None) -> Kernel | None:
    """Filters are OHWI. None where there are groups, huge windows, or sums too large for the short requantization."""
    outputs, kernel_h, kernel_w, inputs = weights.shape
    zero_point = op.input.zero_point
    folded, sums = folded_bias(weights, bias, zero_point), sum_range(weights, bias, zero_point)
    scales = short_scales(conv_multipliers(op), folded, sums, op.output.zero_point, op.clamp)
    groups = column_groups(weights.shape)
    if inputs != x_shape[3] or scales is None or groups * 16 > _COLUMN_BYTES:
        return None
    size = output_size(x_shape, (kernel_h, kernel_w), op.window)
    words = window_words(op.window, kernel_h * kernel_w * inputs)
    scratch = 4 * groups + 2 * words + (-(-2 * (outputs + 1) // 4) if outputs % 2 else 0)
    kernel = kernel_h, kernel_w
    way = finish(op.output.zero_point, op.clamp)
    layer = layer_words(x_shape, size, outputs, kernel, op.window, zero_point, way, op.clamp, groups, words)
    constants = {"weights": weight_stream(weights, scales), "layer": layer}
    func = whole_layer("wvv_conv2d", {"x": x_shape}, constants, (x_shape[0], *size, outputs), scratch)
    return Kernel("conv2d", func, tuple(constants.values()))


def column_groups(shape: Shape) -> int:
    """How many groups of four taps a window has."""
    _, rows, columns, inputs = shape
    run = columns * inputs
    return rows * (run // _GROUP) + -(-rows * (run % _GROUP) // _GROUP)


def weight_stream(weights: np.ndarray, scales: ShortScales) -> np.ndarray:
    """(outputs / 2, words) as wvv_gemm.h reads them: biases, groups of taps in the order 0, 2, 1, 3, scales."""
    outputs, rows = weights.shape[:2]
    raised = (weights * scales.factors[:, None, None, None]).astype(np.int16)
    by_row = raised.reshape(outputs, rows, -1)
    whole = by_row.shape[2] // _GROUP * _GROUP
    taps = np.concatenate([part.reshape(outputs, -1) for part in (by_row[..., :whole], by_row[..., whole:])], axis=1)
    padded = np.pad(taps, ((0, outputs % 2), (0, -taps.shape[1] % _GROUP)))
    groups = padded.reshape(-1, 2, padded.shape[1] // _GROUP, _GROUP)[..., [0, 2, 1, 3]]
    words = np.ascontiguousarray(np.moveaxis(groups, 1, 2)).view("<i4").reshape(len(groups), -1)
    of_pairs = np.pad(scales.words, ((0, outputs % 2), (0, 0))).reshape(-1, 2, 4)
    biases = of_pairs[:, :, 0]
    return np.concatenate([biases, biases, words, of_pairs[:, :, 1:].reshape(-1, 6)], axis=1).astype(np.int32)
