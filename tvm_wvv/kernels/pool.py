"""Average and maximum pooling, NHWC (numerics.md, N22). Positions outside the image neither count nor win."""

from __future__ import annotations

from tvm import te, tirx
from tvm.ir import Expr

from tvm_wvv.kernels.fixed_point import clamped, greatest, int32
from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.windows import inside, output_size
from tvm_wvv.quant.operators import AveragePool, MaxPool, Window


def average_pool(op: AveragePool, x_shape: Shape) -> Kernel:
    """Stages `pool` (sums) and `average`: to the nearest integer, halves away from zero."""
    x = te.placeholder(x_shape, "int8", "x")
    sums = _over_windows(x, op, te.sum, 0)

    def at(n: Expr, row: Expr, column: Expr, c: Expr) -> Expr:
        total, count = sums[n, row, column, c], _count(op, x_shape, row, column)
        half = tirx.truncdiv(count, int32(2))
        outward = total + tirx.Select(total > 0, half, -half)
        return clamped(tirx.truncdiv(outward, count), op.clamp)

    return Kernel(op.op, te.create_prim_func([x, te.compute(sums.shape, at, name="average")]))


def max_pool(op: MaxPool, x_shape: Shape) -> Kernel:
    """Stages `pool` (the greatest value) and `clamp`."""
    x = te.placeholder(x_shape, "int8", "x")
    values = _over_windows(x, op, greatest, -128)
    out = te.compute(values.shape, lambda *at: clamped(values[at], op.clamp), name="clamp")
    return Kernel(op.op, te.create_prim_func([x, out]))


def _over_windows(x: te.Tensor, op: AveragePool | MaxPool, reduce: te.CommReducer, outside: int) -> te.Tensor:
    batch, height, width, channels = (int(size) for size in x.shape)
    window, shape = op.window, (batch, height, width, channels)
    ry, rx = te.reduce_axis((0, op.size[0]), "ry"), te.reduce_axis((0, op.size[1]), "rx")

    def at(n: Expr, row: Expr, column: Expr, c: Expr) -> Expr:
        first_row, first_column = _first(window, row, column)
        y, z = first_row + ry * window.dilation[0], first_column + rx * window.dilation[1]
        value = x[n, y, z, c].astype("int32")
        if any(window.padding):
            value = tirx.if_then_else(inside(y, z, shape), value, int32(outside))
        return reduce(value, axis=[ry, rx])

    return te.compute((batch, *output_size(shape, op.size, window), channels), at, name="pool")


def _first(window: Window, row: Expr, column: Expr) -> tuple[Expr, Expr]:
    """The image position of the window's first tap."""
    return row * window.strides[0] - window.padding[0], column * window.strides[1] - window.padding[1]


def _count(op: AveragePool, x_shape: Shape, row: Expr, column: Expr) -> Expr:
    """How many taps of the window lie on the image."""
    if not any(op.window.padding):
        return int32(op.size[0] * op.size[1])
    rows, columns = (
        _taps_inside(first, size, taps, step)
        for first, size, taps, step in zip(
            _first(op.window, row, column), x_shape[1:3], op.size, op.window.dilation, strict=True
        )
    )
    return rows * columns


def _taps_inside(first: Expr, size: int, taps: int, step: int) -> Expr:
    """Of the positions first, first + step, ... those within 0 .. size - 1."""
    # Both counts run from the first tap; the operands of the divisions are not negative.
    before = tirx.truncdiv(tirx.max(-first, int32(0)) + (step - 1), int32(step))
    until = tirx.truncdiv(tirx.max(size - first, int32(0)) + (step - 1), int32(step))
    return tirx.min(until, int32(taps)) - before
