"""Schedule a kernel for Cortex-M: intermediate buffers become strips or registers, inner loops become tight C loops.

Before:  a kernel as its factory gave it, one loop nest a stage.
After:   `pad` holds the few rows that one output row needs; sums live in registers until they are requantized.
A kernel that is not known here, or has no stages to merge, passes through unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tvm import s_tir, tirx
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvm_wvv.schedules.blocks import annotation, block_names, extent, greatest_divisor, one_shape
from tvm_wvv.schedules.register_tile import finish, tile

# Unrolling further would save less than one instruction in thirty.
_TAPS_UNROLLED = 4
# A 3x3 or 4x4 window in full: its taps then differ only in the offsets of their loads.
_WINDOW_UNROLLED = 16


def schedule(func: tirx.PrimFunc) -> tirx.PrimFunc:
    """The same kernel, byte for byte, in another order."""
    sch = s_tir.Schedule(func)
    names = block_names(sch)
    stages = [name for name in names if name in _RULES]
    if stages:
        _RULES[stages[0]](sch)
        if "pad" in names:
            _strip(sch)
    elif names == ["pad"]:
        _pad(sch)
    elif len(names) == 1 and one_shape(func):
        sch.fuse(*sch.get_loops(sch.get_sblock(names[0])))
    return sch.mod["main"]


def _conv(sch: s_tir.Schedule) -> None:
    sums, out = sch.get_sblock("conv"), sch.get_sblock("requantize")
    made = tile(sch, sums, out, _pixels(sch, out), annotation(sch, sums, "channel_block"))
    *rows, columns, channels = made.taps
    if annotation(sch, sums, "row_run"):
        run, before = sch.fuse(columns, channels), rows
    else:
        run, before = channels, [*rows, columns]
    rounds, step = sch.split(run, [None, greatest_divisor(extent(sch, run), _TAPS_UNROLLED)])
    finish(sch, made, [*before, rounds], [step])


def _dense(sch: s_tir.Schedule) -> None:
    sums, out = sch.get_sblock("dense"), sch.get_sblock("requantize")
    made = tile(sch, sums, out, _pixels(sch, out), annotation(sch, sums, "channel_block"))
    rounds, step = sch.split(made.taps[0], [None, greatest_divisor(extent(sch, made.taps[0]), _TAPS_UNROLLED)])
    finish(sch, made, [rounds], [step])


def _depthwise(sch: s_tir.Schedule) -> None:
    sums, out = sch.get_sblock("depthwise"), sch.get_sblock("requantize")
    made = tile(sch, sums, out, _pixels(sch, out), annotation(sch, sums, "multiplier"))
    window = extent(sch, made.taps[0]) * extent(sch, made.taps[1])
    finish(sch, made, made.taps, made.taps if window <= _WINDOW_UNROLLED else ())


def _pixels(sch: s_tir.Schedule, out: SBlockRV) -> int:
    """Two neighbours share each load of a weight; a row of odd length has one left over, and goes one by one."""
    return greatest_divisor(extent(sch, sch.get_loops(out)[-2]), 2)


def _one_by_one(sums_name: str, out_name: str) -> Callable[[s_tir.Schedule], None]:
    """Each output element right after its own sum."""

    def rule(sch: s_tir.Schedule) -> None:
        sums, out = sch.get_sblock(sums_name), sch.get_sblock(out_name)
        loops = sch.get_loops(out)
        if loops:  # a mean over every axis has none
            sch.compute_at(sums, loops[-1])

    return rule


def _softmax(sch: s_tir.Schedule) -> None:
    """Row by row: what is one number of each row never becomes a buffer."""
    *rows, _ = sch.get_loops(sch.get_sblock("softmax"))
    if rows:
        for name in reversed(block_names(sch)[:-1]):
            sch.compute_at(sch.get_sblock(name), rows[-1])


def _strip(sch: s_tir.Schedule) -> None:
    """Padding row by row: the strip under one output row instead of the whole image."""
    _, row, *_ = sch.get_loops(sch.get_sblock("requantize"))
    pad = sch.get_sblock("pad")
    sch.compute_at(pad, row, preserve_unit_loops=True)
    _fill_and_copy(sch, pad, sch.get_loops(pad)[2:])


def _pad(sch: s_tir.Schedule) -> None:
    pad = sch.get_sblock("pad")
    _fill_and_copy(sch, pad, sch.get_loops(pad))


def _fill_and_copy(sch: s_tir.Schedule, pad: SBlockRV, loops: Sequence[LoopRV]) -> None:
    """Fill all, then copy what lies on the image: C compilers make memset and memcpy of these loops."""
    if sch.can_decompose_padding(pad, loops[0]):
        fill = sch.decompose_padding(pad, loops[0])
        sch.fuse(*sch.get_loops(fill)[-len(loops) :])
        sch.fuse(*sch.get_loops(pad)[-2:])


_RULES: dict[str, Callable[[s_tir.Schedule], None]] = {
    "conv": _conv,
    "depthwise": _depthwise,
    "dense": _dense,
    "average": _one_by_one("pool", "average"),
    "clamp": _one_by_one("pool", "clamp"),
    "sum": _one_by_one("sum", "requantize"),
    "softmax": _softmax,
}
