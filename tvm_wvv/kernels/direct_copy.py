"""Padding and concatenation as calls of the microkernels of `wvv_copy.h`: runs of bytes, as long as they are whole."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from tvm import tirx
from tvm.ir import Expr

from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.microkernel import at, call, microkernels
from tvm_wvv.quant.operators import INT8_RANGE, Concat, Pad

# Calls stand one after the other for each image.
_MOST_IMAGES = 4


def concat(op: Concat, shapes: Sequence[Shape]) -> Kernel | None:
    """None with a clamp."""
    if op.clamp != INT8_RANGE:
        return None
    rows, axis = math.prod(shapes[0][: op.axis]), op.axis
    runs = [math.prod(shape[axis:]) for shape in shapes]
    output = (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])

    def body(**buffers: tirx.Buffer) -> None:
        *parts, y = buffers.values()
        place = 0
        for part, run in zip(parts, runs, strict=True):
            call("wvv_copy_rows", _address(part, 0), _address(y, place), rows, run, sum(runs))
            place += run

    parameters = {**{f"part{i}": (shape, "int8") for i, shape in enumerate(shapes)}, "y": (output, "int8")}
    return Kernel(op.op, microkernels("wvv_copy", "wvv_copy.h", parameters, body))


def pad(op: Pad, x_shape: Shape) -> Kernel | None:
    """None where more is padded than two neighbouring axes, or for many images."""
    output = tuple(size + before + after for size, (before, after) in zip(x_shape, op.widths, strict=True))
    padded = [axis for axis, widths in enumerate(op.widths) if any(widths)]
    first = padded[0] if padded else 0
    images = math.prod(x_shape[:first])
    if any(axis > first + 1 for axis in padded) or images > _MOST_IMAGES:
        return None

    def body(x: tirx.Buffer, y: tirx.Buffer) -> None:
        for image in range(images):
            read, written = (image * math.prod(shape[first:]) for shape in (x_shape, output))
            for offset, rows, size, step in _fills(op, x_shape, output, first):
                call("wvv_fill_rows", _address(y, written + offset), op.value, rows, size, step)
            offset, rows, size, step = _rows(op, x_shape, output, first)
            call("wvv_copy_rows", _address(x, read), _address(y, written + offset), rows, size, step)

    parameters = {"x": (x_shape, "int8"), "y": (output, "int8")}
    return Kernel(op.op, microkernels("wvv_copy", "wvv_copy.h", parameters, body))


Runs = tuple[int, int, int, int]


def _rows(op: Pad, x_shape: Shape, output: Shape, first: int) -> Runs:
    """Of one image the offset of its first row in the output, rows, bytes of one, and from one to the next."""
    size, step = math.prod(x_shape[first + 1 :]), math.prod(output[first + 1 :])
    inner = math.prod(x_shape[first + 2 :])
    left = op.widths[first + 1][0] if first + 1 < len(op.widths) else 0
    return op.widths[first][0] * step + left * inner, x_shape[first], size, step


def _fills(op: Pad, x_shape: Shape, output: Shape, first: int) -> Iterator[Runs]:
    """What is before the first row, between the rows, and behind the last one."""
    offset, rows, size, step = _rows(op, x_shape, output, first)
    end = offset + (rows - 1) * step + size
    fills = [(0, 1, offset, 0), (offset + size, rows - 1, step - size, step)]
    fills.append((end, 1, math.prod(output[first:]) - end, 0))
    return (one for one in fills if one[1] * one[2])


def _address(buffer: tirx.Buffer, offset: int) -> Expr:
    """Of the byte `offset` places behind the first."""
    shape = [int(size) for size in buffer.shape]
    return at(buffer, *(int(place) for place in np.unravel_index(offset, shape)))
