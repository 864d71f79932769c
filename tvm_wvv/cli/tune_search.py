"""A whole tuning run of one network on a board or on this CPU: tasks, measurements, database, report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tvm_wvv.cli.measure import random_inputs
from tvm_wvv.errors import WvvError
from tvm_wvv.frontends import tflite
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.micro.board import X86, load_board
from tvm_wvv.micro.interrupts import Check, noted_interrupts
from tvm_wvv.micro.progress import Progress
from tvm_wvv.micro.stand_in import require_qemu
from tvm_wvv.micro.tune_board import counter, on_board
from tvm_wvv.micro.tune_x86 import call_of, compare, on_x86
from tvm_wvv.micro.tuner import NOTHING, Budget, Database, Place, Searched, confirm, search
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.options import Options, Target, TunedFile
from tvm_wvv.passes.tuned import INSTRUCTIONS, MICROSECONDS
from tvm_wvv.passes.tuning_records import read
from tvm_wvv.plan.tuning_space import Task, tasks_of
from tvm_wvv.report.tuning import TunedRow, TuningReport
from tvm_wvv.schedules import x86

# Rounds of a first measurement, of one that decides, and of the one over the whole network.
_TRYING, _CONFIRMING, _WHOLE = 30, 120, 200


@dataclass(frozen=True)
class Request:
    """What the user asks for."""

    path: Path
    board: str
    mcpu: str
    budget: Budget
    database: Path
    resume: bool


def tune(request: Request, progress: Progress) -> TuningReport:
    """Search, and leave what was found in the database."""
    model = tflite.load(request.path)
    run = _on_this_cpu if request.board == X86 else _on_qemu
    with noted_interrupts() as check:
        return run(model, request, progress, check)


def _on_qemu(model: QuantModel, request: Request, progress: Progress, check: Check) -> TuningReport:
    board = load_board(request.board)
    require_qemu(board)
    tasks = _tasks(model, Options(tuned=NOTHING), board.target)
    database = Database(request.database, Place(board.target, board.name, INSTRUCTIONS))
    counted = counter(model, board, random_inputs(model.inputs))
    measure = on_board(tasks, board, counted, check)
    found = search(tasks, database, measure, request.budget, request.resume, progress, check)
    totals = [sum(counted(file)[1].values()) for file in (NOTHING, _file(request.database))]
    return _report(model, request, tasks, database, found, (totals[0], totals[1]))


def _on_this_cpu(model: QuantModel, request: Request, progress: Progress, check: Check) -> TuningReport:
    cpu = x86.resolve(request.mcpu or x86.NATIVE)
    if x86.vectors_of(cpu) is None:
        raise WvvError("--board x86: this computer is no x86, whose kernels are what is tuned; name a board of QEMU's")
    options = Options(mcpu=cpu, tuned=NOTHING)
    tasks = _tasks(model, options, "x86")
    database = Database(request.database, Place(cpu, X86, MICROSECONDS))
    integer, default = pipeline.integer_graph(model), pipeline.lower(model, options, "x86")
    weight_bytes = sum(layer.weight_bytes for layer in default.layers)
    quick, sure = (on_x86(tasks, integer, cpu, weight_bytes, rounds, check) for rounds in (_TRYING, _CONFIRMING))
    found = search(tasks, database, quick, request.budget, request.resume, progress, check)
    confirm(tasks, database, sure)
    tuned = pipeline.lower(model, Options(mcpu=cpu, tuned=_file(request.database)), "x86")
    whole = compare(call_of(default), call_of(tuned), _WHOLE, np.zeros(0, np.uint8))
    return _report(model, request, tasks, database, found, (whole.default, whole.measure))


def _tasks(model: QuantModel, options: Options, target: Target) -> tuple[Task, ...]:
    integer = pipeline.integer_graph(model)
    decisions = pipeline.decide(integer, options, target=target)
    tasks = tasks_of(integer, decisions, target, x86.vectors_of(options.mcpu) if target == "x86" else None)
    if not any(len(task.ways) > 1 for task in tasks):
        raise WvvError(f"{model.name}: no layer of it can be computed in more than one way, there is nothing to tune")
    return tasks


def _file(path: Path) -> TunedFile:
    return TunedFile(str(path), read(path) if path.exists() else "")


def _report(
    model: QuantModel,
    request: Request,
    tasks: tuple[Task, ...],
    database: Database,
    found: Searched,
    whole: tuple[float, float],
) -> TuningReport:
    place = database.place
    rows = tuple(_row(task, database, len(found.costs[task.signature])) for task in tasks)
    return TuningReport(
        model.name, place.board, place.cpu, place.unit, str(request.database), found.trials, found.seconds, rows, whole
    )


def _row(task: Task, database: Database, tried: int) -> TunedRow:
    cpu, default = database.place.cpu, task.ways[0]
    known = database.tuned.measured(cpu, task.signature, database.versions["sources"])
    best = database.tuned.best(cpu, task.signature)
    if best is None:
        cost = known[default].default if default in known else None
        return TunedRow(task.signature, task.layers, tried, default, default, cost, cost)
    return TunedRow(task.signature, task.layers, tried, default, best.decision, best.default, best.measure)
