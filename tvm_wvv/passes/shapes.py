"""Output shape of every integer operator and Winograd stage from the shapes of its arguments.

Arguments are the data operands, then the constants. Pure functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvm_wvv.passes.stages import (
    InputTransform,
    OutputTransform,
    RequantizeInput,
    RequantizeProducts,
    Stage,
    TileProduct,
    WinogradRequantize,
    stored_dtype,
)
from tvm_wvv.quant.operators import (
    AveragePool,
    Concat,
    Conv2d,
    DepthwiseConv2d,
    FullyConnected,
    MaxPool,
    Mean,
    Operator,
    Pad,
    Reshape,
    Window,
)
from tvm_wvv.transforms.catalog import read_variant

Shape = tuple[int, ...]


def output_shape(op: Operator, shapes: Sequence[Shape]) -> Shape:
    """The shape of `op`'s result; batch, height, width, channels where the operator is an image operator."""
    first = shapes[0]
    match op:
        case Conv2d():
            outputs, kh, kw, _ = shapes[1]
            return (first[0], *window_extent(op.window, (kh, kw), first), outputs)
        case DepthwiseConv2d():
            _, kh, kw, outputs = shapes[1]
            return (first[0], *window_extent(op.window, (kh, kw), first), outputs)
        case AveragePool() | MaxPool():
            return (first[0], *window_extent(op.window, op.size, first), first[3])
        case FullyConnected():
            outputs, depth = shapes[1]
            return (math.prod(first) // depth, outputs)
        case Mean():
            kept = [(axis, n) for axis, n in enumerate(first) if op.keep_dims or axis not in op.axes]
            return tuple(1 if axis in op.axes else n for axis, n in kept)
        case Pad():
            return tuple(n + before + after for n, (before, after) in zip(first, op.widths, strict=True))
        case Reshape():
            return op.shape
        case Concat():
            total = sum(shape[op.axis] for shape in shapes)
            return (*first[: op.axis], total, *first[op.axis + 1 :])
        case _:
            return broadcast(shapes)


def window_extent(window: Window, kernel: tuple[int, int], image: Shape) -> tuple[int, int]:
    """Rows and columns that a kernel of (kh, kw) gives over an NHWC image."""
    top, left, bottom, right = window.padding
    padded = (image[1] + top + bottom, image[2] + left + right)
    reach = [d * (k - 1) + 1 for d, k in zip(window.dilation, kernel, strict=True)]
    rows, columns = ((p - r) // s + 1 for p, r, s in zip(padded, reach, window.strides, strict=True))
    return rows, columns


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The common shape of operands, extents of 1 stretched, as NumPy does it."""
    rank = max(len(shape) for shape in shapes)
    aligned = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(max(extents) for extents in zip(*aligned, strict=True))


def stage_shape(stage: Stage, shapes: Sequence[Shape]) -> Shape:
    """The shape of a Winograd stage's result; layouts stand in `stages`."""
    first = shapes[0]
    match stage:
        case InputTransform():
            algorithm = read_variant(stage.algorithm).algorithm
            extent = window_extent(Window(padding=stage.padding), algorithm.r, first)
            rows, columns = (-(-n // m) for n, m in zip(extent, algorithm.m, strict=True))
            return (first[0], rows, columns, algorithm.taps, first[3])
        case TileProduct():
            return (*first[:4], shapes[1][1])
        case OutputTransform():
            return (first[0], *stage.size, first[4])
        case RequantizeInput() | RequantizeProducts() | WinogradRequantize():
            return first


def stage_dtype(stage: Stage) -> str:
    """The type of a Winograd stage's result."""
    match stage:
        case InputTransform():
            return stage.dtype
        case RequantizeInput() | RequantizeProducts():
            return stored_dtype(stage.bits)
        case TileProduct() | OutputTransform():
            return "int32"
        case WinogradRequantize():
            return "int8"
