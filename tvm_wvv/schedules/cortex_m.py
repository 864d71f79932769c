"""Schedule a kernel for Cortex-M: intermediate buffers become strips or registers, inner loops become tight C loops.

Before:  a kernel as its factory gave it, one loop nest a stage.
After:   `pad` holds the few rows that one output row needs; sums live in registers until they are requantized.
A kernel that is not known here, or has no stages to merge, passes through unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tvm import s_tir, tirx
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvm_wvv.kernels.kernel import AS_BY_DEFAULT, Blocking
from tvm_wvv.schedules.blocks import annotation, block_names, extent, greatest_divisor, one_shape
from tvm_wvv.schedules.register_tile import Tile, finish, tile
from tvm_wvv.schedules.strip import fill_and_copy, strip

# Tiles whose sums, inputs and pointers fit into registers, best first. GCC 12 gives them 1.8, 2.0, 2.2 and 2.5
# instructions a product (-O3, Cortex-M4, unrolled as here).
_CHANNELS_OF_PIXELS = {2: 4, 3: 2, 5: 2, 1: 4}
# Unrolling further would save less than one instruction in thirty.
_TAPS_UNROLLED = 4
# A 3x3 or 4x4 window in full: its taps then differ only in the offsets of their loads.
_WINDOW_UNROLLED = 16
Rule = Callable[[s_tir.Schedule, Blocking], None]


def schedule(func: tirx.PrimFunc, blocking: Blocking = AS_BY_DEFAULT) -> tirx.PrimFunc:
    """The same kernel, byte for byte, in another order; `blocking` may set `pixels`, `channels` and `unrolled`."""
    sch = s_tir.Schedule(func)
    names = block_names(sch)
    stages = [name for name in names if name in _RULES]
    if stages:
        _RULES[stages[0]](sch, blocking)
        if "pad" in names:
            strip(sch, sch.get_loops(sch.get_sblock("requantize"))[1])
    elif names == ["pad"]:
        fill_and_copy(sch, sch.get_loops(sch.get_sblock("pad")))
    elif len(names) == 1 and one_shape(func):
        sch.fuse(*sch.get_loops(sch.get_sblock(names[0])))
    return sch.mod["main"]


def _conv(sch: s_tir.Schedule, blocking: Blocking) -> None:
    sums, out = sch.get_sblock("conv"), sch.get_sblock("requantize")
    made = tile(sch, sums, out, *_tile_sizes(sch, sums, out, blocking))
    *rows, columns, channels = made.taps
    if annotation(sch, sums, "row_run"):
        run, before = sch.fuse(columns, channels), rows
    else:
        run, before = channels, [*rows, columns]
    _sum_along(sch, made, before, run, blocking)


def _dense(sch: s_tir.Schedule, blocking: Blocking) -> None:
    sums, out = sch.get_sblock("dense"), sch.get_sblock("requantize")
    made = tile(sch, sums, out, *_tile_sizes(sch, sums, out, blocking))
    _sum_along(sch, made, [], made.taps[0], blocking)


def _sum_along(sch: s_tir.Schedule, made: Tile, before: Sequence[LoopRV], run: LoopRV, blocking: Blocking) -> None:
    """The innermost taps lie in one `run` of bytes: a few of them in each round."""
    unrolled = blocking.get("unrolled", _TAPS_UNROLLED)
    rounds, step = sch.split(run, [None, greatest_divisor(extent(sch, run), unrolled)])
    finish(sch, made, [*before, rounds], [step])


def _depthwise(sch: s_tir.Schedule, blocking: Blocking) -> None:
    sums, out = sch.get_sblock("depthwise"), sch.get_sblock("requantize")
    made = tile(sch, sums, out, _pixels(sch, out, blocking), annotation(sch, sums, "multiplier"))
    window = extent(sch, made.taps[0]) * extent(sch, made.taps[1])
    finish(sch, made, made.taps, made.taps if window <= _WINDOW_UNROLLED else ())


def _tile_sizes(sch: s_tir.Schedule, sums: SBlockRV, out: SBlockRV, blocking: Blocking) -> tuple[int, int]:
    pixels = _pixels(sch, out, blocking)
    channels = blocking.get("channels") or _CHANNELS_OF_PIXELS[pixels]
    return pixels, greatest_divisor(annotation(sch, sums, "channel_block"), channels)


def _pixels(sch: s_tir.Schedule, out: SBlockRV, blocking: Blocking) -> int:
    """How many neighbours share each load of a weight: a divisor of the row's length, so that none is left over."""
    columns = extent(sch, sch.get_loops(out)[-2])
    if "pixels" in blocking and "channels" in blocking:
        return greatest_divisor(columns, blocking["pixels"])
    return next(pixels for pixels in _CHANNELS_OF_PIXELS if columns % pixels == 0)


def _one_by_one(sums_name: str, out_name: str) -> Rule:
    """Each output element right after its own sum."""

    def rule(sch: s_tir.Schedule, _blocking: Blocking) -> None:
        sums, out = sch.get_sblock(sums_name), sch.get_sblock(out_name)
        loops = sch.get_loops(out)
        if loops:  # a mean over every axis has none
            sch.compute_at(sums, loops[-1])

    return rule


def _softmax(sch: s_tir.Schedule, _blocking: Blocking) -> None:
    """Row by row: what is one number of each row never becomes a buffer."""
    *rows, _ = sch.get_loops(sch.get_sblock("softmax"))
    if rows:
        for name in reversed(block_names(sch)[:-1]):
            sch.compute_at(sch.get_sblock(name), rows[-1])


_RULES: dict[str, Rule] = {
    "conv": _conv,
    "depthwise": _depthwise,
    "dense": _dense,
    "average": _one_by_one("pool", "average"),
    "clamp": _one_by_one("pool", "clamp"),
    "sum": _one_by_one("sum", "requantize"),
    "softmax": _softmax,
}
