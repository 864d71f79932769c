"""`wvv micro flash`: a project's firmware onto its board."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from tvm_wvv.cli.micro_build import Folder

Runner = Annotated[
    str | None,
    typer.Option(metavar="gdb|pyocd|openocd", help="The tool; else the board's own.", show_default=False),
]
GdbServer = Annotated[
    str | None,
    typer.Option("--gdb-server", metavar="HOST:PORT", help="Where a gdb server listens, for gdb.", show_default=False),
]
Probe = Annotated[
    str | None,
    typer.Option(metavar="SERIAL", help="Which of several probes, for pyocd and openocd.", show_default=False),
]
Machine = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What the tool calls the board, where board.toml is for another tool: pyOCD's target, OpenOCD's file.",
        show_default=False,
    ),
]
Port = Annotated[
    str | None, typer.Option("--port", metavar="PORT", help="The board's port, for Arduino.", show_default=False)
]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", help="How long flashing may take.")]


def command(
    folder: Folder,
    runner: Runner = None,
    gdb_server: GdbServer = None,
    probe: Probe = None,
    machine: Machine = None,
    port: Port = None,
    timeout: Timeout = 120,
) -> None:
    """Build the project if need be, load it onto the board, and let it run.

    A QEMU board takes its image when it is started (wvv micro run); one that waits with -S -gdb tcp::PORT can be
    flashed by gdb.

    [bold]Examples[/bold]:

    wvv micro flash firmware

    wvv micro flash firmware --runner gdb --gdb-server localhost:1234
    """
    from tvm_wvv.errors import WvvError
    from tvm_wvv.micro.flash import default_desk, flash
    from tvm_wvv.micro.project import read_project
    from tvm_wvv.micro.project_build import build, flash_plan, run_tool
    from tvm_wvv.report.output import show

    project = read_project(folder)
    board = project.load_board(folder)
    if project.template == "library":
        raise WvvError(f"{folder}: is a library, and no firmware to flash; link it into yours")
    tool = flash_plan(project, board, port)
    elf = build(project, board, folder)
    if tool is not None and runner is None:
        run_tool(tool, folder, timeout)
        show(f"flashed {board.name} by {tool[0]}")
        return
    desk = default_desk(board)
    desk = replace(
        desk, gdb_server=gdb_server or desk.gdb_server, probe=probe, machine=machine, timeout_s=timeout
    )
    chosen = runner or ("gdb" if gdb_server else board.run.runner)
    if chosen == "qemu":
        show(f"{board.name}: QEMU takes the image when it is started: wvv micro run {folder}")
        return
    flash(board, elf, chosen, desk)
    show(f"flashed {board.name} by {chosen}")
