"""int8 depthwise convolution for x86: a window's column is one group of a dot product, lanes run along channels.

For each output row the rows under its windows are woven together: the cells that one column of a window has in one
channel become neighbours, as many as a group of a dot product takes (rows that are missing meet weights of zero). Then
an output register is one dot product for each column of the window. With stride 1 lanes run on from pixel to pixel
where the channels divide a register.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

import numpy as np
from tvm import tirx
from tvm.ir import Expr
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.microkernel import microkernels
from tvm_wvv.kernels.windows import output_size
from tvm_wvv.kernels.x86_cells import Cells
from tvm_wvv.kernels.x86_output import X86Output, direct_output
from tvm_wvv.kernels.x86_vectors import (
    Index,
    Register,
    Vectors,
    chunks,
    load,
    narrowed,
    shifted,
    splat,
    store,
    stores,
    vector_type,
)
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.operators import DepthwiseConv2d, Pair
from tvm_wvv.quant.parameters import conv_multipliers

Buffers = dict[str, tirx.Buffer]


@dataclass(frozen=True)
class _Layer:
    """`units` runs of `run` channels make up an output row; a unit's input begins `advance` cells behind the last."""

    vectors: Vectors
    cells: Cells
    size: Pair
    kernel: Pair
    strides: Pair
    output: X86Output
    units: int
    run: int
    advance: int

    @property
    def groups(self) -> int:
        """Groups of rows that cover a window's height."""
        return -(-self.kernel[0] // self.vectors.group)

    @property
    def blocks(self) -> int:
        """Registers of a unit."""
        return -(-self.run // self.vectors.lanes)

    @property
    def woven(self) -> int:
        """Cells of a group of rows, with those that the last register reads beyond."""
        return (self.cells.line + self.vectors.lanes) * self.vectors.group


def depthwise_conv2d(
    vectors: Vectors, op: DepthwiseConv2d, x_shape: Shape, weights: np.ndarray, bias: np.ndarray | None
) -> Kernel | None:
    """Filters are (1, kh, kw, c). None for dilation, several outputs a channel, and what has no short requantization;
    nor where a register would hold less than half of what it can.
    """
    kernel, channels = (weights.shape[1], weights.shape[2]), x_shape[3]
    size = output_size(x_shape, kernel, op.window)
    flat = _flat(vectors, channels, op.window.strides[1], size[1])
    run = vectors.lanes if flat else channels
    if op.window.dilation != (1, 1) or op.multiplier != 1 or 2 * run < vectors.lanes:
        return None
    filters, given, multipliers = _repeated(weights[0], bias, conv_multipliers(op), run // channels if flat else 1)
    zero_points = op.input.zero_point, op.output.zero_point
    output = direct_output(vectors, np.moveaxis(filters, 2, 0), given, zero_points, multipliers, op.clamp)
    if output is None:
        return None
    units, advance = (size[1] * channels // run, run) if flat else (size[1], op.window.strides[1] * channels)
    cells = Cells(vectors, x_shape, _reaching(vectors, op, x_shape, size, kernel[0]), op.input.zero_point)
    layer = _Layer(vectors, cells, size, kernel, op.window.strides, output, units, run, advance)
    return _kernel(layer, x_shape, filters, (x_shape[0], *size, channels))


def _flat(vectors: Vectors, channels: int, stride: int, width: int) -> bool:
    """Whether an output row is whole registers of neighbouring pixels."""
    return stride == 1 and vectors.lanes % channels == 0 and width * channels % vectors.lanes == 0


def _repeated(
    taps: np.ndarray, bias: np.ndarray | None, multipliers: Sequence[Multiplier], times: int
) -> tuple[np.ndarray, np.ndarray | None, Sequence[Multiplier]]:
    """What belongs to channels, for as many pixels as a register holds."""
    each = list(multipliers) * times if len(multipliers) > 1 else multipliers
    return np.tile(taps, (1, 1, times)), None if bias is None else np.tile(bias, times), each


def _reaching(
    vectors: Vectors, op: DepthwiseConv2d, x_shape: Shape, size: Pair, kernel_h: int
) -> tuple[int, int, int, int]:
    """The padding, with rows below for the last group of rows."""
    top, left, bottom, right = op.window.padding
    rows = (size[0] - 1) * op.window.strides[0] + -(-kernel_h // vectors.group) * vectors.group
    return top, left, max(bottom, rows - top - x_shape[1]), right


def _kernel(layer: _Layer, x_shape: Shape, filters: np.ndarray, y_shape: Shape) -> Kernel:
    dtype = layer.vectors.cell
    constants = {"weights": _in_order(layer, filters), **layer.output.constants}
    parameters = {"x": (x_shape, "int8"), **{key: (one.shape, str(one.dtype)) for key, one in constants.items()}}
    scratch = {
        "image": ((layer.cells.count + layer.vectors.lanes,), dtype),
        "woven": ((layer.groups * layer.woven,), dtype),
    }

    def body(image: tirx.Buffer, woven: tirx.Buffer, **buffers: tirx.Buffer) -> None:
        with T.serial(x_shape[0]) as number:
            layer.cells.copy(buffers["x"], image, number)
            with T.serial(layer.size[0]) as row:
                for group in range(layer.groups):
                    _weave(layer, image, woven, row, group)
                with T.serial(layer.blocks) as block, T.serial(layer.units) as unit:
                    _register(layer, woven, buffers, (number, row, unit), block)

    func = microkernels("depthwise_conv2d", "", {**parameters, "y": (y_shape, "int8")}, body, scratch)
    return Kernel("depthwise_conv2d", func.without_attr("wvv.headers"), tuple(constants.values()))


def _in_order(layer: _Layer, filters: np.ndarray) -> np.ndarray:
    """Flat, from (kh, kw, run): register, group of rows, column, lane, row of the group."""
    vectors, (kernel_h, kernel_w) = layer.vectors, layer.kernel
    whole = layer.groups * vectors.group, layer.blocks * vectors.lanes
    filled = np.pad(filters, ((0, whole[0] - kernel_h), (0, 0), (0, whole[1] - filters.shape[2])))
    split = filled.reshape(layer.groups, vectors.group, kernel_w, layer.blocks, vectors.lanes)
    return np.ascontiguousarray(split.transpose(3, 0, 2, 4, 1).astype(vectors.weight)).reshape(-1)


def _weave(layer: _Layer, image: tirx.Buffer, woven: tirx.Buffer, row: Expr, group: int) -> None:
    """The cells of a group's rows side by side, column after column: each in its place of a 32-bit word."""
    size, line, dtype = layer.vectors.group, layer.cells.line, layer.vectors.cell
    rows, bits = min(size, layer.kernel[0] - group * size), 32 // size
    top = (row * layer.strides[0] + group * size) * line

    def put(first: Index, lanes: int) -> None:
        places = [splat(number * bits, lanes, "uint32") for number in range(rows)]
        cells = [load(image, top + number * line + first, lanes) for number in range(rows)]
        words = [_word(one, dtype, lanes) << place for one, place in zip(cells, places, strict=True)]
        value = tirx.reinterpret(f"{dtype}x{lanes * size}", reduce(or_, words))
        store(woven, value, group * layer.woven + first * size, lanes * size)

    chunks(line, layer.vectors.lanes, put)


def _word(cells: Expr, dtype: str, lanes: int) -> Expr:
    """Cells as 32-bit numbers, zeros above."""
    unsigned = tirx.reinterpret(vector_type("uint16", lanes), cells) if dtype == "int16" else cells
    return tirx.Cast(vector_type("uint32", lanes), unsigned)


def _register(layer: _Layer, woven: tirx.Buffer, buffers: Buffers, at: tuple[Expr, Expr, Expr], block: Expr) -> None:
    """One register of outputs."""
    (number, row, unit), vectors = at, layer.vectors
    (height, width), lanes, whole = layer.size, vectors.lanes, vectors.lanes * vectors.group
    total = Register(lanes)
    total.set(layer.output.start(buffers, block))
    for group in range(layer.groups):
        for column in range(layer.kernel[1]):
            place = unit * layer.advance + column * layer.cells.channels + block * lanes
            cells = load(woven, group * layer.woven + place * vectors.group, whole)
            step = (block * layer.groups + group) * layer.kernel[1] + column
            total.set(vectors.dot_product(total.value, cells, load(buffers["weights"], step * whole, whole)))
    output = layer.output
    sums = output.value(buffers, block, shifted(total.value, output.raised, lanes))
    value = narrowed(sums, output.clamp, lanes)
    channels = layer.cells.channels
    first = (number * height + row) * (width * channels) + unit * layer.run + block * lanes
    rest = layer.run - (layer.blocks - 1) * lanes
    if rest == lanes:
        stores(buffers["y"], first, value, 0, lanes, lanes)
        return
    with T.If(block < layer.blocks - 1):
        with T.Then():
            stores(buffers["y"], first, value, 0, lanes, lanes)
        with T.Else():
            stores(buffers["y"], first, value, 0, rest, lanes)
