"""`wvv eval`: accuracy of the real firmware image, and how faithful it is to the reference kernels."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tvm_wvv.cli.options import (
    Batch,
    Baud,
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
from tvm_wvv.cli.progress import progress_bars

if TYPE_CHECKING:
    from tvm_wvv.report.score import Score

Board = Annotated[
    str,
    typer.Option(
        metavar="BOARD|x86|reference",
        help="Target, x86 for this computer, or reference for TFLite's own reference kernels.",
        show_default=False,
    ),
]
Data = Annotated[
    str,
    typer.Option(
        metavar="D.parquet|FOLDER|digits",
        help="Labelled images: columns image and label, one sub-folder a class, or the packaged digits.",
        show_default=False,
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Only N of the images.", show_default=False)]

Resume = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Keep the outputs of finished images in FILE, and go on from there if it is of this very run.",
        show_default=False,
    ),
]


def command(
    model: ModelOrArchive,
    board: Board,
    data: Data,
    limit: Limit = None,
    transport: Transport = None,
    port: PortName = None,
    baud: Baud = None,
    resume: Resume = None,
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
    """Measure the accuracy of MODEL on labelled images, and compare every output with TFLite's reference kernels.

    agreement is the share of images with the same best class, identical the share with the same output bytes. Both are
    unknown for an archive that does not hold its model.

    An int8 input gets pixel - 128. A float32 input, which the network quantizes itself, gets the real numbers of these
    codes, scale * (pixel - 128 - zero point), so that the network sees pixel - 128 in both cases.

    [bold]Examples[/bold]:

    wvv eval digits --board mps2-an386 --data digits

    wvv eval resnet.tflite --board mps2-an386 --winograd f2 --data cifar10_test.parquet --limit 500 --json

    wvv eval resnet.tar --board nucleo-l4r5zi --port /dev/ttyACM0 --data cifar10_test.parquet --resume done.wvv
    """
    from tvm_wvv.cli.measure import evaluate
    from tvm_wvv.micro.session import open_session
    from tvm_wvv.report.output import print_json

    asked = compile_options(winograd, layer, recipe, codegen, direct, cmsis_nn, tuned=tuned)
    options = for_cpu(asked, board, mcpu, threads, batch)
    link = link_options(transport, port, baud)
    with progress_bars() as progress:
        result = evaluate(open_session(model, options, progress), board, data, limit, progress, link, resume)
    if json:
        print_json({"board": board, **asdict(result)})
    else:
        _print(board, data, result)


def _print(board: str, data: str, result: Score) -> None:
    from tvm_wvv.report.output import show
    from tvm_wvv.report.tables import table
    from tvm_wvv.report.text import percent

    row = (board, str(result.n), f"{result.top1:.2f} %", percent(result.agreement), percent(result.identical))
    columns = ("board", "images", "top-1", "same class", "same bytes")
    show(table(columns, [row], f"{data}, and against the reference kernels", numbers=range(1, 5)))
