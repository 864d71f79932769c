"""Mean over axes: the sum of centred values, requantized by a multiplier that divides by their number as well
(numerics.md, N23).
"""

from __future__ import annotations

import math

from tvm_wvv.quant.operators import INT8_RANGE, Mean
from tvm_wvv.quant.parameters import mean_multiplier
from tvm_wvv.quant.requantize import requantize_by
from tvm_wvv.reference.finish import Int8Array, centred, finish, wrapped


def mean(x: Int8Array, op: Mean) -> Int8Array:
    """int8, with or without the averaged axes as 1."""
    count = math.prod(x.shape[axis] for axis in op.axes)
    sums = wrapped(centred(x, op.input).sum(axis=op.axes, keepdims=op.keep_dims))
    return finish(requantize_by(sums, mean_multiplier(op, count)), op.output.zero_point, INT8_RANGE)
