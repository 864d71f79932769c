"""Exact Winograd convolution by the C microkernels of `wvv_winograd.h`: two tiles at a time, then two outputs.

For two tiles V is made; for two output channels M of both, and their outputs right after. U is laid out for that, and
filled up with zeros where channels or outputs are left over. Bytes are those of `kernels.winograd`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tvm import tirx
from tvm.ir import Expr
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.kernels.blocks import Shape
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.kernels.microkernel import at, call, microkernels
from tvm_wvv.kernels.output_stage import OutputStage
from tvm_wvv.quant.operators import INT8_RANGE, Window
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid

_HEADER = "wvv_winograd.h"
_QUAD, _TOGETHER = 4, 2
_UNROLLED = 16
# Channels of a quad as two pairs: what `sxtb16` takes from a word, and from the word turned by a byte.
_PAIRS = (0, 2, 1, 3)


# Variants that there are microkernels for, and the rows of B that these have negated: those of 1 and -1 in f4, so that
# the fourth input counts positive in all of them.
_NEGATED: dict[str, tuple[int, ...]] = {"f2": (), "f4": (1, 2), "f4c": ()}


def fits(algorithm: Algorithm, stage: OutputStage) -> bool:
    """Whether there are microkernels for this algorithm and this kind of requantization."""
    return algorithm.name in _NEGATED and stage.short


def winograd_conv2d(
    algorithm: Algorithm, window: Window, zero_point: int, x_shape: Shape, u: np.ndarray, stage: OutputStage
) -> Kernel:
    """x int8 NHWC -> int8 NHWC; `u` is U int16 [tap, o, c]."""
    grid, outputs = Grid(algorithm, x_shape, window.padding), u.shape[1]
    packed, words = pack_weights(u * signs(algorithm)[:, None, None]), _filled_up(stage.words())
    quads = packed.shape[2]
    parameters = {
        "x": (x_shape, "int8"),
        "u": (packed.shape, "int32"),
        "stage": (words.shape, "int32"),
        "out": (grid.out_shape(outputs), "int8"),
    }
    scratch = {"v": ((algorithm.taps, quads, 2, 2), "uint32"), "m": ((algorithm.taps, 2, 2), "uint32")}
    call_of = _Calls(grid, algorithm, zero_point, outputs, quads, stage)
    func = microkernels("winograd", _HEADER, parameters, call_of.write, scratch)
    return Kernel(f"winograd_{algorithm.name}_conv2d", func, (packed, words))


def pack_weights(u: np.ndarray) -> NDArray[np.int32]:
    """[tap, o, c] as words [two outputs, tap, quad, pair, output]."""
    taps, outputs, channels = u.shape
    whole = np.zeros((taps, -(-outputs // _TOGETHER) * _TOGETHER, -(-channels // _QUAD) * _QUAD), "<i2")
    whole[:, :outputs, :channels] = u
    # tap, two outputs, output, quad, pair, half of the word
    parts = whole.reshape(taps, -1, _TOGETHER, whole.shape[2] // _QUAD, _QUAD)[..., _PAIRS]
    split = parts.reshape(*parts.shape[:4], 2, 2).transpose(1, 0, 3, 4, 2, 5)
    return np.ascontiguousarray(split).view("<i4")[..., 0].astype(np.int32)


def signs(algorithm: Algorithm) -> NDArray[np.int16]:
    """Of each tap, that of V as microkernels make it; the tap's weights take the same."""
    negated = _NEGATED[algorithm.name]
    if not negated:
        return np.ones(algorithm.taps, np.int16)
    of_rows = np.array([-1 if row in negated else 1 for row in range(algorithm.tile[0])], np.int16)
    return np.outer(of_rows, of_rows).reshape(-1)


def _filled_up(words: np.ndarray) -> np.ndarray:
    """With a stage of zeros where an output is missing."""
    return np.pad(words, ((0, -len(words) % _TOGETHER), (0, 0)))


@dataclass(frozen=True)
class _Calls:
    """Writes the loops of one layer and the calls inside."""

    grid: Grid
    algorithm: Algorithm
    zero_point: int
    outputs: int
    quads: int
    stage: OutputStage

    def write(
        self, x: tirx.Buffer, u: tirx.Buffer, stage: tirx.Buffer, out: tirx.Buffer, v: tirx.Buffer, m: tirx.Buffer
    ) -> None:
        """Over groups of tiles; inside, over groups of outputs."""
        batch, (rows, columns) = x.shape[0], self.grid.tiles
        tiles = int(batch) * rows * columns
        with T.serial(-(-tiles // _TOGETHER)) as group:
            for k in range(_TOGETHER):
                with _guard(group * _TOGETHER + k, tiles, k):
                    self._input(x, v, group * _TOGETHER + k, k)
            with T.serial(int(u.shape[0])) as channels:
                self._product(u, v, m, channels)
                for k in range(_TOGETHER):
                    with _guard(group * _TOGETHER + k, tiles, k):
                        self._output(m, stage, out, (group * _TOGETHER + k, k), channels * _TOGETHER)
        if self.stage.clamp != INT8_RANGE:
            call("wvv_clamp", at(out, 0, 0, 0, 0), math.prod(map(int, out.shape)), *self.stage.clamp)

    def _input(self, x: tirx.Buffer, v: tirx.Buffer, tile: Expr, place: int) -> None:
        (n, row, column), (_, height, width, channels) = self._position(tile), self.grid.x_shape
        (m_h, m_w), (top, left, _, _) = self.algorithm.m, self.grid.padding
        first, size = (row * m_h - top, column * m_w - left), (height, width, channels)
        image, made = at(x, n, 0, 0, 0), at(v, 0, 0, 0, place)
        call(f"wvv_{self.algorithm.name}_input", image, made, *first, *size, self.zero_point)

    def _product(self, u: tirx.Buffer, v: tirx.Buffer, m: tirx.Buffer, channels: Expr) -> None:
        unrolled = next(count for count in range(_UNROLLED, 0, -1) if self.quads % count == 0)
        operands = (at(v, 0, 0, 0, 0), at(u, channels, 0, 0, 0, 0), at(m, 0, 0, 0), self.algorithm.taps)
        if unrolled == self.quads:
            call(f"wvv_product_{unrolled}", *operands)
        else:
            call(f"wvv_product_{unrolled}n", *operands, self.quads // unrolled)

    def _output(
        self, m: tirx.Buffer, stage: tirx.Buffer, out: tirx.Buffer, tile: tuple[Expr, int], channel: Expr
    ) -> None:
        (n, row, column), (height, width) = self._position(tile[0]), self.grid.output
        m_h, m_w = self.algorithm.m
        name = f"wvv_{self.algorithm.name}_output" + ("_positive" if self.stage.positive else "")
        sums, target = at(m, 0, tile[1], 0), at(out, n, row * m_h, column * m_w, channel)
        here = tirx.min(self.outputs - channel, _TOGETHER) if self.outputs % _TOGETHER else _TOGETHER
        left = (height - row * m_h, width - column * m_w, here)
        call(name, sums, at(stage, channel, 0), target, *left, width, self.outputs)

    def _position(self, tile: Expr) -> tuple[Expr, Expr, Expr]:
        rows, columns = self.grid.tiles
        return tile // (rows * columns), tile // columns % rows, tile % columns


@contextmanager
def _guard(place: Expr, limit: int, k: int) -> Iterator[None]:
    """Under the condition that the k-th of what is done together is there; the first always is."""
    if k == 0 or limit % _TOGETHER == 0:
        yield
        return
    with T.If(place < limit), T.Then():
        yield
