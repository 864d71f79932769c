"""Start each sum in front of its loops instead of inside them.

Before:  a reduction block with an `init`, which TVM would lower to `if (first round) sum = 0;` in the innermost loop.
After:   the init is a block of its own before the outermost loop that reduces.
The test would cost in every round, and GCC cannot see through it: it warns that the sum may be used uninitialized.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import tvm
from tvm import s_tir, tirx
from tvm.s_tir.schedule import SBlockRV
from tvm.tirx.stmt import For, Stmt

from tvm_wvv.micro.statements import children

_undefined = tvm.get_global_func("tirx.analysis.UndefinedVars")


def split_reductions(func: tirx.PrimFunc) -> tirx.PrimFunc:
    """The kernel without an `init` under a reducing loop. Where every reduced axis has length 1 there is no loop."""
    if next(_reductions(func.body, ()), None) is None:
        return func
    schedule = s_tir.Schedule(func)
    while (found := next(_reductions(schedule.mod["main"].body, ()), None)) is not None:
        block, depth = found
        root = schedule.get_sblock("root")
        target = next(rv for rv in _blocks(schedule, root) if schedule.get(rv).same_as(block))
        schedule.decompose_reduction(target, schedule.get_loops(target)[depth])
    return schedule.mod["main"]


def _reductions(stmt: Stmt, loops: Sequence[For]) -> Iterator[tuple[s_tir.SBlock, int]]:
    """Blocks with an init, and how many loops stand outside the first one that reduces."""
    if isinstance(stmt, s_tir.SBlockRealize) and stmt.block.init is not None:
        pairs = zip(stmt.block.iter_vars, stmt.iter_values, strict=True)
        reduced = [value for axis, value in pairs if axis.iter_type == tirx.IterVar.CommReduce]
        names = _undefined(tirx.Evaluate(sum(reduced[1:], reduced[0])), []) if reduced else []
        depths = [n for n, loop in enumerate(loops) if any(var.same_as(loop.loop_var) for var in names)]
        if depths:
            yield stmt.block, depths[0]
    # A block's inner loops are a scope of their own.
    outside = () if isinstance(stmt, s_tir.SBlock) else (*loops, stmt) if isinstance(stmt, For) else loops
    for child in children(stmt):
        yield from _reductions(child, outside)


def _blocks(schedule: s_tir.Schedule, root: SBlockRV) -> Iterator[SBlockRV]:
    for block in schedule.get_child_blocks(root):
        yield block
        yield from _blocks(schedule, block)
