"""Move what a kernel allocates for itself out of it: small buffers to the stack, the rest into one caller's workspace.

Before:  `AllocBuffer` statements anywhere (blocks lowered, shapes constant).
After:   all buffers stand at the head of the body; large ones are views of `workspace` at aligned offsets, and those
         that never hold data at the same time share bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tvm
from tvm import tirx
from tvm.tirx.stmt import AllocBuffer, DeclBuffer, SeqStmt, Stmt

from tvm_wvv.micro.statements import buffer_bytes, children, rebuild
from tvm_wvv.plan.memory import ALIGNMENT, Tensor, pack

# A tile of 6x6 int32 (144 bytes) stays on the stack, where the C compiler can hold it in registers; a row does not.
STACK_BYTES = 256

_undefined = tvm.get_global_func("tirx.analysis.UndefinedVars")


@dataclass(frozen=True)
class Hoisted:
    """`workspace` is the pointer that the body needs as a parameter, None where it needs no bytes."""

    body: Stmt
    workspace: tirx.Var | None
    workspace_bytes: int


@dataclass(frozen=True)
class _Allocation:
    """A buffer that is used, and the statements (numbered as they stand) from its first use to its last."""

    buffer: tirx.Buffer
    first: int
    last: int

    @property
    def bytes(self) -> int:
        return buffer_bytes(self.buffer)


def hoist(body: Stmt, alignment: int = ALIGNMENT) -> Hoisted:
    """Take every allocation out of `body`; `alignment` is that of views, in bytes."""
    found: list[_Allocation] = []
    _collect(body, 0, found)
    large = [a for a in found if a.bytes > STACK_BYTES]
    # At the head, because unrolling a loop around a declaration would declare the same name twice.
    head: list[Stmt] = [AllocBuffer(a.buffer) for a in found if a.bytes <= STACK_BYTES]
    rest = _without_allocations(body)
    if not large:
        return Hoisted(SeqStmt([*head, rest]) if head else rest, None, 0)
    plan = pack([Tensor(str(n), a.bytes, a.first, a.last) for n, a in enumerate(large)], alignment)
    workspace = tirx.Var("workspace", tvm.ir.PointerType(tvm.ir.PrimType("uint8")))
    places = [plan.offsets[str(n)] for n in range(len(large))]
    declared = views([a.buffer for a in large], places, workspace, plan.total_bytes)
    return Hoisted(SeqStmt([*declared, *head, rest]), workspace, plan.total_bytes)


def views(buffers: Sequence[tirx.Buffer], offsets: Sequence[int], workspace: tirx.Var, total_bytes: int) -> list[Stmt]:
    """`workspace` as bytes, then each buffer as a typed view of it."""
    octets = tirx.decl_buffer((total_bytes,), "uint8", "workspace_bytes")
    declared: list[Stmt] = [DeclBuffer(octets, data=workspace)]
    for buffer, offset in zip(buffers, offsets, strict=True):
        address = tirx.call_intrin("handle", "tirx.reinterpret", tirx.address_of(octets[offset]))
        declared.append(DeclBuffer(buffer, data=address))
    return declared


def _without_allocations(stmt: Stmt) -> Stmt:
    if isinstance(stmt, AllocBuffer):
        return tirx.Evaluate(tirx.const(0, "int32"))
    return rebuild(stmt, _without_allocations)


def _collect(stmt: Stmt, start: int, found: list[_Allocation]) -> int:
    """Add the allocations inside `stmt` to `found`; returns the number after the last statement.

    A loop that uses a buffer counts as a whole. Nothing survives from one round of a loop to the next in a buffer that
    is allocated inside it, so such a buffer lives only from its first to its last use in one round.
    """
    inside = children(stmt)
    spans: list[tuple[int, int]] = []
    end = start
    for child in inside:
        begin, end = end, _collect(child, end, found)
        spans.append((begin, end - 1))
    users: dict[int, list[tuple[int, int]]] = {}
    # A straight-line program has hundreds of buffers side by side: each statement is looked at once for all of them.
    for child, span in zip(inside, spans, strict=True):
        if isinstance(child, AllocBuffer):
            users[hash(child.buffer)] = []
        elif users:
            for identity in _used(child):
                if identity in users:
                    users[identity].append(span)
    for child in inside:
        if isinstance(child, AllocBuffer) and users[hash(child.buffer)]:
            those = users[hash(child.buffer)]
            found.append(_Allocation(child.buffer, those[0][0], those[-1][1]))
    return end if inside else start + 1


def _used(stmt: Stmt) -> list[int]:
    """Buffers that come from outside, each by its identity, which is what an object of TVM hashes to."""
    return [hash(var) for var in _undefined(stmt, [])]
