"""Which inputs of a kernel its output may overwrite.

Safe is an input that has the output's shape and element size and that every block reads, and writes its results, at
the block's own position: then no schedule can read an element after its place was overwritten. Anything else, such as
a reduction (softmax reads a whole row for each element) or a shifted index, is refused. A kernel that knows better
states the inputs' positions in the attribute `wvv.in_place`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import tvm
import tvm_ffi
from tvm import s_tir, tirx

from tvm_wvv.micro.statements import buffer_bytes, walk


def in_place_inputs(func: tirx.PrimFunc) -> tuple[int, ...]:
    """Positions of the parameters that may share storage with the last one."""
    stated = func.attrs.get("wvv.in_place", None) if func.attrs is not None else None
    if stated is not None:
        return tuple(int(position) for position in stated)
    blocks = [s for s in walk(func.body) if isinstance(s, s_tir.SBlock) and s.iter_vars]
    *inputs, output = func.params
    if not all(_is_elementwise(block, output) for block in blocks):
        return ()
    # An input that no block is known to read may be read behind our back.
    seen = [region.source for block in blocks for region in block.reads]
    same = (p for p, buffer in enumerate(inputs) if _same_layout(buffer, output))
    return tuple(p for p in same if any(source.same_as(inputs[p]) for source in seen))


def _same_layout(a: tirx.Buffer, b: tirx.Buffer) -> bool:
    return tvm_ffi.structural_equal(a.ty.shape, b.ty.shape) and buffer_bytes(a) == buffer_bytes(b)


def _is_elementwise(block: s_tir.SBlock, output: tirx.Buffer) -> bool:
    """Whether the block is data-parallel and touches every buffer of the output's shape at its own position."""
    if any(axis.iter_type != tirx.IterVar.DataPar for axis in block.iter_vars):
        return False
    regions = [r for r in _regions(block) if tvm_ffi.structural_equal(r.source.ty.shape, output.ty.shape)]
    return bool(regions) and all(_is_own_position(r.region, block.iter_vars) for r in regions)


def _regions(block: s_tir.SBlock) -> Iterator[tirx.BufferRegion]:
    yield from block.reads
    yield from block.writes


def _is_own_position(region: Sequence[tvm.ir.Range], axes: Sequence[tirx.IterVar]) -> bool:
    if len(region) != len(axes):
        return False
    return all(_is_point_at(r, axis) for r, axis in zip(region, axes, strict=True))


def _is_point_at(interval: tvm.ir.Range, axis: tirx.IterVar) -> bool:
    """One element, named by the axis; an axis of length 1 may stand there as 0."""
    if int(interval.extent) != 1:
        return False
    trivial = int(axis.dom.extent) == 1 and interval.min == 0
    return bool(trivial) or interval.min.same_as(axis.var)
