"""`wvv fit`: every part of the firmware against the board's memories, before anything is built for the board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tvm_wvv.cli.options import (
    BoardName,
    CmsisNnFolder,
    Codegen,
    Direct,
    Json,
    Layer,
    ModelOrArchive,
    Recipe,
    Winograd,
    compile_options,
)
from tvm_wvv.cli.progress import progress_bars

Console = Literal["semihosting", "serial"]

if TYPE_CHECKING:
    from rich.table import Table

    from tvm_wvv.micro.fit import Fit

ConsoleName = Annotated[
    Console,
    typer.Option("--console", metavar="semihosting|serial", help="How the firmware speaks to its host."),
]


def command(
    model: ModelOrArchive,
    board: BoardName,
    json: Json = False,
    console: ConsoleName = "semihosting",
    winograd: Winograd = "auto",
    layer: Layer = None,
    recipe: Recipe = None,
    codegen: Codegen = "c",
    direct: Direct = "own",
    cmsis_nn: CmsisNnFolder = None,
) -> None:
    """Say what the firmware of MODEL takes of each memory of BOARD, how deep its stack gets, and what would help.

    Exit status 0 if it fits, 1 if it does not.

    [bold]Examples[/bold]:

    wvv fit digits --board nucleo-l4r5zi

    wvv fit resnet.tflite --board stm32f4-discovery --winograd off --json
    """
    from tvm_wvv.micro.board import load_board
    from tvm_wvv.micro.fit import fit
    from tvm_wvv.micro.session import open_session
    from tvm_wvv.report.output import print_json, show

    options = compile_options(winograd, layer, recipe, codegen, direct, cmsis_nn)
    target = load_board(board)
    with progress_bars() as progress:
        network = open_session(model, options, progress).network(target)
        progress("measure firmware", 0, 1)
        found = fit(network, target, console=console)
        progress("measure firmware", 1, 1)
    if json:
        print_json(fit_object(found))
    else:
        show(fit_table(found), *fit_lines(found))
    if not found.fits:
        raise typer.Exit(1)


def fit_object(found: Fit) -> dict[str, Any]:
    """The JSON object."""
    return {
        "board": found.board,
        "model": found.model,
        "fits": found.fits,
        "memory": [
            {
                "region": use.region,
                "holds_bytes": use.holds,
                "needed_bytes": use.needed,
                "short_bytes": use.short,
                "parts": {name.replace(" ", "_") + "_bytes": size for name, size in use.parts},
            }
            for use in found.uses
        ],
        "stack": {
            "worst_bytes": found.stack_bytes,
            "reserved_bytes": found.stack_reserved,
            "path": [{"function": name, "bytes": size} for name, size in found.stack_path],
            "note": found.stack_note,
        },
        "peak": {
            "layer": found.peak.layer,
            "input_bytes": found.peak.input_bytes,
            "workspace_bytes": found.peak.workspace_bytes,
            "output_bytes": found.peak.output_bytes,
        },
        "advice": list(found.advice),
    }


def fit_line(found: Fit | None) -> str:
    """The answer in one line; None stands for a compiler that is missing."""
    from tvm_wvv.report.text import count

    if found is None:
        return "code and stack are not checked: arm-none-eabi-gcc is not installed; see wvv doctor"
    uses = [f"{use.region} {count(use.needed)} of {count(use.holds)} bytes" for use in found.uses]
    stack = f"; stack at most {count(found.stack_bytes)} of {count(found.stack_reserved)}" if found.stack_bytes else ""
    return f"firmware on {found.board}: {', '.join(uses)}{stack} (wvv fit shows more)"


def fit_table(found: Fit) -> Table:
    """One row a memory, then its parts."""
    from tvm_wvv.report.tables import table
    from tvm_wvv.report.text import count, kib, percent

    rows = []
    for use in found.uses:
        missing = f"{use.short:,} bytes short" if use.short else ""
        rows.append((use.region, count(use.needed), kib(use.holds), percent(use.needed / use.holds), missing))
        rows += [(f"  {name}", count(size), "", "", "") for name, size in use.parts]
    title = f"{found.model} on {found.board}: {'fits' if found.fits else 'does not fit'}"
    return table(("memory", "bytes", "holds", "used", ""), rows, title, numbers=range(1, 4))


def fit_lines(found: Fit) -> list[str]:
    """The deepest stack, the peak of the arena, and what would help."""
    from tvm_wvv.frontends.layer_names import label

    peak = found.peak
    stack = f"has no bound: {found.stack_note}" if found.stack_bytes is None else f"takes {found.stack_bytes:,} bytes"
    path = " > ".join(f"{name} {size}" for name, size in found.stack_path)
    return [
        f"The stack at its deepest {stack} of {found.stack_reserved:,} reserved{f': {path}' if path else ''}.",
        f"The arena is fullest at {label(peak.layer)}: in {peak.input_bytes:,} + scratch {peak.workspace_bytes:,} "
        f"+ out {peak.output_bytes:,} bytes.",
        *(f"What would help: {line}." for line in found.advice),
    ]
