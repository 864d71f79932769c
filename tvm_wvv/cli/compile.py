"""`wvv compile`: a model to an archive of plain C, checked against the board's memory, or to a library for x86."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tvm_wvv.cli.options import (
    BoardOrHost,
    CmsisNnFolder,
    Codegen,
    Direct,
    FlashLimit,
    Json,
    Layer,
    Mcpu,
    Model,
    Recipe,
    TunedBy,
    Winograd,
    compile_options,
    for_cpu,
)
from tvm_wvv.cli.output_file import check_writable
from tvm_wvv.cli.progress import progress_bars

if TYPE_CHECKING:
    from tvm_wvv.passes.options import Options

Output = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="OUT.tar|DIR", help="Archive, or folder, to write.", show_default=False),
]


def command(
    model: Model,
    output: Output,
    board: BoardOrHost,
    winograd: Winograd = "auto",
    layer: Layer = None,
    recipe: Recipe = None,
    codegen: Codegen = "c",
    direct: Direct = "own",
    cmsis_nn: CmsisNnFolder = None,
    flash_limit: FlashLimit = None,
    mcpu: Mcpu = "",
    tuned: TunedBy = None,
    json: Json = False,
) -> None:
    """Compile MODEL to C11 without heap or runtime library, in the shape of a Model Library Format archive; for x86 to
    a folder with a shared library, its header and an example.

    Prints what became of each layer, and the memory that the network takes. Nothing is written if the network, or where
    arm-none-eabi-gcc is installed the whole firmware with its stack, does not fit the board.

    [bold]Examples[/bold]:

    wvv compile digits -o digits.tar --board mps2-an386

    wvv compile resnet.tflite -o resnet.tar --board mps2-an500 --winograd off --layer model/conv2d_3/Relu=f2

    wvv compile resnet.tflite -o resnet_x86 --board x86 --mcpu x86-64-v3
    """
    from tvm_wvv.micro.board import X86

    asked = compile_options(winograd, layer, recipe, codegen, direct, cmsis_nn, flash_limit, tuned)
    options = for_cpu(asked, board, mcpu)
    if board == X86:
        from tvm_wvv.cli.compile_x86 import compile_library

        compile_library(model, output, options, json)
    else:
        _compile_archive(model, output, board, options, json)


def _compile_archive(model: str, output: Path, board: str, options: Options, json: bool) -> None:
    from tvm_wvv.cli.fit import fit_line
    from tvm_wvv.cli.measure import layer_figures, static_totals
    from tvm_wvv.errors import WvvError
    from tvm_wvv.micro import archive
    from tvm_wvv.micro.board import load_board
    from tvm_wvv.micro.build_record import build_record
    from tvm_wvv.micro.fit import check_fit, fit_if_possible, refuse_misfit
    from tvm_wvv.micro.session import open_session
    from tvm_wvv.report.figures import explain_object
    from tvm_wvv.report.output import print_json, show
    from tvm_wvv.report.tables import explain_table, totals_table

    check_writable(output)
    target = load_board(board)
    with progress_bars() as progress:
        session = open_session(model, options, progress)
        if session.is_compiled:
            raise WvvError(f"{model}: is compiled already; name a .tflite file or a packaged network")
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
    layers, totals = layer_figures(network), static_totals(network)
    if json:
        print_json(
            {**explain_object(target.name, network.name, layers), "totals": asdict(totals), "output": str(output)}
        )
        return
    show(
        explain_table(target.name, network.name, layers),
        totals_table(totals),
        fit_line(found),
        f"wrote {output}",
    )
