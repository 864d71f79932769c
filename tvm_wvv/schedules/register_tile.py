"""Sums kept in registers: a tile of pixels x channels is summed over all taps, then requantized at once.

Of two pixels and four channels, six loads feed eight products; the eight sums, the inputs and the pointers just fill
the 14 registers of a Cortex-M. The loops of a tile are unrolled, so that C sees its sums as scalars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tvm import s_tir
from tvm.s_tir.schedule import LoopRV, SBlockRV


@dataclass(frozen=True)
class Tile:
    """The loops inside one tile of `sums`: over its elements, and over taps, outermost first."""

    sums: SBlockRV
    elements: tuple[LoopRV, ...]
    taps: tuple[LoopRV, ...]


def tile(sch: s_tir.Schedule, sums: SBlockRV, out: SBlockRV, pixels: int, channels: int) -> Tile:
    """Cut the last two loops of `out` into tiles and compute `sums` inside, taps outside elements."""
    *_, pixel_loop, channel_loop = sch.get_loops(out)
    pixel_tile, pixel = sch.split(pixel_loop, [None, pixels])
    channel_tile, channel = sch.split(channel_loop, [None, channels])
    sch.reorder(pixel_tile, channel_tile, pixel, channel)
    outside = len(sch.get_loops(out)) - 2
    reductions = len(sch.get_loops(sums)) - len(sch.get(sums).writes[0].region)
    sch.compute_at(sums, channel_tile, preserve_unit_loops=True)
    loops = sch.get_loops(sums)
    elements, taps = loops[outside : len(loops) - reductions], loops[len(loops) - reductions :]
    sch.reorder(*taps, *elements)
    _unroll(sch, (pixel, channel))
    return Tile(sums, tuple(elements), tuple(taps))


def finish(sch: s_tir.Schedule, done: Tile, taps: Sequence[LoopRV], unrolled: Sequence[LoopRV]) -> None:
    """Zero the tile before the first of its `taps` (perhaps cut or fused since); unroll its elements and `unrolled`."""
    zero = sch.decompose_reduction(done.sums, taps[0])
    _unroll(sch, (*unrolled, *done.elements, *sch.get_loops(zero)[-len(done.elements) :]))


def _unroll(sch: s_tir.Schedule, loops: Sequence[LoopRV]) -> None:
    for loop in loops:
        sch.unroll(loop)
