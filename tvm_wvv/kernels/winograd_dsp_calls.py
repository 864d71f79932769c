"""The loops of a Winograd layer of C microkernels: two tiles at a time, inside of it two outputs at a time.

For two tiles V is made, and rounded where the arithmetic asks for it; for two output channels M of both, and their
outputs right after. `deploy/runtime/kernels/wvv_winograd.h` has what is called.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.kernels.blocks import Shape
from tvm_wvv.kernels.microkernel import at, call
from tvm_wvv.quant.operators import INT8_RANGE, Pair
from tvm_wvv.transforms.grid import Grid

HEADER = "wvv_winograd.h"
QUAD, TOGETHER = 4, 2
LONGEST = 16


@dataclass(frozen=True)
class Calls:
    """`taps` of M, for each of which so many `quads` of V are multiplied and summed.

    `into`, `back` and `product` name microkernels, the last one without its count of quads; `in_rounds` asks for the
    form that takes several rounds of them. `rounding` is what that of V takes behind its words: places, raise.
    At most `longest` quads are multiplied in one round.
    """

    grid: Grid
    zero_point: int
    outputs: int
    taps: int
    quads: int
    clamp: Pair
    into: str
    product: str
    back: str
    in_rounds: bool = False
    rounding: Pair | None = None
    longest: int = LONGEST

    @property
    def scratch(self) -> dict[str, tuple[Shape, str]]:
        """V of two tiles, M of two tiles and two outputs."""
        return {
            "v": ((self.taps, self.quads, QUAD // 2, TOGETHER), "uint32"),
            "m": ((self.taps, TOGETHER, TOGETHER), "uint32"),
        }

    def write(
        self,
        x: tirx.Buffer,
        u: tirx.Buffer,
        stage: tirx.Buffer,
        out: tirx.Buffer,
        v: tirx.Buffer,
        m: tirx.Buffer,
        of_v: tirx.Buffer | None = None,
    ) -> None:
        """Over groups of tiles; inside, over groups of outputs. `of_v` is what V's rounding reads."""
        batch, (rows, columns) = x.shape[0], self.grid.tiles
        tiles = int(batch) * rows * columns
        with T.serial(-(-tiles // TOGETHER)) as group:
            for k in range(TOGETHER):
                with _guard(group * TOGETHER + k, tiles, k):
                    self._input(x, v, group * TOGETHER + k, k)
            if of_v is not None and self.rounding is not None:
                # Of a last tile without a second, the other half of V is stale: it is rounded, and never used.
                words = self.quads * QUAD // 2 * TOGETHER
                call("wvv_round8", at(v, 0, 0, 0, 0), at(of_v, 0, 0), self.taps, words, *self.rounding)
            with T.serial(int(u.shape[0])) as channels:
                self._product(u, v, m, channels)
                for k in range(TOGETHER):
                    with _guard(group * TOGETHER + k, tiles, k):
                        self._output(m, stage, out, (group * TOGETHER + k, k), channels * TOGETHER)
        if self.clamp != INT8_RANGE:
            call("wvv_clamp", at(out, 0, 0, 0, 0), math.prod(map(int, out.shape)), *self.clamp)

    def _input(self, x: tirx.Buffer, v: tirx.Buffer, tile: Expr, place: int) -> None:
        (n, row, column), (_, height, width, channels) = self._position(tile), self.grid.x_shape
        (m_h, m_w), (top, left, _, _) = self.grid.algorithm.m, self.grid.padding
        first, size = (row * m_h - top, column * m_w - left), (height, width, channels)
        call(self.into, at(x, n, 0, 0, 0), at(v, 0, 0, 0, place), *first, *size, self.zero_point)

    def _product(self, u: tirx.Buffer, v: tirx.Buffer, m: tirx.Buffer, channels: Expr) -> None:
        unrolled = next(count for count in range(min(self.longest, LONGEST), 0, -1) if self.quads % count == 0)
        of_outputs = at(u, channels, *[0] * (len(u.shape) - 1))
        operands = (at(v, 0, 0, 0, 0), of_outputs, at(m, 0, 0, 0), self.taps)
        if unrolled == self.quads and not self.in_rounds:
            call(f"{self.product}_{unrolled}", *operands)
        else:
            call(f"{self.product}_{unrolled}n", *operands, self.quads // unrolled)

    def _output(
        self, m: tirx.Buffer, stage: tirx.Buffer, out: tirx.Buffer, tile: tuple[Expr, int], channel: Expr
    ) -> None:
        (n, row, column), (height, width) = self._position(tile[0]), self.grid.output
        m_h, m_w = self.grid.algorithm.m
        sums, target = at(m, 0, tile[1], 0), at(out, n, row * m_h, column * m_w, channel)
        here = tirx.min(self.outputs - channel, TOGETHER) if self.outputs % TOGETHER else TOGETHER
        left = (height - row * m_h, width - column * m_w, here)
        call(self.back, sums, at(stage, channel, 0), target, *left, width, self.outputs)

    def _position(self, tile: Expr) -> tuple[Expr, Expr, Expr]:
        rows, columns = self.grid.tiles
        return tile // (rows * columns), tile // columns % rows, tile % columns


def in_one_round(quads: int) -> bool:
    """Whether there is a microkernel for exactly so many quads."""
    return quads <= LONGEST


@contextmanager
def _guard(place: Expr, limit: int, k: int) -> Iterator[None]:
    """Under the condition that the k-th of what is done together is there; the first always is."""
    if k == 0 or limit % TOGETHER == 0:
        yield
        return
    with T.If(place < limit), T.Then():
        yield
