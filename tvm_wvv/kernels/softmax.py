"""int8 softmax over the last axis in TFLite's fixed-point arithmetic (numerics.md, N24): a table of exponentials, one
reciprocal a row.

Stages `peak`, `total`, `headroom`, `half`, `newton0` and on, `softmax`. `quant.softmax` explains the numbers and makes
the table.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from tvm import te, tirx
from tvm.ir import Expr

from tvm_wvv.kernels.fixed_point import clamped, greatest, high_multiply, int32
from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.quant.operators import INT8_RANGE, Softmax
from tvm_wvv.quant.softmax import NEWTON_SLOPE, NEWTON_START, NEWTON_STEPS, ONE_Q0, ONE_Q2, SUM_BITS, exp_table

_OUTPUT_BITS = 8  # the output has scale 2^-8


def softmax(op: Softmax, x_shape: Shape) -> Kernel:
    """Rows of up to 4096 entries; the output has scale 1/256 and zero point -128."""
    rows, size = x_shape[:-1], x_shape[-1]
    x, table = te.placeholder(x_shape, "int8", "x"), te.placeholder((256,), "int32", "exponentials")
    j, k, bit = te.reduce_axis((0, size), "j"), te.reduce_axis((0, size), "k"), te.reduce_axis((0, 32), "bit")
    peak = te.compute(rows, lambda *r: greatest(x[_at(r, j)].astype("int32"), axis=j), name="peak")

    def exponential(r: tuple[Expr, ...], place: Expr) -> Expr:
        return table[peak[r] - x[_at(r, place)].astype("int32")]

    total = te.compute(rows, lambda *r: te.sum(_without_sum_bits(exponential(r, k)), axis=k), name="total")
    # Leading zeros as a count of the powers of two above the sum: C has no portable operator for them.
    headroom = te.compute(
        rows,
        lambda *r: te.sum(tirx.Cast("int32", total[r] >> bit == 0), axis=bit),
        name="headroom",
    )
    inverse = _reciprocal(total, headroom)

    def value(*index: Expr) -> Expr:
        r = index[:-1]
        share = high_multiply(exponential(r, index[-1]), _to_q0(inverse[r]))
        return clamped(_shift_right(share, 31 - _OUTPUT_BITS + SUM_BITS - headroom[r]) + INT8_RANGE[0], INT8_RANGE)

    out = te.compute(x_shape, value, name="softmax")
    return Kernel(op.op, te.create_prim_func([x, table, out]), (np.array(exp_table(op), np.int32),))


def _at(row: tuple[Expr, ...], place: Expr) -> tuple[Expr, ...]:
    return (*row, place)


def _without_sum_bits(exponential: Expr) -> Expr:
    """Rounded to the sum's format, halves up; written so that nothing passes 31 bits."""
    return (exponential >> SUM_BITS) + (exponential >> (SUM_BITS - 1) & 1)


def _reciprocal(total: te.Tensor, headroom: te.Tensor) -> te.Tensor:
    """The reciprocal of `quant.softmax`, in Q2.29; a stage a step, as an expression would double at each."""

    def mean_with_one(*r: Expr) -> Expr:
        fraction = (total[r].astype("int64") << headroom[r].astype("int64")) - _int64(1 << 31)
        return tirx.Cast("int32", (fraction + _int64(ONE_Q0 + 1)) >> _int64(1))

    half = te.compute(total.shape, mean_with_one, name="half")
    start = int32(NEWTON_START)
    inverse = te.compute(total.shape, lambda *r: start + high_multiply(half[r], int32(NEWTON_SLOPE)), name="newton0")
    for step in range(1, NEWTON_STEPS + 1):
        inverse = te.compute(total.shape, partial(_newton, inverse, half), name=f"newton{step}")
    return inverse


def _newton(before: te.Tensor, half: te.Tensor, *r: Expr) -> Expr:
    return before[r] + (high_multiply(before[r], int32(ONE_Q2) - high_multiply(half[r], before[r])) * int32(4))


def _to_q0(inverse: Expr) -> Expr:
    """From Q2.29; one itself does not fit and becomes the greatest value below."""
    return tirx.Cast("int32", tirx.min(inverse.astype("int64") << _int64(1), _int64(ONE_Q0)))


def _shift_right(value: Expr, places: Expr) -> Expr:
    """Of a value >= 0, halves up. 64 bits, for long rows shift by more than 31 places."""
    wide = places.astype("int64")
    return tirx.Cast("int32", (value.astype("int64") + (_int64(1) << wide >> _int64(1))) >> wide)


def _int64(value: int) -> Expr:
    return tirx.const(value, "int64")
