"""What a schedule reads off a kernel: its blocks by name, their annotations, the extents of loops."""

from __future__ import annotations

from tvm import s_tir, tirx
from tvm.s_tir.schedule import LoopRV, SBlockRV


def block_names(sch: s_tir.Schedule) -> list[str]:
    """Names of the stages in the order they stand."""
    return [sch.get(block).name_hint for block in sch.get_child_blocks(sch.get_sblock("root"))]


def annotation(sch: s_tir.Schedule, block: SBlockRV, key: str) -> int:
    """An integer that the kernel's author attached to the block."""
    return int(sch.get(block).annotations[key])


def extent(sch: s_tir.Schedule, loop: LoopRV) -> int:
    """Number of rounds of a loop; shapes are constant."""
    return int(sch.get(loop).extent)


def one_shape(func: tirx.PrimFunc) -> bool:
    """Whether every buffer parameter has the output's shape or is one number, as in elementwise kernels."""
    shapes = {tuple(int(size) for size in parameter.ty.shape) for parameter in func.params}
    return len(shapes - {(1,)}) <= 1


def greatest_divisor(size: int, limit: int) -> int:
    """The greatest divisor of `size` up to `limit`."""
    return next(factor for factor in range(limit, 0, -1) if size % factor == 0)
