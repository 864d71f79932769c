"""Exact Winograd convolution for x86: int16 operands, int32 sums modulo 2^32 (numerics.md, N12).

For a group of tiles: V of all of them, vectors along channels; then, for one column of output channels after the other,
M of every tap as a matrix product in registers, and at once the outputs, vectors along output channels. U streams
through the caches once a group. The bytes are those of `kernels.winograd`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import numpy as np
from tvm import tirx
from tvm.ir import Expr
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.kernels.kernel import AS_BY_DEFAULT, Blocking, Kernel, Shape
from tvm_wvv.kernels.microkernel import microkernels
from tvm_wvv.kernels.x86_cells import Cells
from tvm_wvv.kernels.x86_filters import Filters, Form, form_of
from tvm_wvv.kernels.x86_output import X86Output
from tvm_wvv.kernels.x86_threads import WORTH_SHARING, share, shared_out
from tvm_wvv.kernels.x86_vectors import (
    Index,
    Register,
    Vectors,
    broadcast_group,
    load,
    shifted,
    splat,
    store,
    stores,
    wide,
    wrapped,
)
from tvm_wvv.quant.operators import Window
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid
from tvm_wvv.transforms.modular import quotient
from tvm_wvv.transforms.straight_line import outputs

# The most tiles whose V and M are held at a time. More would read U less often, and leave the second cache.
_TILES = 49
# Loads, in products: of weights, which come from afar, and of what is broadcast.
_WEIGHTS, _LOAD = 0.9, 0.3
_PAIR = 2
# U is many times V.
_MANY_TIMES = 8


@dataclass(frozen=True)
class _Layer:
    """All numbers of one layer. `tiles` go together; `register_tile` is tiles by registers of output channels."""

    vectors: Vectors
    grid: Grid
    cells: Cells
    output: X86Output
    filters: Filters
    tiles: int
    register_tile: tuple[int, int]

    @property
    def algorithm(self) -> Algorithm:
        """What it is computed by."""
        return self.grid.algorithm

    @property
    def channels(self) -> int:
        """Input channels."""
        return self.grid.x_shape[3]

    @property
    def outputs(self) -> int:
        """Output channels."""
        return int(self.filters.u.shape[1])

    @property
    def width(self) -> int:
        """int16 lanes of the input transform: as many as a register has and the channels divide into."""
        return next(lanes for lanes in (2 * self.vectors.lanes, self.vectors.lanes) if self.channels % lanes == 0)

    @property
    def v_step(self) -> int:
        """Cells from one tap of V to the next. Were it a power of two, all taps would meet in a few sets of a cache."""
        return _odd_lines(self.tiles * self.channels, 32)

    @property
    def m_step(self) -> int:
        """The same of M."""
        return _odd_lines(self.tiles * self.register_tile[1] * self.vectors.lanes, 16)

    @property
    def all_tiles(self) -> int:
        """Tiles of one image."""
        return self.grid.tiles[0] * self.grid.tiles[1]

    @property
    def groups(self) -> int:
        """Groups of tiles in one image."""
        return -(-self.all_tiles // self.tiles)


def _odd_lines(count: int, line: int) -> int:
    return (-(-count // line) | 1) * line


def fits(vectors: Vectors, x_shape: Shape, outputs: int) -> bool:
    """Whether channels fill whole registers."""
    return x_shape[3] % vectors.lanes == 0 and outputs % vectors.lanes == 0


def winograd_conv2d(
    vectors: Vectors,
    algorithm: Algorithm,
    window: Window,
    zero_point: int,
    x_shape: Shape,
    u: np.ndarray,
    output: X86Output,
    form: Form | None = None,
    blocking: Blocking = AS_BY_DEFAULT,
) -> Kernel:
    """x int8 NHWC -> int8 NHWC; `u` is U int16 [tap, o, c], which the kernel holds in `form`. `blocking` may set
    `tiles`, and `down` and `across` of the register tile.
    """
    grid = Grid(algorithm, x_shape, window.padding)
    top, left = window.padding[:2]
    below, beyond = grid.padded[0] - top - x_shape[1], grid.padded[1] - left - x_shape[2]
    cells = Cells(vectors, x_shape, (top, left, below, beyond), zero_point, centred=True)
    outputs_ = u.shape[1]
    all_tiles, registers = grid.tiles[0] * grid.tiles[1], outputs_ // vectors.lanes
    dots = x_shape[0] * all_tiles * algorithm.taps * registers * x_shape[3] // _PAIR
    threads = vectors.threads if dots // 2 >= WORTH_SHARING else 1
    threads_of_image = threads if x_shape[0] == 1 else 1
    # Few tiles, so that U is most of what is read: each thread reads its own columns of it.
    by_columns = threads_of_image > 1 and all_tiles <= _TILES and outputs_ > _MANY_TIMES * all_tiles
    tiles, register_tile = grouping(vectors, all_tiles, registers, blocking, threads_of_image, by_columns)
    form = form or form_of(algorithm, all_tiles, x_shape[3], outputs_)
    filters = Filters(vectors, algorithm, u, register_tile[1], form)
    layer = _Layer(vectors, grid, cells, output, filters, tiles, register_tile)
    constants = {"filters": filters.constant, **output.constants}
    parameters = {"x": (x_shape, "int8"), **{name: (one.shape, str(one.dtype)) for name, one in constants.items()}}
    scratch = {
        "image": ((cells.count,), "int16"),
        "v": ((algorithm.taps * layer.v_step,), "int16"),
        "m": ((algorithm.taps * layer.m_step,), "int32"),
        **({"u": ((filters.scratch,), "int16")} if filters.scratch else {}),
    }

    def body(image: tirx.Buffer, v: tirx.Buffer, m: tirx.Buffer, **buffers: tirx.Buffer) -> None:
        _body(layer, threads, (image, v, m), buffers, by_columns)

    shape = grid.out_shape(outputs_)
    func = microkernels("winograd", "", {**parameters, "y": (shape, "int8")}, body, scratch)
    return Kernel(f"winograd_{algorithm.name}_conv2d", func.without_attr("wvv.headers"), tuple(constants.values()))


def _body(
    layer: _Layer,
    threads: int,
    scratch: tuple[tirx.Buffer, tirx.Buffer, tirx.Buffer],
    buffers: dict[str, tirx.Buffer],
    by_columns: bool,
) -> None:
    """Images, or groups of tiles, or columns of U, for each thread."""
    (image, v, m), cells, tiles = scratch, layer.cells, layer.tiles
    images = cells.x_shape[0]

    def groups(number: Index, some: tuple[Index, Index]) -> None:
        with T.serial(*some) as group:
            # The last group may hold tiles of the one before it, and make their bytes again; where another thread has
            # that one, both write the same.
            first = tirx.min(group * tiles, layer.all_tiles - tiles)
            _inputs(layer, image, v, first, (0, tiles))
            _columns(layer, v, m, buffers, (number, first), (0, layer.filters.columns))

    if layer.filters.form == "whole":
        with shared_out(threads) as chunk:
            layer.filters.before(buffers, share(layer.filters.columns, chunk, threads))
    with shared_out(threads) as chunk:
        if threads == 1 or images > 1:
            with T.serial(*share(images, chunk, threads)) as number:
                cells.copy(buffers["x"], image, number)
                groups(number, (0, layer.groups))
        elif not by_columns:
            some = share(layer.groups, chunk, threads)
            cells.copy_lines(buffers["x"], image, _lines(layer, some))
            groups(0, some)
        else:
            some = share(tiles, chunk, threads)
            cells.copy_lines(buffers["x"], image, _lines_of_tiles(layer, some))
            _inputs(layer, image, v, 0, some)
    if by_columns:
        with shared_out(threads) as chunk:
            _columns(layer, v, m, buffers, (0, 0), share(layer.filters.columns, chunk, threads))


def grouping(
    vectors: Vectors,
    tiles: int,
    registers: int,
    blocking: Blocking = AS_BY_DEFAULT,
    threads: int = 1,
    by_columns: bool = False,
) -> tuple[int, tuple[int, int]]:
    """How many of an image's tiles go together, and the register tile: the best, or that of `blocking` if possible."""
    found = groupings(vectors, tiles, registers, threads, by_columns)
    asked = blocking.get("tiles", 0), (blocking.get("down", 0), blocking.get("across", 0))
    return asked if asked in found else found[0]


