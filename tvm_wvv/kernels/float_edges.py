"""float32 to int8 and back, at the rim of a network (numerics.md, N25); one block, named as the operator.

The scale is read at run time, as a constant of one element: TVM 0.27 prints a float immediate with seven digits, which
is another float32, and may turn a division by one into a product with its rounded inverse.
"""

from __future__ import annotations

import numpy as np
from tvm import te, tirx
from tvm.ir import Expr

from tvm_wvv.kernels.fixed_point import int32
from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.quant.operators import INT8_RANGE, Affine, Dequantize, Quantize


def quantize(op: Quantize, x_shape: Shape) -> Kernel:
    """The quotient is clamped while it is a float, so that the cast is defined; a NaN fails `>` and becomes -128."""
    zero_point = op.output.zero_point
    low, high = (tirx.const(float(bound - zero_point), "float32") for bound in INT8_RANGE)
    x, scale = te.placeholder(x_shape, "float32", "x"), te.placeholder((1,), "float32", "scale")

    def value(*at: Expr) -> Expr:
        held = tirx.min(tirx.max(x[at] / scale[0], low), high)
        return tirx.Cast("int8", _half_away(held) + int32(zero_point))

    out = te.compute(x_shape, value, name=op.op)
    return Kernel(op.op, te.create_prim_func([x, scale, out]), (_scale(op.output),))


def dequantize(op: Dequantize, x_shape: Shape) -> Kernel:
    """One product of float32: the centred value is exact in it."""
    x, scale = te.placeholder(x_shape, "int8", "x"), te.placeholder((1,), "float32", "scale")

    def value(*at: Expr) -> Expr:
        return tirx.Cast("float32", x[at].astype("int32") - int32(op.input.zero_point)) * scale[0]

    out = te.compute(x_shape, value, name=op.op)
    return Kernel(op.op, te.create_prim_func([x, scale, out]), (_scale(op.input),))


def _half_away(value: Expr) -> Expr:
    """The nearest int32, halves away from zero, of a small float32, without libm.

    Doubling is exact and the cast drops what lies beyond the half: h = trunc(2 * value), (h + [h >= 0]) >> 1.
    """
    halves = tirx.Cast("int32", value * tirx.const(2.0, "float32"))
    return (halves + tirx.Cast("int32", halves >= int32(0))) >> int32(1)


def _scale(affine: Affine) -> np.ndarray:
    return np.array([affine.scale], np.float32)
