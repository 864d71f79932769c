"""Machines of QEMU's that have the core of a board which QEMU does not model."""

from __future__ import annotations

from dataclasses import replace

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import Board, board_names, load_board

QEMU = "qemu"


def in_qemu(board: Board) -> bool:
    """Whether QEMU models the board itself."""
    return board.run.runner == QEMU


def qemu_names() -> tuple[str, ...]:
    """Of all boards that QEMU models."""
    return tuple(name for name in board_names() if in_qemu(load_board(name)))


def require_qemu(board: Board) -> None:
    """Refuse a board on which no instructions can be counted."""
    if not in_qemu(board):
        names = ", ".join(other.name for other in _with_core(board))
        instead = f"; take one with the same core: {names}" if names else ""
        raise WvvError(f"{board.name}: is no machine of QEMU's, which counts instructions{instead}")


def stand_in(board: Board) -> Board:
    """The board itself where QEMU has it, else a machine with its core, built for with the board's own flags."""
    if in_qemu(board):
        return board
    others = _with_core(board)
    if not others:
        raise WvvError(f"{board.name}: QEMU has no {board.cpu.core} that could size a library's scratch")
    cpu = replace(others[0].cpu, flags=board.cpu.flags, features=board.cpu.features)
    return replace(others[0], cpu=cpu)


def _with_core(board: Board) -> list[Board]:
    boards = (load_board(name) for name in board_names())
    return [other for other in boards if in_qemu(other) and other.cpu.core == board.cpu.core]
