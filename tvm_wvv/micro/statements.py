"""Walk over TensorIR statements; TVM 0.27 has no statement visitor or mutator in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import tvm
from tvm import s_tir, tirx
from tvm.tirx.stmt import AttrStmt, For, IfThenElse, SeqStmt, Stmt, While


def children(stmt: Stmt) -> tuple[Stmt, ...]:
    """The statements directly inside, in the order in which they run; a leaf has none."""
    match stmt:
        case SeqStmt():
            return tuple(stmt.seq)
        case For() | AttrStmt() | While():
            return (stmt.body,)
        case IfThenElse():
            return (stmt.then_case,) if stmt.else_case is None else (stmt.then_case, stmt.else_case)
        case s_tir.SBlockRealize():
            return (stmt.block,)
        case s_tir.SBlock():
            return (stmt.body,) if stmt.init is None else (stmt.init, stmt.body)
    return ()


def walk(stmt: Stmt) -> Iterator[Stmt]:
    """Every statement, each before those inside it."""
    yield stmt
    for child in children(stmt):
        yield from walk(child)


def rebuild(stmt: Stmt, change: Callable[[Stmt], Stmt]) -> Stmt:
    """The same statement with `change` applied to each statement directly inside; blocks must be lowered before."""
    assert not isinstance(stmt, s_tir.SBlockRealize | s_tir.SBlock), "blocks must be lowered before a rewrite"
    match stmt:
        case SeqStmt():
            return SeqStmt([change(inner) for inner in stmt.seq])
        case For():
            return For(
                stmt.loop_var,
                stmt.min,
                stmt.extent,
                stmt.kind,
                change(stmt.body),
                stmt.thread_binding,
                stmt.annotations,
                stmt.step,
            )
        case AttrStmt():
            return AttrStmt(stmt.node, stmt.attr_key, stmt.value, change(stmt.body))
        case While():
            return While(stmt.condition, change(stmt.body))
        case IfThenElse():
            other = None if stmt.else_case is None else change(stmt.else_case)
            return IfThenElse(stmt.condition, change(stmt.then_case), other)
    return stmt


def buffer_bytes(buffer: tirx.Buffer) -> int:
    """Size of a buffer whose shape is constant."""
    count = 1
    for extent in buffer.ty.shape:
        count *= int(extent)
    return count * -(-tvm.DataType(str(buffer.ty.dtype)).bits // 8)
