"""`wvv boards`: the boards that are here, and what each is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tvm_wvv.cli.options import Json

if TYPE_CHECKING:
    from tvm_wvv.micro.board import Board


def command(json: Json = False) -> None:
    """List the boards: core, clock, memory, how firmware is run on each, and what Zephyr calls it.

    A board is a folder below boards/; wherever a command takes a BOARD, the path of such a folder does too.

    [bold]Example[/bold]: wvv boards --json
    """
    from tvm_wvv.micro.board import X86, board_names, load_board
    from tvm_wvv.report.output import print_json, show
    from tvm_wvv.report.tables import table
    from tvm_wvv.report.text import kib

    boards = [load_board(name) for name in board_names()]
    if json:
        print_json({"boards": [_facts(board) for board in boards], "host": X86})
        return
    rows = [
        (board.name, board.summary, board.cpu.core, ", ".join(board.cpu.features), board.run.runner,
         board.project.zephyr or "", f"{board.cpu.clock_hz / 1e6:g} MHz", kib(board.region("code").length),
         kib(ram_bytes(board)))
        for board in boards
    ]  # fmt: skip
    host = (X86, "this computer, without firmware", "", "", "in process", "", "", "", "")
    show(
        table(
            ("board", "what it is", "core", "features", "runs on", "Zephyr's name", "clock", "flash", "RAM"),
            [*rows, host],
            numbers=range(6, 9),
        )
    )


def _facts(board: Board) -> dict[str, Any]:
    return {
        "name": board.name,
        "summary": board.summary,
        "core": board.cpu.core,
        "clock_hz": board.cpu.clock_hz,
        "features": list(board.cpu.features),
        "flash_bytes": board.region("code").length,
        "ram_bytes": ram_bytes(board),
        "memory": {one.name: {"origin": one.origin, "length": one.length} for one in board.memory},
        "runner": board.run.runner,
        "timing": board.run.timing,
        "uart": None if board.uart is None else board.uart.kind,
        "zephyr": board.project.zephyr,
        "arduino": board.project.arduino,
    }


def ram_bytes(board: Board) -> int:
    """What firmware can use: `ram`, and the memory that the arena is placed in."""
    return sum(board.region(name).length for name in {"ram", board.placement.arena})
