"""Fully connected: the input read as rows of the weights' width, times (outputs, inputs) weights (numerics.md, N2)."""

from __future__ import annotations

import numpy as np

from tvm_wvv.quant.operators import FullyConnected
from tvm_wvv.quant.parameters import dense_multipliers
from tvm_wvv.quant.requantize import requantize_by
from tvm_wvv.reference.finish import Int8Array, Int32Array, centred, finish, wrapped


def fully_connected(x: Int8Array, weights: Int8Array, bias: Int32Array | None, op: FullyConnected) -> Int8Array:
    """int8 (rows, outputs); whatever the input's shape was, its elements are taken in order."""
    rows = centred(x, op.input).reshape(-1, weights.shape[1])
    sums = rows @ weights.astype(np.int64).T
    biased = wrapped(sums if bias is None else sums + bias)
    return finish(requantize_by(biased, dense_multipliers(op)), op.output.zero_point, op.clamp)
