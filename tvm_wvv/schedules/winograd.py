"""Merge the stages of a Winograd convolution over a few tiles at a time, for Cortex-M.

Before:  `winograd_conv2d` as its factory gave it: one loop nest for each stage, whole layers in between.
After:   for each row of tiles the padded rows it reads; for a few tiles V; for a few output channels M, and the output
         right after. The product loop keeps the sums of these tiles and channels in registers.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import s_tir, tirx
from tvm.s_tir.schedule import LoopRV

from tvm_wvv.kernels.kernel import AS_BY_DEFAULT, Blocking
from tvm_wvv.schedules.blocks import block_names, extent, greatest_divisor
from tvm_wvv.schedules.rescaled_tile import rescaled_tile

# Tiles, and output channels, whose sums fit the 14 registers of a Cortex-M beside inputs, a weight and pointers, best
# first: 1.75, 1.83 and 2.25 loads and multiplications a product.
_OUTPUTS_OF_TILES = {2: 4, 3: 2, 1: 4}
_CHANNELS_UNROLLED = 8


def schedule(func: tirx.PrimFunc, blocking: Blocking = AS_BY_DEFAULT) -> tirx.PrimFunc:
    """The same kernel, byte for byte, in another order; a kernel without all the stages comes back unchanged.

    `blocking` may set `tiles` with `outputs`, and `unrolled`.
    """
    sch = s_tir.Schedule(func)
    names = block_names(sch)
    if not {"tile_product", "output_transform", "requantize"} <= set(names):
        return func
    loops = _output(sch, blocking)
    sch.compute_at(sch.get_sblock("output_transform"), loops.channel)
    if "requantize_products" in names:
        rescaled_tile(sch, loops.channels)
    else:
        _register_tile(sch, loops.channels, blocking.get("unrolled", _CHANNELS_UNROLLED))
    sch.compute_at(sch.get_sblock("input_transform"), loops.tiles)
    if "pad" in names:
        sch.compute_at(sch.get_sblock("pad"), loops.row)
    return sch.mod["main"]


@dataclass(frozen=True)
class _Loops:
    """Over rows of tiles, groups of tiles, groups of output channels, and the channels of a group."""

    row: LoopRV
    tiles: LoopRV
    channels: LoopRV
    channel: LoopRV


def _output(sch: s_tir.Schedule, blocking: Blocking) -> _Loops:
    """Cut the output into tiles and groups of channels."""
    out, transform = sch.get_sblock("requantize"), sch.get_sblock("output_transform")
    tile_columns = extent(sch, sch.get_loops(transform)[2])
    m_h, m_w = (int(region.extent) for region in sch.get(transform).writes[0].region[1:3])
    _, height, width, channel = sch.get_loops(out)
    row, inside_h = sch.split(height, [None, m_h])
    tile, inside_w = sch.split(width, [None, m_w])
    together, most = _together(tile_columns, blocking)
    tiles, member = sch.split(tile, [None, together])
    channels, one = sch.split(channel, [None, greatest_divisor(extent(sch, channel), most)])
    sch.reorder(row, tiles, channels, member, one, inside_h, inside_w)
    sch.unroll(inside_h)
    sch.unroll(inside_w)
    return _Loops(row, tiles, channels, one)


def _together(tile_columns: int, blocking: Blocking) -> tuple[int, int]:
    """Tiles that share a weight, and the most output channels beside them."""
    if "tiles" in blocking and "outputs" in blocking:
        return greatest_divisor(tile_columns, blocking["tiles"]), blocking["outputs"]
    together = next(tiles for tiles in _OUTPUTS_OF_TILES if tile_columns % tiles == 0)
    return together, _OUTPUTS_OF_TILES[together]


def _register_tile(sch: s_tir.Schedule, group: LoopRV, unrolled: int) -> None:
    """Under `group`, loops over taps, then channels; inside, everything unrolled over tiles and outputs."""
    product = sch.get_sblock("tile_product")
    sch.compute_at(product, group, preserve_unit_loops=True)
    *_, tile, tap, output, channel = sch.get_loops(product)
    sch.reorder(tap, channel, tile, output)
    depth = len(sch.get_loops(product)) - 3
    sums = sch.cache_write(product, 0, "global")
    sch.reverse_compute_at(sums, tap)
    rounds, step = sch.split(channel, [None, greatest_divisor(extent(sch, channel), unrolled)])
    zero = sch.decompose_reduction(product, rounds)
    for loop in (step, tile, output, *sch.get_loops(zero)[depth:], *sch.get_loops(sums)[depth:]):
        sch.unroll(loop)
