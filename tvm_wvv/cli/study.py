"""`wvv study`: the noise of each algorithm and what it saves on known networks, computed anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tvm_wvv.cli.options import Json
from tvm_wvv.cli.progress import progress_bars

Folder = Annotated[
    Path | None,
    typer.Option(
        "-o",
        metavar="DIR",
        help="Write DIR/study.md and DIR/figures/*.png; needs matplotlib, the extra named report.",
        show_default=False,
    ),
]


def command(folder: Folder = None, json: Json = False) -> None:
    """Compute the noise of every algorithm of the catalog, by bits and scales, and its multiplications on ResNets.

    It takes about a minute. Without -o, the page is printed.

    [bold]Example[/bold]: wvv study -o docs
    """
    from tvm_wvv.cli.output_file import check_writable, replacing
    from tvm_wvv.report.output import print_json, show
    from tvm_wvv.report.study import study, study_object
    from tvm_wvv.report.study_page import page
    from tvm_wvv.report.study_plots import check_drawing, draw

    if folder is not None:
        check_writable(folder / "study.md")
        check_drawing()
    with progress_bars() as progress:
        found = study(step=progress)
    if folder is not None:
        draw(found, folder)
        with replacing(folder / "study.md") as path:
            path.write_text(page(found), encoding="utf-8")
    if json:
        print_json(study_object(found))
    elif folder is None:
        show(page(found))
