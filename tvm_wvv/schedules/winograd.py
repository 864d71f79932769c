"""Merge the stages of a Winograd convolution over a few tiles at a time, for Cortex-M.

Before:  `winograd_conv2d` as its factory gave it: one loop nest for each stage, whole layers in between.
After:   for each row of tiles the padded rows it reads; for each pair of tiles V and M; the output right after. The
         product loop keeps the sums of two tiles and four outputs in registers.
"""

from __future__ import annotations

from tvm import s_tir, tirx
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvm_wvv.schedules.blocks import block_names, extent, greatest_divisor

# Eight sums, two inputs, one weight and the pointers fill the 14 registers of a Cortex-M.
_TILES, _OUTPUTS, _CHANNELS = 2, 4, 8


def schedule(func: tirx.PrimFunc) -> tirx.PrimFunc:
    """The same kernel, byte for byte, in another order; a kernel without all the stages comes back unchanged."""
    sch = s_tir.Schedule(func)
    names = block_names(sch)
    if not {"tile_product", "output_transform", "requantize"} <= set(names):
        return func
    row, pair, channel = _output(sch)
    sch.compute_at(sch.get_sblock("output_transform"), channel)
    product = sch.get_sblock("tile_product")
    sch.compute_at(product, pair, preserve_unit_loops=True)
    sch.compute_at(sch.get_sblock("input_transform"), pair)
    if "pad" in names:
        sch.compute_at(sch.get_sblock("pad"), row)
    _register_tile(sch, product)
    return sch.mod["main"]


def _output(sch: s_tir.Schedule) -> tuple[LoopRV, LoopRV, LoopRV]:
    """Cut the output into tiles; gives the loops over tile rows, groups of tiles, and channels."""
    out, transform = sch.get_sblock("requantize"), sch.get_sblock("output_transform")
    tile_columns = extent(sch, sch.get_loops(transform)[2])
    m_h, m_w = (int(region.extent) for region in sch.get(transform).writes[0].region[1:3])
    _, height, width, channel = sch.get_loops(out)
    row, inside_h = sch.split(height, [None, m_h])
    tile, inside_w = sch.split(width, [None, m_w])
    group, member = sch.split(tile, [None, greatest_divisor(tile_columns, _TILES)])
    sch.reorder(row, group, member, channel, inside_h, inside_w)
    sch.unroll(inside_h)
    sch.unroll(inside_w)
    return row, group, channel


def _register_tile(sch: s_tir.Schedule, product: SBlockRV) -> None:
    """Loops: taps, groups of outputs, channels; inside, everything unrolled over tiles and outputs."""
    *_, tile, tap, output, channel = sch.get_loops(product)
    outputs, member = sch.split(output, [None, greatest_divisor(extent(sch, output), _OUTPUTS)])
    sch.reorder(tap, outputs, channel, tile, member)
    sums = sch.cache_write(product, 0, "global")
    sch.reverse_compute_at(sums, outputs)
    rounds, step = sch.split(channel, [None, greatest_divisor(extent(sch, channel), _CHANNELS)])
    zero = sch.decompose_reduction(product, rounds)
    for loop in (step, tile, member, *sch.get_loops(zero)[-2:], *sch.get_loops(sums)[-2:]):
        sch.unroll(loop)