def groupings(
    vectors: Vectors, tiles: int, registers: int, threads: int = 1, by_columns: bool = False
) -> list[tuple[int, tuple[int, int]]]:
    """All of them, those first that need the fewest cycles for all products.

    Loads cost less than products, and a group that does not divide the image makes some tiles twice. Threads share
    the groups out, or the columns of the only group; what counts is the thread that has most.
    """
    room = vectors.registers // 2 if vectors.registers > 16 else 8
    choices = [
        (group, (down, across))
        for group in (range(tiles, tiles + 1) if by_columns else range(1, min(tiles, _TILES) + 1))
        for across in (4, 2, 1)
        for down in range(1, room // across + 1)
        if registers % across == 0 and group % down == 0
    ]

    def cost(choice: tuple[int, tuple[int, int]]) -> float:
        group, (down, across) = choice
        # An accumulator is free again after four cycles, in which two units could have begun eight.
        idle = max(1.0, 8 / (down * across))
        groups, columns = -(-tiles // group), registers // across
        most = group * -(-columns // threads) / columns if by_columns else -(-groups // threads) * group
        return most * idle * (1 + _WEIGHTS / down + _LOAD / across)

    return sorted(choices, key=lambda choice: (cost(choice), -choice[0]))


class _Values:
    """Values of a straight-line program, each in a register of its own until nothing needs it."""

    def __init__(self, lanes: int, dtype: str) -> None:
        self._lanes, self._dtype = lanes, dtype

    def keep(self, value: Expr) -> Expr:
        """Compute it now; what comes back stands for it."""
        register = Register(self._lanes, self._dtype)
        register.set(value)
        return register.value


def _input(layer: _Layer, image: tirx.Buffer, v: tirx.Buffer, tile: Expr, place: Expr, part: Expr) -> None:
    """V of some channels of one tile, as [tap, tile, channel]."""
    algorithm, width, channels = layer.algorithm, layer.width, layer.channels
    columns, tile_w = layer.grid.tiles[1], algorithm.tile[1]
    corner = tile // columns * (algorithm.m[0] * layer.cells.line) + tile % columns * (algorithm.m[1] * channels)
    values = _Values(width, "int16")

    def cell(number: int) -> Expr:
        down, along = divmod(number, tile_w)
        return values.keep(load(image, corner + (down * layer.cells.line + along * channels) + part * width, width))

    for tap, value in enumerate(outputs(algorithm.input_program, cell, values.keep)):
        store(v, value, tap * layer.v_step + place * channels + part * width, width)


def _lines(layer: _Layer, groups: tuple[Index, Index]) -> tuple[Index, Index]:
    """Lines of cells that some groups read."""
    ends = groups[0], tirx.max(groups[1] - 1, 0)
    first, last = (tirx.min(one * layer.tiles, layer.all_tiles - layer.tiles) for one in ends)
    return _lines_of_tiles(layer, (first, last + layer.tiles))


def _lines_of_tiles(layer: _Layer, tiles: tuple[Index, Index]) -> tuple[Index, Index]:
    """Lines of cells that some tiles read."""
    columns, m_h = layer.grid.tiles[1], layer.algorithm.m[0]
    first, last = (tirx.floordiv(one, columns) * m_h for one in (tiles[0], tiles[1] - 1))
    return first, last + layer.algorithm.tile[0]


def _inputs(layer: _Layer, image: tirx.Buffer, v: tirx.Buffer, first: Index, some: tuple[Index, Index]) -> None:
    """V of some tiles of the group that begins with tile `first`."""
    with T.serial(*some) as tile, T.serial(layer.channels // layer.width) as part:
        _input(layer, image, v, first + tile, tile, part)


def _columns(
    layer: _Layer,
    v: tirx.Buffer,
    m: tirx.Buffer,
    buffers: dict[str, tirx.Buffer],
    at: tuple[Index, Index],
    some: tuple[Index, Index],
) -> None:
    """The outputs of one group in some columns; `at` is the image and the group's first tile."""
    number, first = at
    with T.serial(*some) as column:
        for part in layer.filters.ready(buffers, column):
            _products(layer, v, buffers.get("u", buffers["filters"]), m, column, part)
        with T.serial(layer.tiles) as tile, T.serial(layer.register_tile[1]) as block:
            _output(layer, m, buffers, (number, first + tile, tile), column, block)


def _products(layer: _Layer, v: tirx.Buffer, u: tirx.Buffer, m: tirx.Buffer, column: Expr, part: range) -> None:
    """M as [tap, tile, register, lane] of one column of output channels and some taps."""
    (down, across), lanes = layer.register_tile, layer.vectors.lanes
    pairs = layer.channels // _PAIR
    sums = [[Register(lanes) for _ in range(across)] for _ in range(down)]
    with T.serial(len(part)) as number, T.serial(layer.tiles // down) as group:
        tap = number + part.start
        for one in (register for row in sums for register in row):
            one.set(splat(0, lanes))
        first = group * down
        with T.serial(pairs) as pair:
            step = layer.filters.start(column, tap, part) + pair * (across * lanes * _PAIR)
            weights = [load(u, step + block * lanes * _PAIR, lanes * _PAIR) for block in range(across)]
            for tile, row in enumerate(sums):
                cells = broadcast_group(v, tap * layer.v_step + (first + tile) * layer.channels + pair * _PAIR, lanes)
                for total, weight in zip(row, weights, strict=True):
                    total.set(layer.vectors.dot_product16(total.value, cells, weight))
        for tile, row in enumerate(sums):
            for block, total in enumerate(row):
                store(m, total.value, tap * layer.m_step + ((first + tile) * across + block) * lanes, lanes)


def _output(
    layer: _Layer,
    m: tirx.Buffer,
    buffers: dict[str, tirx.Buffer],
    at: tuple[Index, Expr, Expr],
    column: Expr,
    block: Expr,
) -> None:
    """The outputs of one tile and one register of channels; rows and columns beyond the image are left out."""
    algorithm, lanes, (number, tile, place) = layer.algorithm, layer.vectors.lanes, at
    across, columns = layer.register_tile[1], layer.grid.tiles[1]
    (m_h, m_w), (height, width) = algorithm.m, layer.grid.output
    values = _Values(lanes, "int32")

    def keep(value: Expr) -> Expr:
        return wide(values.keep(wrapped(value, lanes)), lanes)

    def entry(tap: int) -> Expr:
        return keep(wide(load(m, tap * layer.m_step + (place * across + block) * lanes, lanes), lanes))

    register, row, left = column * across + block, tile // columns * m_h, tile % columns * m_w
    results = (
        layer.output.value(buffers, register, _sum(layer, buffers, register, value))
        for value in outputs(algorithm.output_program, entry, keep)
    )
    for begin in range(0, m_h * m_w, 4):
        some = [values.keep(one) for one in islice(results, 4)]
        held = Register(4 * lanes, "int8")
        held.set(layer.output.bytes(some))
        for k in range(begin, begin + len(some)):
            h, w = row + k // m_w, left + k % m_w
            with _where(_inside(h, w, k, algorithm, layer.grid.output)):
                first = ((number * height + h) * width + w) * layer.outputs + register * lanes
                stores(buffers["y"], first, held.value, (k - begin) * lanes, lanes, 4 * lanes)


def _sum(layer: _Layer, buffers: dict[str, tirx.Buffer], register: Expr, value: Expr) -> Expr:
    """What the output stage takes, of `scale` times a sum modulo 2^32."""
    lanes, output, division = layer.vectors.lanes, layer.output, quotient(layer.algorithm.scale)
    # As a signed number: products of 33 and 32 bits fit.
    inverse = division.inverse - (division.inverse >> 31 << 32)
    whole = value if inverse == 1 else wide(wrapped(value, lanes), lanes) * splat(inverse, lanes, "int64")
    total = shifted(wrapped(whole, lanes), output.raised - division.shift, lanes)
    return total + shifted(output.start(buffers, register), output.raised, lanes)


def _inside(h: Expr, w: Expr, k: int, algorithm: Algorithm, size: tuple[int, int]) -> list[Expr]:
    """Conditions under which output k of a tile lies on the image, where that is not always so."""
    m_h, m_w = algorithm.m
    last = [(extent - 1) % m for extent, m in zip(size, (m_h, m_w), strict=True)]
    return [
        place < extent
        for place, extent, inner, end in ((h, size[0], k // m_w, last[0]), (w, size[1], k % m_w, last[1]))
        if inner > end
    ]


@contextmanager
def _where(checks: Sequence[Expr]) -> Iterator[None]:
    if not checks:
        yield
        return
    with T.If(tirx.all(*checks)), T.Then():
        yield
