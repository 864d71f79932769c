"""Measure ways to compute layers by the instructions that firmware takes in QEMU: exact, the same every time.

One image holds a new way of every layer. Where it cannot be built or does not fit, halves of it are tried, down to
single layers, whose ways are then not possible on this board.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.counts import count
from tvm_wvv.micro.emit_c import emit
from tvm_wvv.micro.fit import check_fit
from tvm_wvv.micro.interrupts import Check, never
from tvm_wvv.micro.network import Network
from tvm_wvv.micro.process import CommandError
from tvm_wvv.micro.runners import Arrays, OnBoard
from tvm_wvv.micro.toolchain import build_firmware
from tvm_wvv.micro.tuner import NOTHING, Assignment, Measure, Reading
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.passes.options import Options, TunedFile
from tvm_wvv.passes.tuned import INSTRUCTIONS, Record
from tvm_wvv.passes.tuning_records import line_of
from tvm_wvv.plan.tuning_space import Task

Count = Callable[[TunedFile], tuple[Lowered, dict[str, int]]]
"""A network under a database -> itself, and the instructions of each layer by name."""


def counter(model: QuantModel, board: Board, inputs: Arrays) -> Count:
    """Builds firmware of the network, and runs it once."""

    def counted(tuned: TunedFile) -> tuple[Lowered, dict[str, int]]:
        lowered = pipeline.lower(model, Options(tuned=tuned), board.target)
        return lowered, _instructions(lowered, board, inputs)

    return counted


def on_board(tasks: tuple[Task, ...], board: Board, counted: Count, check: Check = never) -> Measure:
    """Readings by counts; the default's are taken once."""
    _, default = counted(NOTHING)
    layers = {task.signature: task.layers for task in tasks}

    def measure(assignment: Assignment) -> Mapping[str, Reading]:
        try:
            lowered, found = counted(forced(assignment, board.target))
        except (WvvError, CommandError):
            # Ctrl-C ends compilers and QEMU too, which is no fault of the way that they were at.
            check()
            if len(assignment) <= 1:
                return {}
            halves = _halves(assignment)
            return {signature: one for half in halves for signature, one in measure(half).items()}
        taken = {report.name: report.algorithm for report in lowered.layers}
        readings = {}
        for signature, way in assignment.items():
            # Weights of some layers may not allow what those of the first do.
            names = [name for name in layers[signature] if taken[name] == way.algorithm]
            if names:
                readings[signature] = Reading(_mean(found, names), _mean(default, names))
        return readings

    return measure


def forced(assignment: Assignment, cpu: str) -> TunedFile:
    """A database in which these ways won."""
    records = (Record(cpu, signature, way, 1, 2, INSTRUCTIONS) for signature, way in assignment.items())
    return TunedFile("a trial", "".join(map(line_of, records)))


def _instructions(lowered: Lowered, board: Board, inputs: Arrays) -> dict[str, int]:
    network = Network(lowered, emit(lowered))
    check_fit(network, board)
    with tempfile.TemporaryDirectory(prefix="wvv-tune-") as folder:
        elf = build_firmware(network.files, board, Path(folder), profile=True)
        counts = count(OnBoard(board, elf, network.inputs, network.outputs), inputs)
    if counts.layer_instructions is None:
        raise WvvError(f"{board.name}: counts no instructions of single layers: {'; '.join(counts.notes)}")
    return {layer.name: number for layer, number in zip(network.layers, counts.layer_instructions, strict=True)}


def _mean(counts: Mapping[str, int], names: list[str]) -> float:
    return round(sum(counts[name] for name in names) / len(names), 1)


def _halves(assignment: Assignment) -> tuple[Assignment, Assignment]:
    pairs = list(assignment.items())
    return dict(pairs[: len(pairs) // 2]), dict(pairs[len(pairs) // 2 :])
