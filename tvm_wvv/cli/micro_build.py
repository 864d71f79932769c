"""`wvv micro build`: a project by its own build files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A project of wvv micro create.", show_default=False)]


def command(folder: Folder) -> None:
    """Build the project as its user would: make, cmake, west or arduino-cli, by its template.

    [bold]Example[/bold]: wvv micro build firmware
    """
    from tvm_wvv.micro.project import read_project
    from tvm_wvv.micro.project_build import build
    from tvm_wvv.report.output import show

    project = read_project(folder)
    product = build(project, project.load_board(folder), folder)
    show(f"built {folder / product.relative_to(folder.resolve())}")
