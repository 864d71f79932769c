"""A kernel whose loops over chunks threads share, as functions on raw pointers: one a loop, in their order.

Before:  loops and buffers, blocks lowered; at the top `T.parallel` loops and buffers that live from one to the next.
After:   each such loop is a function that takes the number of its chunk last. Buffers of the top lie in a workspace
         that all chunks share, those inside a loop in one for each chunk.
A kernel without such a loop is one function for one chunk, as `bare_pointers` makes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import tvm
from tvm import tirx
from tvm.tirx.stmt import AllocBuffer, DeclBuffer, For, ForKind, SeqStmt, Stmt

from tvm_wvv.micro.bare_pointers import bare_pointers
from tvm_wvv.micro.statements import buffer_bytes, walk
from tvm_wvv.micro.workspace import Hoisted, hoist, views
from tvm_wvv.plan.memory import align


@dataclass(frozen=True)
class Phase:
    """A function of pointers to the kernel's parameters; then, where it uses them, to the `shared` workspace and to the
    chunk's `own`; then of the chunk's number, where there are more `chunks` than one.
    """

    func: tirx.PrimFunc
    chunks: int
    shared: bool
    own: bool


@dataclass(frozen=True)
class Phased:
    """The workspace of all phases: what chunks share, and after it that of each chunk."""

    phases: tuple[Phase, ...]
    shared_bytes: int
    own_bytes: int

    @property
    def workspace_bytes(self) -> int:
        """All of it."""
        return self.shared_bytes + self.own_bytes * max(phase.chunks for phase in self.phases)


def phased(func: tirx.PrimFunc, alignment: int) -> Phased:
    """The kernel's functions; parameter order is kept."""
    top = tuple(func.body.seq) if isinstance(func.body, SeqStmt) else (func.body,)
    loops = [stmt for stmt in top if _is_shared_out(stmt)]
    if not loops:
        bare = bare_pointers(func, alignment)
        return Phased((Phase(bare.func, 1, False, bare.workspace_bytes > 0),), 0, bare.workspace_bytes)
    buffers = [stmt.buffer for stmt in top if isinstance(stmt, AllocBuffer)]
    others = [stmt for stmt in top if not isinstance(stmt, AllocBuffer | For)]
    assert not others and len(loops) + len(buffers) == len(top), "a kernel for threads has loops over chunks only"
    assert not any(shares_out(loop.body) for loop in loops), "a loop over chunks stands inside another loop"
    offsets, length = [], 0
    for buffer in buffers:
        offsets.append(length)
        length = align(length + buffer_bytes(buffer), alignment)
    hoisted = [hoist(loop.body, alignment) for loop in loops]
    outside = _Shared(tuple(buffers), tuple(offsets), length)
    phases = tuple(_phase(func, loop, one, outside) for loop, one in zip(loops, hoisted, strict=True))
    return Phased(phases, length, align(max(one.workspace_bytes for one in hoisted), alignment))


def shares_out(stmt: Stmt) -> bool:
    """Whether a loop over chunks stands somewhere in it."""
    return any(_is_shared_out(inner) for inner in walk(stmt))


@dataclass(frozen=True)
class _Shared:
    """Buffers that live from one loop to the next."""

    buffers: tuple[tirx.Buffer, ...]
    offsets: tuple[int, ...]
    bytes: int

    def declared(self, workspace: tirx.Var) -> Iterator[Stmt]:
        yield from views(self.buffers, self.offsets, workspace, self.bytes)


def _is_shared_out(stmt: Stmt) -> bool:
    return isinstance(stmt, For) and stmt.kind == ForKind.PARALLEL


def _phase(func: tirx.PrimFunc, loop: For, hoisted: Hoisted, outside: _Shared) -> Phase:
    pointers = [tirx.Var(p.name, tvm.ir.PointerType(p.ty.dtype)) for p in func.params]
    head: list[Stmt] = [DeclBuffer(p, data=pointer) for p, pointer in zip(func.params, pointers, strict=True)]
    workspaces: list[tirx.Var] = []
    if outside.buffers:
        workspaces.append(tirx.Var("shared", tvm.ir.PointerType(tvm.ir.PrimType("uint8"))))
        head += outside.declared(workspaces[0])
    if hoisted.workspace is not None:
        workspaces.append(hoisted.workspace)
    parameters: Sequence[tirx.Var] = [*pointers, *workspaces, loop.loop_var]
    made = tirx.PrimFunc(parameters, SeqStmt([*head, hoisted.body]), ret_type=func.ret_type, attrs=func.attrs)
    return Phase(made, int(loop.extent), bool(outside.buffers), hoisted.workspace is not None)
