"""Operators that only move bytes: pad, reshape, concatenation; one block, named as the operator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from tvm import te, tirx
from tvm.ir import Expr

from tvm_wvv.kernels.fixed_point import clamped
from tvm_wvv.kernels.indices import ravel, unravel
from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.quant.operators import INT8_RANGE, Concat, Pad, Reshape


def pad(op: Pad, x_shape: Shape) -> Kernel:
    """The tensor within a margin of `value`."""
    x = te.placeholder(x_shape, "int8", "x")

    def at(*index: Expr) -> Expr:
        source = tuple(position - before for position, (before, _) in zip(index, op.widths, strict=True))
        bounds = zip(source, x_shape, op.widths, strict=True)
        within = [tirx.all(place >= 0, place < size) for place, size, widths in bounds if any(widths)]
        return tirx.if_then_else(tirx.all(*within), x[source], tirx.const(op.value, "int8")) if within else x[source]

    shape = tuple(size + before + after for size, (before, after) in zip(x_shape, op.widths, strict=True))
    return Kernel(op.op, te.create_prim_func([x, te.compute(shape, at, name=op.op)]))


def reshape(op: Reshape, x_shape: Shape) -> Kernel:
    """A copy under another shape."""
    x = te.placeholder(x_shape, "int8", "x")
    out = te.compute(op.shape, lambda *index: x[unravel(ravel(index, op.shape), x_shape)], name=op.op)
    return Kernel(op.op, te.create_prim_func([x, out]))


def concat(op: Concat, shapes: Sequence[Shape]) -> Kernel:
    """The operands one after the other along the axis, held within the clamp."""
    parts = [te.placeholder(shape, "int8", f"part{i}") for i, shape in enumerate(shapes)]
    ends = list(accumulate(shape[op.axis] for shape in shapes))

    def at(*index: Expr) -> Expr:
        position = index[op.axis]
        starts = [0, *ends[:-1]]
        read = [part[_moved(index, op.axis, start)] for part, start in zip(parts, starts, strict=True)]
        value = read[-1]
        for one, end in zip(reversed(read[:-1]), reversed(ends[:-1]), strict=True):
            value = tirx.if_then_else(position < end, one, value)
        return value if op.clamp == INT8_RANGE else clamped(value.astype("int32"), op.clamp)

    shape = (*shapes[0][: op.axis], ends[-1], *shapes[0][op.axis + 1 :])
    return Kernel(op.op, te.create_prim_func([*parts, te.compute(shape, at, name=op.op)]))


def _moved(index: tuple[Expr, ...], axis: int, start: int) -> tuple[Expr, ...]:
    return (*index[:axis], index[axis] - start, *index[axis + 1 :])
