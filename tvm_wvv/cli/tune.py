"""`wvv tune`: search for faster ways to compute a network's layers, and keep what was measured in a database."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from tvm_wvv.cli.options import BoardOrHost, Json, Mcpu, Model
from tvm_wvv.cli.progress import progress_bars
from tvm_wvv.errors import WvvError

Minutes = Annotated[
    float | None, typer.Option(min=0.0, metavar="M", help="End the search after M minutes.", show_default=False)
]
Trials = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="End it after N trials, one way of every layer each.", show_default=False),
]
DatabaseFile = Annotated[
    Path | None,
    typer.Option(
        "--db",
        metavar="FILE",
        help="Where results go, line by line; MODEL-BOARD.tuning.jsonl where it is left out.",
        show_default=False,
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Skip what the database has from this very version.")]


def command(
    model: Model,
    board: BoardOrHost,
    minutes: Minutes = None,
    trials: Trials = None,
    database: DatabaseFile = None,
    resume: Resume = False,
    mcpu: Mcpu = "",
    json: Json = False,
) -> None:
    """Measure other exact algorithms and other cuts of loops for each layer of MODEL, and keep what is faster.

    On a board of QEMU's the measure is instructions, which are exact; on x86 it is time on this CPU. Results are valid
    for every network with a layer of the same shape, and change no output byte. The commands that compile take them by
    --tuned FILE. Ctrl-C loses nothing: with --resume the search goes on.

    [bold]Examples[/bold]:

    wvv tune digits --board mps2-an386 --trials 12

    wvv tune resnet.tflite --board x86 --minutes 5 --db resnet.tuning.jsonl
    """
    from tvm_wvv.cli.options import for_cpu
    from tvm_wvv.cli.tune_search import Request, tune
    from tvm_wvv.micro.session import open_session
    from tvm_wvv.micro.tuner import Budget
    from tvm_wvv.passes.options import Options
    from tvm_wvv.report.output import print_json, show
    from tvm_wvv.report.tuning import tuning_object, tuning_table

    for_cpu(Options(), board, mcpu)
    if minutes is None and trials is None:
        raise WvvError("--minutes M or --trials N: say when the search shall end")
    session = open_session(model, Options())
    if session.is_archive:
        raise WvvError(f"{model}: is compiled already; name its .tflite")
    budget = Budget(math.inf if minutes is None else 60 * minutes, trials)
    file = database or Path(f"{Path(model).stem}-{Path(board).name}.tuning.jsonl")
    with progress_bars() as progress:
        report = tune(Request(session.path, board, mcpu, budget, file, resume), progress)
    if json:
        print_json(tuning_object(report))
        return
    show(tuning_table(report), f"results are in {file}; use them by --tuned {file}")
