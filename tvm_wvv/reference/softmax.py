"""Softmax over the last axis in TFLite's int8 fixed-point arithmetic (numerics.md, N24); no floats at run time."""

from __future__ import annotations

import numpy as np

from tvm_wvv.quant.operators import INT8_RANGE, Softmax
from tvm_wvv.quant.requantize import doubling_high_multiply, rounding_shift_right
from tvm_wvv.quant.softmax import SUM_BITS, exp_table, reciprocal
from tvm_wvv.reference.finish import Int8Array, finish

# exp / sum in Q0.31 becomes an int8 with scale 1/256 by dropping all but 8 bits.
_DROPPED_BITS = 31 - 8


def softmax(x: Int8Array, op: Softmax) -> Int8Array:
    """int8 with scale 1/256 and zero point -128."""
    rows = x.astype(np.int64).reshape(-1, x.shape[-1])
    exps = np.array(exp_table(op), np.int64)[rows.max(axis=1, keepdims=True) - rows]
    # The sum has fewer fraction bits than its terms: each term is rounded before it is added.
    totals = rounding_shift_right(exps, SUM_BITS).sum(axis=1)
    shares = [_shares(row, int(total)) for row, total in zip(exps, totals, strict=True)]
    return finish(np.stack(shares).reshape(x.shape), INT8_RANGE[0], INT8_RANGE)


def _shares(exps: np.ndarray, total: int) -> np.ndarray:
    """exp / total of one row, in 256ths."""
    inverse, bits = reciprocal(total)
    return rounding_shift_right(doubling_high_multiply(exps, inverse), bits + _DROPPED_BITS)
