"""Addition of two int8 tensors of one shape as one call of the microkernel `wvv_add`.

The operand of the greater scale always has the multiplier one half: its values only move to the left. Those of the
other come out of a table of 256 numbers, scaled offline by the very requantization.
"""

from __future__ import annotations

import math

import numpy as np

from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.short_scales import finish, short_scales
from tvm_wvv.kernels.whole_layer import whole_layer
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.operators import Add
from tvm_wvv.quant.parameters import ADD_LEFT_SHIFT, add_parameters
from tvm_wvv.quant.requantize import requantize_by

_HALF = Multiplier(1 << 30, 0)
_WIDEST = 255


def add(op: Add, lhs_shape: Shape, rhs_shape: Shape) -> Kernel | None:
    """None for operands that are broadcast, and for an output scale so far off that sums have no short form."""
    use = add_parameters(op)
    swapped = use.lhs != _HALF
    plain, scaled, multiplier = (op.rhs, op.lhs, use.lhs) if swapped else (op.lhs, op.rhs, use.rhs)
    # Both multipliers are at most a half, so that sums stay within one raised operand's range.
    bound = np.array([_WIDEST << ADD_LEFT_SHIFT])
    scales = short_scales([use.output], np.zeros(1, np.int32), (-bound, bound), op.output.zero_point, op.clamp)
    if lhs_shape != rhs_shape or scales is None:
        return None
    centred = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.int64) - scaled.zero_point
    table = 2 * requantize_by(centred << ADD_LEFT_SHIFT, multiplier) - (plain.zero_point << ADD_LEFT_SHIFT)
    _, *words = scales.words[0]
    way = finish(op.output.zero_point, op.clamp)
    layer = np.array([math.prod(lhs_shape), swapped, *words, way, *op.clamp], np.int32)
    constants = {"table": table.astype(np.int32), "layer": layer}
    func = whole_layer("wvv_add", {"lhs": lhs_shape, "rhs": rhs_shape}, constants, lhs_shape, in_place=(0, 1))
    return Kernel("add", func, tuple(constants.values()))
