"""`wvv boards`: the boards that are here, and what each is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tvm_wvv.cli.options import Json

if TYPE_CHECKING:
    from tvm_wvv.micro.board import Board


def command(json: Json = False) -> None:
    """List the boards: core, clock, memory, and how firmware is run on each.

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
         f"{board.cpu.clock_hz / 1e6:g} MHz", kib(board.region("code").length), kib(board.region("ram").length))
        for board in boards
    ]  # fmt: skip
    host = (X86, "this computer, without firmware", "", "", "in process", "", "", "")
    show(
        table(
            ("board", "what it is", "core", "features", "runs on", "clock", "flash", "RAM"),
            [*rows, host],
            numbers=range(5, 8),
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
        "ram_bytes": board.region("ram").length,
        "runner": board.run.runner,
    }
