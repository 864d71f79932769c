"""Turn a kernel's buffer parameters into raw pointers, and its own buffers into offsets of a `workspace` pointer.

Before:  parameters are buffers, as `te.create_prim_func` and the schedules leave them; blocks are lowered.
After:   each parameter is a pointer to the same element type, declared as the buffer inside; where the kernel needs
         scratch, a last parameter `workspace` points at it. C code generation then needs no packed calling convention.
"""

from __future__ import annotations

from dataclasses import dataclass

import tvm
from tvm import tirx
from tvm.tirx.stmt import DeclBuffer, SeqStmt

from tvm_wvv.micro.workspace import hoist
from tvm_wvv.plan.memory import ALIGNMENT


@dataclass(frozen=True)
class Bare:
    """A kernel whose parameters are pointers only, and the bytes that its `workspace` must have (0: no parameter)."""

    func: tirx.PrimFunc
    workspace_bytes: int


def bare_pointers(func: tirx.PrimFunc, alignment: int = ALIGNMENT) -> Bare:
    """The kernel with raw pointers; parameter order is kept, `workspace` comes last."""
    pointers = [tirx.Var(p.name, tvm.ir.PointerType(p.ty.dtype)) for p in func.params]
    hoisted = hoist(func.body, alignment)
    declared = [DeclBuffer(p, data=pointer) for p, pointer in zip(func.params, pointers, strict=True)]
    if hoisted.workspace is not None:
        pointers.append(hoisted.workspace)
    body = SeqStmt([*declared, hoisted.body])
    bare = tirx.PrimFunc(pointers, body, ret_type=func.ret_type, attrs=func.attrs)
    return Bare(bare, hoisted.workspace_bytes)
