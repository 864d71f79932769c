"""Mean over axes: stages `sum` and `requantize`; the multiplier divides by the number of elements as well
(numerics.md, N23).
"""

from __future__ import annotations

import math

from tvm import te
from tvm.ir import Expr

from tvm_wvv.kernels.fixed_point import finish, int32, requantize
from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.quant.operators import INT8_RANGE, Mean
from tvm_wvv.quant.parameters import mean_multiplier


def mean(op: Mean, x_shape: Shape) -> Kernel:
    """The averaged axes stay as 1 or go, as `keep_dims` says."""
    count = math.prod(x_shape[axis] for axis in op.axes)
    multiplier, bound = mean_multiplier(op, count), 255 * count
    x = te.placeholder(x_shape, "int8", "x")
    averaged = {axis: te.reduce_axis((0, x_shape[axis]), f"r{axis}") for axis in op.axes}
    kept = [axis for axis in range(len(x_shape)) if op.keep_dims or axis not in averaged]
    shape = tuple(1 if axis in averaged else x_shape[axis] for axis in kept)

    def total(*at: Expr) -> Expr:
        place = dict(zip(kept, at, strict=True))
        index = tuple(averaged.get(axis, place.get(axis)) for axis in range(len(x_shape)))
        return te.sum(x[index].astype("int32"), axis=list(averaged.values()))

    sums = te.compute(shape, total, name="sum")

    def value(*at: Expr) -> Expr:
        centred = sums[at] - int32(op.input.zero_point * count)
        return finish(requantize(centred, multiplier, bound), op.output.zero_point, INT8_RANGE)

    return Kernel(op.op, te.create_prim_func([x, te.compute(shape, value, name="requantize")]))
