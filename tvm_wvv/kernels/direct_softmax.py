"""Softmax as one call of the microkernel `wvv_softmax`, with a table of the 256 exponentials that a layer can meet."""

from __future__ import annotations

import math

import numpy as np

from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.whole_layer import whole_layer
from tvm_wvv.quant.operators import Softmax
from tvm_wvv.quant.softmax import exp_table

# The sum of exponentials has 12 integer bits.
_LONGEST_ROW = 4096


def softmax(op: Softmax, x_shape: Shape) -> Kernel | None:
    """None for rows so long that their sum may not fit."""
    size = x_shape[-1]
    if size > _LONGEST_ROW:
        return None
    constants = {
        "exponentials": np.array(exp_table(op), np.int32),
        "layer": np.array([math.prod(x_shape) // size, size], np.int32),
    }
    func = whole_layer("wvv_softmax", {"x": x_shape}, constants, x_shape, in_place=(0,))
    return Kernel(op.op, func, tuple(constants.values()))
