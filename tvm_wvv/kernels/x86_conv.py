"""int8 convolution for x86: an implicit matrix product in registers, requantized before it is stored.

The image is copied once into cells (bytes plus 128, or int16) with its padding around it. There the taps of a window's
row lie in one run of memory. A register tile is some neighbouring pixels of a row by some registers of output
channels; each group of cells is broadcast to all lanes and meets one register of weights per tap and block.
Where whole groups make up a pixel, a broadcast serves every tap that reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.ir import Expr
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.kernels.kernel import AS_BY_DEFAULT, Blocking, Kernel, Shape
from tvm_wvv.kernels.microkernel import microkernels
from tvm_wvv.kernels.windows import output_size
from tvm_wvv.kernels.x86_cells import Cells
from tvm_wvv.kernels.x86_output import X86Output, direct_output
from tvm_wvv.kernels.x86_threads import WORTH_SHARING, of_pair, share, shared_out
from tvm_wvv.kernels.x86_vectors import Index, Register, Vectors, broadcast_group, load, prefetch, shifted, stores
from tvm_wvv.quant.operators import Conv2d, FullyConnected, Pair, Window
from tvm_wvv.quant.parameters import conv_multipliers, dense_multipliers

Buffers = dict[str, tirx.Buffer]
Tile = tuple[int, int]
Some = tuple[Index, Index]
# The most accumulators of a register tile.
_SUMS = 16
# Weights, from which on they are asked for before they are needed.
_AHEAD = 1 << 18
# The most that a thread may compute beyond its share of rows, and how many times the image weights are many.
_UNEVEN, _MANY_TIMES = 1.15, 2


@dataclass(frozen=True)
class _Layer:
    """All numbers of one convolution; `tile` is pixels by registers of output channels."""

    vectors: Vectors
    cells: Cells
    size: Pair
    kernel: Pair
    strides: Pair
    outputs: int
    output: X86Output
    tile: Tile

    @property
    def taps(self) -> int:
        """Taps of a window's row that share broadcasts."""
        return shared_taps(self.vectors, self.cells.channels, self.kernel[1])

    @property
    def groups(self) -> int:
        """Groups of one such tap."""
        run = self.cells.channels * self.kernel[1] // self.taps
        return -(-run // self.vectors.group)

    @property
    def line_steps(self) -> int:
        """Weights of one tap and block: one register in each step."""
        return self.kernel[0] * self.groups * self.vectors.lanes * self.vectors.group

    @property
    def ahead(self) -> bool:
        """Whether weights come out of memory, too slowly for the first row of pixels that meets them."""
        return self.line_steps * self.taps * self.blocks >= _AHEAD

    @property
    def blocks(self) -> int:
        """Registers of output channels."""
        return -(-self.outputs // self.vectors.lanes)

    @property
    def columns(self) -> int:
        """Columns of output channels."""
        return self.blocks // self.tile[1]

    @property
    def threads(self) -> int:
        """How many share the work: all or one."""
        products = self.cells.x_shape[0] * self.size[0] * self.size[1] * self.kernel[0] * self.taps * self.groups
        return self.vectors.threads if products * self.blocks // 2 >= WORTH_SHARING else 1

    @property
    def by_rows(self) -> bool:
        """Whether a thread computes rows, rather than columns.

        Rows read what the same core wrote in the layer before, which is much nearer than what another core did;
        columns read weights once that are many times the image. Neither may leave a thread idle for long.
        """
        height = self.size[0]
        most = -(-height // self.vectors.threads) * self.vectors.threads
        weights = self.kernel[0] * self.kernel[1] * self.cells.channels * self.outputs
        even = self.vectors.threads <= height and most <= _UNEVEN * height
        return even and weights < _MANY_TIMES * self.cells.count


def conv2d(
    vectors: Vectors,
    op: Conv2d,
    x_shape: Shape,
    weights: np.ndarray,
    bias: np.ndarray | None,
    blocking: Blocking = AS_BY_DEFAULT,
) -> Kernel | None:
    """Filters are OHWI; `blocking` may set `pixels` and `across` of the register tile. None for groups, dilation, and
    what has no short requantization.
    """
    output = direct_output(
        vectors, weights, bias, (op.input.zero_point, op.output.zero_point), conv_multipliers(op), op.clamp
    )
    if output is None or weights.shape[3] != x_shape[3] or op.window.dilation != (1, 1):
        return None
    size = output_size(x_shape, (weights.shape[1], weights.shape[2]), op.window)
    layer = _layer(vectors, op.window, x_shape, size, weights, op.input.zero_point, output, blocking)
    return _kernel("conv2d", layer, x_shape, weights, (x_shape[0], *size, len(weights)))


def fully_connected(
    vectors: Vectors,
    op: FullyConnected,
    x_shape: Shape,
    weights: np.ndarray,
    bias: np.ndarray | None,
    blocking: Blocking = AS_BY_DEFAULT,
) -> Kernel | None:
    """A 1x1 convolution of one row of pixels, the rows of the input. Weights are OI; `blocking` as for `conv2d`."""
    filters = weights[:, None, None, :]
    output = direct_output(
        vectors, filters, bias, (op.input.zero_point, op.output.zero_point), dense_multipliers(op), op.clamp
    )
    rows = int(np.prod(x_shape)) // weights.shape[1]
    if output is None:
        return None
    shape = (1, 1, rows, weights.shape[1])
    layer = _layer(vectors, Window(), shape, (1, rows), filters, op.input.zero_point, output, blocking)
    return _kernel("fully_connected", layer, x_shape, filters, (rows, len(weights)))


def _layer(
    vectors: Vectors,
    window: Window,
    x_shape: Shape,
    size: Pair,
    weights: np.ndarray,
    zero_point: int,
    output: X86Output,
    blocking: Blocking,
) -> _Layer:
    cells = Cells(vectors, x_shape, window.padding, zero_point)
    kernel = weights.shape[1], weights.shape[2]
    taps = shared_taps(vectors, x_shape[3], kernel[1])
    tile = register_tile(vectors, size[1], -(-len(weights) // vectors.lanes), taps, window.strides[1], blocking)
    return _Layer(vectors, cells, size, kernel, window.strides, len(weights), output, tile)


def _kernel(name: str, layer: _Layer, x_shape: Shape, weights: np.ndarray, y_shape: Shape) -> Kernel:
    """`x_shape` and `y_shape` are those of the buffers, which are read and written as runs of bytes."""
    cells, dtype = layer.cells, layer.vectors.cell
    constants = {"weights": _in_order(layer, weights), **layer.output.constants}
    parameters = {"x": (x_shape, "int8"), **{key: (one.shape, str(one.dtype)) for key, one in constants.items()}}

    def body(scratch: tirx.Buffer, **buffers: tirx.Buffer) -> None:
        images, threads = cells.x_shape[0], layer.threads
        with shared_out(threads) as chunk:
            if threads == 1 or images > 1:
                with T.serial(*share(images, chunk, threads)) as image:
                    cells.copy(buffers["x"], scratch, image)
                    _rows(layer, image, scratch, buffers, (0, layer.size[0]))
            elif layer.by_rows:
                first, last = share(layer.size[0], chunk, threads)
                beyond = (last - 1) * layer.strides[0] + layer.kernel[0]
                cells.copy_lines(buffers["x"], scratch, (first * layer.strides[0], beyond))
                _rows(layer, 0, scratch, buffers, (first, last))
            else:
                cells.copy(buffers["x"], scratch, 0)
                _units(layer, scratch, buffers, share(layer.columns * layer.size[0], chunk, threads))

    parameters["y"] = (y_shape, "int8")
    func = microkernels(name, "", parameters, body, {"scratch": ((cells.count,), dtype)})
    return Kernel(name, func.without_attr("wvv.headers"), tuple(constants.values()))


def shared_taps(vectors: Vectors, channels: int, kernel_w: int) -> int:
    """Taps of a window's row that share broadcasts; 1 where the row is one run of groups across its pixels.

    Sharing keeps a register of weights for each of them, more than 16 registers have room for.
    """
    shared = vectors.registers > 16 and kernel_w <= 7 and channels % vectors.group == 0
    return kernel_w if shared else 1


def register_tile(
    vectors: Vectors, width: int, blocks: int, taps: int, stride: int, blocking: Blocking = AS_BY_DEFAULT
) -> Tile:
    """The best one, or that of `blocking` where it is possible."""
    tiles = register_tiles(vectors, width, blocks, taps, stride)
    asked = blocking.get("pixels", 0), blocking.get("across", 0)
    return asked if asked in tiles else tiles[0]


def register_tiles(vectors: Vectors, width: int, blocks: int, taps: int, stride: int) -> list[Tile]:
    """Pixels and registers of channels; those first whose sums fill the registers best: fewest sums and loads over one
    row.

    More than 16 sums gain nothing: the next tile's first products hide what the last ones wait for.
    """
    costs: dict[Tile, float] = {}
    for across in (one for one in (1, 2, 3, 4) if blocks % one == 0):
        # Beside sums: registers of weights, one broadcast, one for the product of two instructions.
        room = (min(vectors.registers - taps * across - 2, _SUMS)) // across
        for pixels in range(1, min(width, room) + 1):
            steps = -(-width // pixels) * blocks // across
            cells = (pixels - 1) * min(stride, taps) + taps
            # An accumulator is free again after four cycles, in which two units could have begun eight.
            costs[pixels, across] = steps * (taps * max(pixels * across, 8) + 0.3 * (cells + taps * across))
    assert costs, f"no register tile for {width} pixels and {blocks} blocks"
    return sorted(costs, key=lambda tile: costs[tile])


def _in_order(layer: _Layer, weights: np.ndarray) -> np.ndarray:
    """Flat, from (outputs, kh, kw, c): column of blocks, window row, group, tap, block, lane, cell of the group."""
    vectors, (kernel_h, _), across = layer.vectors, layer.kernel, layer.tile[1]
    rows = weights.reshape(len(weights), kernel_h, layer.taps, -1)
    whole = layer.blocks * vectors.lanes, layer.groups * vectors.group
    filled = np.pad(rows, ((0, whole[0] - len(weights)), (0, 0), (0, 0), (0, whole[1] - rows.shape[3])))
    split = filled.reshape(-1, across, vectors.lanes, kernel_h, layer.taps, layer.groups, vectors.group)
    ordered = split.transpose(0, 3, 5, 4, 1, 2, 6)
    return np.ascontiguousarray(ordered.astype(vectors.weight)).reshape(-1)


def _rows(layer: _Layer, image: Index, scratch: tirx.Buffer, buffers: Buffers, rows: Some) -> None:
    """Some rows of outputs of one image; one column of weights stays in the nearest cache over all its rows."""
    with T.serial(layer.columns) as column, T.serial(*rows) as row:
        _row(layer, scratch, buffers, (image, column, row))


def _units(layer: _Layer, scratch: tirx.Buffer, buffers: Buffers, units: Some) -> None:
    """Some of all rows of all columns of the only image, column by column: few weights are read by two threads."""
    with T.serial(*units) as unit:
        _row(layer, scratch, buffers, (0, *of_pair(unit, layer.size[0])))


def _row(layer: _Layer, scratch: tirx.Buffer, buffers: Buffers, at: tuple[Index, Expr, Expr]) -> None:
    pixels, across = layer.tile
    sums = [[Register(layer.vectors.lanes) for _ in range(across)] for _ in range(pixels)]
    (height, width), (image, column, row) = layer.size, at
    with T.serial(-(-width // pixels)) as number:
        # The last tile of a row may lie partly over the one before it and write the same bytes again.
        first = number * pixels if width % pixels == 0 else tirx.min(number * pixels, width - pixels)
        for block in range(across):
            for registers in sums:
                registers[block].set(layer.output.start(buffers, column * across + block))
        ahead = None
        if layer.ahead:
            # Each pass asks for one part of the next column's weights, the last part by all passes that are left.
            part = tirx.min(row * -(-width // pixels) + number, layer.taps * across - 1)
            ahead = ((column + 1) * layer.taps * across + part) * layer.line_steps
        _products(layer, scratch, buffers["weights"], (column, row, first), sums, ahead)
        _finish(layer, buffers, ((image * height + row) * width + first) * layer.outputs, column, sums)


def _finish(layer: _Layer, buffers: Buffers, first: Expr, column: Expr, sums: Sequence[Sequence[Register]]) -> None:
    """The bytes of a register tile whose first one is `first`, as many at a time as a register takes."""
    lanes, across, output = layer.vectors.lanes, layer.tile[1], layer.output
    places = [(pixel, block) for pixel in range(len(sums)) for block in range(across)]
    for begin in range(0, len(places), 4):
        some = places[begin : begin + 4]
        values = [
            output.value(buffers, column * across + block, shifted(sums[pixel][block].value, output.raised, lanes))
            for pixel, block in some
        ]
        held = Register(4 * lanes, "int8")
        held.set(output.bytes(values))

        def put(kept: int, some: Sequence[Tile] = some, held: Register = held) -> None:
            for start, (pixel, block), count in _runs(layer, some, kept):
                place = first + (pixel * layer.outputs + (column * across + block) * lanes)
                stores(buffers["y"], place, held.value, start * lanes, count, 4 * lanes)

        last = layer.outputs - (layer.blocks - 1) * lanes
        if last == lanes or layer.blocks == across:
            put(last)
            continue
        # Only the last column has a block that is not full.
        with T.If(column < layer.blocks // across - 1):
            with T.Then():
                put(lanes)
            with T.Else():
                put(last)


def _runs(layer: _Layer, places: Sequence[Tile], kept: int) -> Iterator[tuple[int, Tile, int]]:
    """Neighbouring bytes among registers that stand one after the other: the first register, its place, how many bytes.

    The last block of a pixel has `kept` bytes.
    """
    lanes, across = layer.vectors.lanes, layer.tile[1]
    counts = [kept if block == across - 1 else lanes for _, block in places]
    first = 0
    for number, (_, block) in enumerate(places):
        joined = counts[number] == lanes and (block < across - 1 or layer.blocks == across)
        if number == len(places) - 1 or not joined:
            yield first, places[first], (number - first) * lanes + counts[number]
            first = number + 1


def _products(
    layer: _Layer,
    scratch: tirx.Buffer,
    weights: tirx.Buffer,
    at: tuple[Expr, Expr, Expr],
    sums: list[list[Register]],
    ahead: Expr | None,
) -> None:
    """All sums of one register tile; each step asks for a line of weights from `ahead` on."""
    vectors, (column, row, first) = layer.vectors, at
    (pixels, across), (stride_h, stride_w) = layer.tile, layer.strides
    channels, line = layer.cells.channels, layer.cells.line
    register = vectors.lanes * vectors.group
    with T.serial(layer.kernel[0]) as tap_row, T.serial(layer.groups) as group:
        step = (column * layer.kernel[0] + tap_row) * layer.groups + group
        of_step = step * (layer.taps * across * register)
        if ahead is not None:
            prefetch(weights, ahead + (tap_row * layer.groups + group) * register)
        read = [
            [load(weights, of_step + (tap * across + block) * register, register) for block in range(across)]
            for tap in range(layer.taps)
        ]
        corner = (row * stride_h + tap_row) * line + first * (stride_w * channels) + group * vectors.group
        for place, users in _readers(pixels, layer.taps, stride_w):
            cells = broadcast_group(scratch, corner + place * channels, vectors.lanes)
            for pixel, tap in users:
                for block in range(across):
                    total = sums[pixel][block]
                    total.set(vectors.dot_product(total.value, cells, read[tap][block]))


def _readers(pixels: int, taps: int, stride: int) -> Iterator[tuple[int, list[Tile]]]:
    """Each column of cells that a tile reads, with the (pixel, tap) pairs that read it."""
    users: dict[int, list[Tile]] = {}
    for pixel in range(pixels):
        for tap in range(taps):
            users.setdefault(pixel * stride + tap, []).append((pixel, tap))
    yield from sorted(users.items())
