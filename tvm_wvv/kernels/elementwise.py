"""Operators that meet one element of each operand; one block, named as the operator. Shapes broadcast as NumPy's do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tvm import te
from tvm.ir import Expr

from tvm_wvv.kernels.fixed_point import clamped, finish, int32, requantize, shift_left
from tvm_wvv.kernels.indices import broadcast_index
from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.quant.operators import INT8_RANGE, Add, Affine, Clip, Mul, Relu, Requantize
from tvm_wvv.quant.parameters import add_parameters, mul_multiplier, relu_multiplier, requantize_multiplier

# The greatest |q - zero_point| of int8 values.
_CENTRED_BOUND = 255


def add(op: Add, lhs_shape: Shape, rhs_shape: Shape) -> Kernel:
    """Both operands are raised, brought to a common scale one by one, summed, and brought to the output's
    (numerics.md, N21).
    """
    use = add_parameters(op)
    bound = _CENTRED_BOUND << use.left_shift

    def value(left: Expr, right: Expr) -> Expr:
        raised = [shift_left(one, int32(use.left_shift)) for one in (_centred(left, op.lhs), _centred(right, op.rhs))]
        # Both multipliers are at most a half, so that the sum stays within the same bound.
        total = requantize(raised[0], use.lhs, bound) + requantize(raised[1], use.rhs, bound)
        return finish(requantize(total, use.output, bound), op.output.zero_point, op.clamp)

    return _two_operands(op.op, lhs_shape, rhs_shape, value)


def mul(op: Mul, lhs_shape: Shape, rhs_shape: Shape) -> Kernel:
    """The product of the centred values, requantized once."""

    def value(left: Expr, right: Expr) -> Expr:
        product = _centred(left, op.lhs) * _centred(right, op.rhs)
        scaled = requantize(product, mul_multiplier(op), _CENTRED_BOUND**2)
        return finish(scaled, op.output.zero_point, op.clamp)

    return _two_operands(op.op, lhs_shape, rhs_shape, value)


def requantize_tensor(op: Requantize, x_shape: Shape) -> Kernel:
    """The same real numbers in another int8 quantization."""

    def value(q: Expr) -> Expr:
        scaled = requantize(_centred(q, op.input), requantize_multiplier(op), _CENTRED_BOUND)
        return finish(scaled, op.output.zero_point, INT8_RANGE)

    return _one_operand(op.op, x_shape, value)


def relu(op: Relu, x_shape: Shape) -> Kernel:
    """Requantized, then clamped to the activation's bounds."""

    def value(q: Expr) -> Expr:
        scaled = requantize(_centred(q, op.input), relu_multiplier(op), _CENTRED_BOUND)
        return finish(scaled, op.output.zero_point, op.clamp)

    return _one_operand(op.op, x_shape, value)


def clip(op: Clip, x_shape: Shape) -> Kernel:
    """Held within the clamp; the quantization stays."""
    return _one_operand(op.op, x_shape, lambda q: clamped(q.astype("int32"), op.clamp))


def _centred(q: Expr, affine: Affine) -> Expr:
    """The real number in steps of its scale (numerics.md, N1)."""
    return q.astype("int32") - int32(affine.zero_point)


def _one_operand(name: str, shape: Shape, value: Callable[[Expr], Expr]) -> Kernel:
    x = te.placeholder(shape, "int8", "x")
    out = te.compute(shape, lambda *at: value(x[at]), name=name)
    return Kernel(name, te.create_prim_func([x, out]))


def _two_operands(name: str, lhs_shape: Shape, rhs_shape: Shape, value: Callable[[Expr, Expr], Expr]) -> Kernel:
    lhs, rhs = te.placeholder(lhs_shape, "int8", "lhs"), te.placeholder(rhs_shape, "int8", "rhs")

    def at(*index: Expr) -> Expr:
        return value(lhs[broadcast_index(index, lhs_shape)], rhs[broadcast_index(index, rhs_shape)])

    out = te.compute(np.broadcast_shapes(lhs_shape, rhs_shape), at, name=name)
    return Kernel(name, te.create_prim_func([lhs, rhs, out]))
