"""`wvv compile`: a model to an archive of plain C, checked against the board's memory."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from tvm_wvv.cli.options import (
    BoardName,
    CmsisNnFolder,
    Codegen,
    Direct,
    FlashLimit,
    Layer,
    Model,
    Recipe,
    TunedBy,
    Winograd,
    compile_options,
)
from tvm_wvv.cli.output_file import check_writable
from tvm_wvv.cli.progress import progress_bars

Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="OUT.tar", help="Archive to write.", show_default=False)
]


def command(
    model: Model,
    output: Output,
    board: BoardName,
    winograd: Winograd = "auto",
    layer: Layer = None,
    recipe: Recipe = None,
    codegen: Codegen = "c",
    direct: Direct = "own",
    cmsis_nn: CmsisNnFolder = None,
    flash_limit: FlashLimit = None,
    tuned: TunedBy = None,
) -> None:
    """Compile MODEL to C11 without heap or runtime library, in the shape of a Model Library Format archive.

    Prints what became of each layer, and the memory that the network takes. Nothing is written if the network, or where
    arm-none-eabi-gcc is installed the whole firmware with its stack, does not fit the board.

    [bold]Examples[/bold]:

    wvv compile digits -o digits.tar --board mps2-an386

    wvv compile resnet.tflite -o resnet.tar --board mps2-an500 --winograd off --layer model/conv2d_3/Relu=f2
    """
    from tvm_wvv.cli.fit import fit_line
    from tvm_wvv.cli.measure import layer_figures, static_totals
    from tvm_wvv.errors import WvvError
    from tvm_wvv.micro import archive
    from tvm_wvv.micro.board import load_board
    from tvm_wvv.micro.build_record import build_record
    from tvm_wvv.micro.fit import check_fit, fit_if_possible, refuse_misfit
    from tvm_wvv.micro.session import open_session
    from tvm_wvv.report.output import show
    from tvm_wvv.report.tables import explain_table, totals_table

    options = compile_options(winograd, layer, recipe, codegen, direct, cmsis_nn, flash_limit, tuned)
    check_writable(output)
    target = load_board(board)
    with progress_bars() as progress:
        session = open_session(model, options, progress)
        if session.is_archive:
            raise WvvError(f"{model}: is compiled already; name a .tflite file or the word digits")
        network = session.network(target)
        check_fit(network, target)
        progress("measure firmware", 0, 1)
        found = fit_if_possible(network, target)
        progress("measure firmware", 1, 1)
    if found is not None:
        refuse_misfit(found)
    source = session.path.read_bytes()
    # Where the library lay on this machine is no part of what was compiled: its sources are in the archive.
    recorded = asdict(replace(options, cmsis_nn=None))
    archive.write(output, network.emitted, network.lowered, target.name, recorded, source, build_record(target))
    show(
        explain_table(target.name, network.name, layer_figures(network)),
        totals_table(static_totals(network)),
        fit_line(found),
        f"wrote {output}",
    )
