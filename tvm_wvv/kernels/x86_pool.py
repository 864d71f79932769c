"""Average and maximum pooling, and means over height and width, for x86: lanes run along channels.

Each window is walked within the image, so that padding neither counts nor wins. A quotient is a product and a shift
where these are right for every sum that a window can have, which is tried here (numerics.md, N22).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.ir import Expr
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.microkernel import microkernels
from tvm_wvv.kernels.windows import output_size
from tvm_wvv.kernels.x86_vectors import (
    Index,
    Register,
    Vectors,
    chunks,
    high_of_double,
    narrowed,
    run_of,
    splat,
    vector_type,
)
from tvm_wvv.quant.operators import INT8_RANGE, AveragePool, MaxPool, Mean, Pair, Window
from tvm_wvv.quant.parameters import mean_multiplier

_LEAST, _GREATEST = INT8_RANGE


@dataclass(frozen=True)
class Division:
    """|sum| + count / 2, times the factor of its count, shifted right, is the quotient of every sum of bytes."""

    factors: dict[int, int]
    places: int


def division(counts: Sequence[int]) -> Division | None:
    """For all of these counts; None where a product would not fit int32."""
    for places in range(8, 31):
        factors = {count: -(-(1 << places) // count) for count in counts}
        if any(factor * (-_LEAST * count + count // 2) >= 1 << 31 for count, factor in factors.items()):
            return None
        if all(_is_right(count, factor, places) for count, factor in factors.items()):
            return Division(factors, places)
    return None


def _is_right(count: int, factor: int, places: int) -> bool:
    raised = np.arange(-_LEAST * count + 1, dtype=np.int64) + count // 2
    return bool((raised * factor >> places == raised // count).all())


def average_pool(vectors: Vectors, op: AveragePool, x_shape: Shape) -> Kernel | None:
    """To the nearest integer, halves away from zero. None for dilation and very large windows."""
    size = output_size(x_shape, op.size, op.window)
    counts = sorted({rows * columns for rows in _inside(op, x_shape, 0) for columns in _inside(op, x_shape, 1)})
    found = division(counts)
    if op.window.dilation != (1, 1) or found is None:
        return None

    def finish(total: Expr, count: Expr, lanes: int) -> Expr:
        factor, half = _of_count(found, count), tirx.Broadcast(count >> 1, lanes) if lanes > 1 else count >> 1
        sign = total >> splat(31, lanes)
        raised = ((total ^ sign) - sign) + half
        quotient = (raised * (tirx.Broadcast(factor, lanes) if lanes > 1 else factor)) >> splat(found.places, lanes)
        return narrowed((quotient ^ sign) - sign, op.clamp, lanes)

    def sums(value: Expr, total: Expr, lanes: int) -> Expr:
        return total + tirx.Cast(vector_type("int32", lanes), value)

    walk = _Walk(op.size, op.window, x_shape, size, vectors.lanes)
    return _pool("average_pool", walk, "int32", 0, sums, finish)


def max_pool(vectors: Vectors, op: MaxPool, x_shape: Shape) -> Kernel | None:
    """None for dilation."""
    if op.window.dilation != (1, 1):
        return None

    def finish(value: Expr, _count: Expr, lanes: int) -> Expr:
        low, top = (splat(limit, lanes, "int8") for limit in op.clamp)
        return value if op.clamp == INT8_RANGE else tirx.min(tirx.max(value, low), top)

    def greater(value: Expr, best: Expr, _lanes: int) -> Expr:
        return tirx.max(value, best)

    size = output_size(x_shape, op.size, op.window)
    walk = _Walk(op.size, op.window, x_shape, size, vectors.lanes * 4)
    return _pool("max_pool", walk, "int8", _LEAST, greater, finish)


def mean(vectors: Vectors, op: Mean, x_shape: Shape) -> Kernel | None:
    """Over height and width. None for other axes, and for scales without a short form."""
    if len(x_shape) != 4 or op.axes != (1, 2):
        return None
    count = x_shape[1] * x_shape[2]
    multiplier = mean_multiplier(op, count)
    if 255 * count >= 1 << 30 or not -22 <= multiplier.shift <= -1:
        return None
    places = -multiplier.shift
    rounding = (1 << places >> 1) + (op.output.zero_point << places)

    def finish(total: Expr, _count: Expr, lanes: int) -> Expr:
        centred = total - splat(op.input.zero_point * count, lanes)
        mantissa = splat(multiplier.mantissa, max(lanes // 2, 1), "int64")
        high = high_of_double(centred, (mantissa, mantissa), lanes)
        moved = (high + (high >> splat(31, lanes)) + splat(rounding, lanes)) >> splat(places, lanes)
        return narrowed(moved, INT8_RANGE, lanes)

    def sums(value: Expr, total: Expr, lanes: int) -> Expr:
        return total + tirx.Cast(vector_type("int32", lanes), value)

    walk = _Walk((x_shape[1], x_shape[2]), Window(), x_shape, (1, 1), vectors.lanes)
    batch, channels = x_shape[0], x_shape[3]
    shape = (batch, 1, 1, channels) if op.keep_dims else (batch, channels)
    return _pool("mean", walk, "int32", 0, sums, finish, shape)


@dataclass(frozen=True)
class _Walk:
    """Windows of `kernel` over an image; `lanes` channels at a time."""

    kernel: Pair
    window: Window
    x_shape: Shape
    size: Pair
    lanes: int

    def ends(self, place: Expr, axis: int) -> tuple[Expr, Expr]:
        """From where to where a window lies on the image."""
        first = place * self.window.strides[axis] - self.window.padding[axis]
        if not any(self.window.padding):
            return first, first + self.kernel[axis]
        limit = self.x_shape[1 + axis]
        return tirx.max(first, 0), tirx.min(first + self.kernel[axis], limit)


def _pool(
    name: str,
    walk: _Walk,
    dtype: str,
    start: int,
    step: Callable[[Expr, Expr, int], Expr],
    finish: Callable[[Expr, Expr, int], Expr],
    y_shape: Shape | None = None,
) -> Kernel:
    """`step(value, so far, lanes)` over each window, then `finish(result, how many, lanes)`."""
    (batch, height, width, channels), (rows, columns) = walk.x_shape, walk.size
    shape = y_shape or (batch, rows, columns, channels)

    def body(x: tirx.Buffer, y: tirx.Buffer) -> None:
        with T.serial(batch) as image, T.serial(rows) as row, T.serial(columns) as column:
            (top, below), (left, beyond) = walk.ends(row, 0), walk.ends(column, 1)

            def window(first: Index, lanes: int) -> None:
                best = Register(lanes, dtype)
                best.set(splat(start, lanes, dtype))
                with T.serial(below - top) as down, T.serial(beyond - left) as along:
                    pixel = (image * height + top + down) * width + left + along
                    value = tirx.BufferLoad(x, run_of(x, pixel * channels + first, lanes))
                    best.set(step(value, best.value, lanes))
                place = ((image * rows + row) * columns + column) * channels + first
                result = finish(best.value, (below - top) * (beyond - left), lanes)
                T.buffer_store(y, result, run_of(y, place, lanes))

            chunks(channels, walk.lanes, window)

    func = microkernels(name, "", {"x": (walk.x_shape, "int8"), "y": (shape, "int8")}, body)
    return Kernel(name, func.without_attr("wvv.headers"))


def _inside(op: AveragePool, x_shape: Shape, axis: int) -> set[int]:
    """How many taps along an axis windows have on the image."""
    size, extent = output_size(x_shape, op.size, op.window)[axis], x_shape[1 + axis]
    starts = (place * op.window.strides[axis] - op.window.padding[axis] for place in range(size))
    return {min(first + op.size[axis], extent) - max(first, 0) for first in starts}


def _of_count(found: Division, count: Expr) -> Expr:
    """The factor of a window; a window has one of few counts."""
    (_, first), *others = found.factors.items()
    value: Expr = tirx.const(first, "int32")
    for number, factor in others:
        value = tirx.Select(count == number, tirx.const(factor, "int32"), value)
    return value
