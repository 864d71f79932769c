"""Padding strip by strip: only the rows that one round of a loop needs, filled and copied in two runs of bytes."""

from __future__ import annotations

from collections.abc import Sequence

from tvm import s_tir
from tvm.s_tir.schedule import LoopRV


def strip(sch: s_tir.Schedule, row: LoopRV) -> None:
    """Compute the block `pad` inside the loop `row`: a few rows of the image in place of all."""
    pad = sch.get_sblock("pad")
    sch.compute_at(pad, row, preserve_unit_loops=True)
    # n, h, w, c of the strip; what stands outside them is the consumer's.
    fill_and_copy(sch, sch.get_loops(pad)[-4:])


def fill_and_copy(sch: s_tir.Schedule, loops: Sequence[LoopRV]) -> None:
    """Under the given loops of `pad`, fill all, then copy what lies on the image: C compilers see memset and memcpy."""
    pad = sch.get_sblock("pad")
    if not sch.can_decompose_padding(pad, loops[0]):
        return
    fill = sch.decompose_padding(pad, loops[0])
    sch.fuse(*sch.get_loops(fill)[-len(loops) :])
    sch.fuse(*sch.get_loops(pad)[-2:])
