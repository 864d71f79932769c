"""Sums of products kept in registers until they are requantized: the middle of a quantized Winograd kernel."""

from __future__ import annotations

from tvm import s_tir
from tvm.s_tir.schedule import LoopRV

from tvm_wvv.schedules.blocks import extent, greatest_divisor

_CHANNELS_UNROLLED = 8


def rescaled_tile(sch: s_tir.Schedule, group: LoopRV) -> None:
    """Move `requantize_products` under `group`, and `tile_product` into it, tap by tap.

    Inside a tap everything is unrolled over tiles and output channels: C sees their sums as scalars.
    """
    product, rescaled = sch.get_sblock("tile_product"), sch.get_sblock("requantize_products")
    sch.compute_at(rescaled, group, preserve_unit_loops=True)
    *_, tile, tap, output = sch.get_loops(rescaled)
    sch.reorder(tap, tile, output)
    sch.compute_at(product, tap, preserve_unit_loops=True)
    *_, tile_of_sums, _, output_of_sums, channel = sch.get_loops(product)
    sch.reorder(channel, tile_of_sums, output_of_sums)
    depth = len(sch.get_loops(product)) - 3
    rounds, step = sch.split(channel, [None, greatest_divisor(extent(sch, channel), _CHANNELS_UNROLLED)])
    start = sch.decompose_reduction(product, rounds)
    for loop in (step, tile_of_sums, output_of_sums, *sch.get_loops(start)[depth:], tile, output):
        sch.unroll(loop)
