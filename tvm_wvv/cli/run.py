"""`wvv run`: inputs from a file through the network, on a board or on this computer."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tvm_wvv.cli.options import (
    Batch,
    Baud,
    BoardOrHost,
    CmsisNnFolder,
    Codegen,
    Direct,
    Json,
    Layer,
    Mcpu,
    ModelOrArchive,
    PortName,
    Recipe,
    Threads,
    Transport,
    TunedBy,
    Winograd,
    compile_options,
    for_cpu,
    link_options,
)
from tvm_wvv.cli.output_file import check_writable, replacing
from tvm_wvv.cli.progress import progress_bars

if TYPE_CHECKING:
    import numpy as np

    from tvm_wvv.micro.runners import SerialFigures


Input = Annotated[
    Path,
    typer.Option(
        "--input",
        metavar="X.npy",
        help="Inputs in the model's own type; an .npz with one array for each input name where it has several.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", metavar="Y.npy", help="Where the outputs go; .npz holds all by name.", show_default=False),
]


def command(
    model: ModelOrArchive,
    board: BoardOrHost,
    source: Input,
    output: Output = None,
    transport: Transport = None,
    port: PortName = None,
    baud: Baud = None,
    json: Json = False,
    winograd: Winograd = "auto",
    layer: Layer = None,
    recipe: Recipe = None,
    codegen: Codegen = "c",
    direct: Direct = "own",
    cmsis_nn: CmsisNnFolder = None,
    mcpu: Mcpu = "",
    tuned: TunedBy = None,
    threads: Threads = 1,
    batch: Batch = 1,
) -> None:
    """Run MODEL on inputs from a file and print a digest of each output, with the instructions of one inference.

    For a model input of shape (1, h, w, c) the file may hold (h, w, c) or (1, h, w, c): one inference; (n, h, w, c):
    n of them; or (n, 1, h, w, c). Outputs come back in the same form. The type must be the model's own: int8,
    or float32 where the model quantizes its input itself.

    Over a serial line the device says what time one inference took, and by which clock.

    [bold]Examples[/bold]:

    wvv run digits --board mps2-an386 --input images.npy --output scores.npy

    wvv run resnet.tar --board x86 --input image.npy --json

    wvv run resnet.tar --board nucleo-l4r5zi --port /dev/ttyACM0 --input image.npy
    """
    from tvm_wvv.micro.runners import OnBoard, OnSerial
    from tvm_wvv.micro.samples import check_output, read_inputs, stacked, unstacked
    from tvm_wvv.micro.session import open_session

    asked = compile_options(winograd, layer, recipe, codegen, direct, cmsis_nn, tuned=tuned)
    options = for_cpu(asked, board, mcpu, threads, batch)
    link = link_options(transport, port, baud)
    if output is not None:
        check_writable(output)
    with progress_bars() as progress:
        runner = open_session(model, options, progress).runner(board, link)
        if output is not None:
            check_output(output, runner.outputs)
        inputs, form = stacked(read_inputs(source, runner.inputs), runner.inputs)
        arrays = runner.run(inputs, progress)
        instructions = runner.count(inputs).total_instructions if isinstance(runner, OnBoard) else None
        figures = runner.time(inputs) if isinstance(runner, OnSerial) else None
    outputs = {info.name: unstacked(array, form) for info, array in zip(runner.outputs, arrays, strict=True)}
    if output is not None:
        write_arrays(output, outputs)
    _print(board, outputs, instructions, figures, json)


def write_arrays(path: Path, outputs: dict[str, np.ndarray]) -> None:
    """All outputs into one file."""
    from tvm_wvv.micro.samples import write_outputs

    with replacing(path) as temporary, temporary.open("wb") as file:
        write_outputs(file, outputs, path.suffix)


def _print(
    board: str, outputs: dict[str, np.ndarray], instructions: int | None, figures: SerialFigures | None, json: bool
) -> None:
    from tvm_wvv.report.output import print_json, show
    from tvm_wvv.report.tables import table
    from tvm_wvv.report.text import count

    facts = {name: output_facts(array) for name, array in outputs.items()}
    if json:
        line = {} if figures is None else {"serial": asdict(figures)}
        print_json({"board": board, "outputs": facts, "instructions": instructions, **line})
        return
    rows = [(name, "x".join(map(str, fact["shape"])), fact["dtype"], fact["sha256"]) for name, fact in facts.items()]
    show(table(("output", "shape", "type", "sha256"), rows, f"run on {board}"))
    if figures is None:
        show(f"instructions for one inference: {count(instructions)}")
    else:
        ticks, stack = count(figures.ticks), count(figures.stack_bytes)
        show(f"one inference: {ticks} ticks of {figures.clock}; stack: {stack} bytes")


def output_facts(array: np.ndarray) -> dict[str, Any]:
    """Shape, type, and the digest of the bytes in C order, as `array.tobytes()` gives them."""
    return {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
    }
