"""What an operator does to each number by itself, as one call of the microkernel `wvv_lookup` with its 256 results."""

from __future__ import annotations

import math

import numpy as np

from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.whole_layer import whole_layer
from tvm_wvv.quant.operators import INT8_RANGE, Clip, Relu, Requantize
from tvm_wvv.quant.parameters import relu_multiplier, requantize_multiplier
from tvm_wvv.quant.requantize import requantize_by

_NUMBERS = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.int64)


def lookup(op: Requantize | Relu | Clip, x_shape: Shape) -> Kernel:
    """Any shape and any parameters."""
    constants: dict[str, np.ndarray] = {
        "table": _results(op).astype(np.int8),
        "layer": np.array([math.prod(x_shape)], np.int32),
    }
    func = whole_layer("wvv_lookup", {"x": x_shape}, constants, x_shape, in_place=(0,))
    return Kernel(op.op, func, tuple(constants.values()))


def _results(op: Requantize | Relu | Clip) -> np.ndarray:
    """By the bits of the number."""
    if isinstance(op, Clip):
        return np.clip(_NUMBERS, *op.clamp)
    multiplier = relu_multiplier(op) if isinstance(op, Relu) else requantize_multiplier(op)
    moved = requantize_by(_NUMBERS - op.input.zero_point, multiplier) + op.output.zero_point
    return np.clip(moved, *(op.clamp if isinstance(op, Relu) else INT8_RANGE))
