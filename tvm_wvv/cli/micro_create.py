"""`wvv micro create`: an archive and a board to a project folder that builds without this program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tvm_wvv.cli.progress import progress_bars

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The project's folder.", show_default=False)]
ArchivePath = Annotated[Path, typer.Argument(metavar="OUT.tar", help="An archive of wvv compile.", show_default=False)]
BoardOption = Annotated[
    str | None,
    typer.Option("--board", metavar="BOARD", help="Target, by default the archive's own.", show_default=False),
]
Template = Annotated[
    str,
    typer.Option(
        metavar="baremetal|library|zephyr|arduino",
        help="baremetal: make and arm-none-eabi-gcc; library: CMake, for any firmware and for this host; zephyr: an "
        "application; arduino: a library with an example.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a project that is there already.")]


def command(
    folder: Folder,
    archive: ArchivePath,
    board: BoardOption = None,
    template: Template = "baremetal",
    force: Force = False,
) -> None:
    """Make a project of an archive: the network's C, the runtime, the board's files, and inputs to check it with.

    The folder is whole in itself. Nothing is written if the network does not fit the board.

    [bold]Examples[/bold]:

    wvv micro create firmware digits.tar --board mps2-an386

    wvv micro create digits_lib digits.tar --template library --force
    """
    from tvm_wvv.micro.project_create import recipe_of
    from tvm_wvv.micro.project_files import project_files, project_of
    from tvm_wvv.micro.project_folder import check_target, write_project
    from tvm_wvv.micro.project_run import runs_here
    from tvm_wvv.report.output import show

    check_target(folder, force=force)
    with progress_bars() as progress:
        recipe = recipe_of(archive, board, template, progress)
    files = project_files(recipe)
    write_project(folder, files, force=force)
    show(
        f"wrote {folder}: {recipe.network.name} for {recipe.board.name}, template {template}, {len(files)} files",
        f"next: wvv micro {'run' if runs_here(project_of(recipe), recipe.board) else 'flash'} {folder}",
    )
