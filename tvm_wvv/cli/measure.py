"""What commands measure: cost of one inference on a board, accuracy on labelled images, both as values of `report`.

Two images are built for a profile. The one with marks counts each layer; the one without, which ships, gives total,
flash, RAM and stack. So counting shows in no figure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from tvm_wvv.data import images
from tvm_wvv.errors import WvvError
from tvm_wvv.frontends import tflite
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.board import X86, load_board
from tvm_wvv.micro.cmsis_nn import library_for
from tvm_wvv.micro.counts import NOTHING, Counts, count
from tvm_wvv.micro.cycles import ASSUMPTIONS
from tvm_wvv.micro.elf_sizes import elf_sizes
from tvm_wvv.micro.firmware_cache import firmware
from tvm_wvv.micro.fit import check_fit
from tvm_wvv.micro.link import IN_QEMU, Link
from tvm_wvv.micro.metadata import tensor_bytes
from tvm_wvv.micro.network import Network
from tvm_wvv.micro.progress import Progress
from tvm_wvv.micro.resume import run_facts, run_resumed
from tvm_wvv.micro.runners import Arrays, OnBoard, OnReference
from tvm_wvv.micro.session import REFERENCE, Session, for_this_host
from tvm_wvv.micro.stand_in import require_qemu
from tvm_wvv.micro.x86_facts import LibraryFacts
from tvm_wvv.micro.x86_loaded import facts_of
from tvm_wvv.passes.pipeline import lower
from tvm_wvv.quant.operators import Affine
from tvm_wvv.report.figures import FunctionFigures, LayerFigures, Profile, Totals
from tvm_wvv.report.score import Score, score

_SEED = 0


def layer_figures(network: Network, counts: Counts = NOTHING) -> tuple[LayerFigures, ...]:
    """One row a layer, with what a run counted."""
    unknown = (None,) * len(network.layers)
    instructions, cycles = (counts.layer_instructions or unknown, counts.layer_cycles or unknown)
    rows = zip(network.layers, instructions, cycles, network.emitted.layer_workspace, strict=True)
    return tuple(
        LayerFigures(
            name=layer.name, op=layer.op, algorithm=layer.algorithm, reason=layer.reason, macs=layer.macs,
            multiplications=layer.multiplications, instructions=instructions, cycles_m4_estimate=cycles,
            weight_bytes=layer.weight_bytes, workspace_bytes=workspace, backend=layer.backend,
            backend_reason=layer.backend_reason,
        )
        for layer, instructions, cycles, workspace in rows
    )  # fmt: skip


def library_layers(facts: LibraryFacts) -> tuple[LayerFigures, ...]:
    """The same rows of a library for x86, whose instructions nobody counts."""
    return tuple(_host_row(layer) for layer in facts.layers)


def host_layers(session: Session) -> tuple[str, tuple[LayerFigures, ...]]:
    """The name of the session's network and what would be done with its layers on x86, or was done in a library."""
    if session.is_library:
        facts = facts_of(session.path)
        return facts.name, library_layers(facts)
    options = for_this_host(session.options)
    library_for(options, None)  # refuses what does not run here
    lowered = lower(tflite.load(session.path), options, "x86")
    rows = ({**asdict(layer), "workspace_bytes": None} for layer in lowered.layers)
    return lowered.name, tuple(_host_row(row) for row in rows)


def _host_row(layer: Mapping[str, Any]) -> LayerFigures:
    kept = {field.name for field in fields(LayerFigures)}
    known = {name: value for name, value in layer.items() if name in kept}
    return LayerFigures(instructions=None, cycles_m4_estimate=None, **known)


def static_totals(network: Network) -> Totals:
    """What is known without building firmware."""
    sizes = network.emitted
    return Totals(weight_bytes=sizes.weight_bytes, arena_bytes=sizes.arena_bytes, workspace_bytes=sizes.workspace_bytes)


def profile(session: Session, board_name: str, progress: Progress) -> Profile:
    """Counts and sizes of the session's network on a board that has firmware."""
    if board_name in (X86, REFERENCE):
        raise WvvError(f"board '{board_name}' has no firmware to profile; take a board that wvv boards lists")
    board = load_board(board_name)
    require_qemu(board)
    network = session.network(board)
    check_fit(network, board)
    images = []
    for number, marks in enumerate((True, False)):
        progress("build firmware", number, 2)
        images.append(firmware(network.files, board, profile=marks))
    progress("build firmware", 2, 2)
    marked, plain = (OnBoard(board, elf, network.inputs, network.outputs) for elf in images)
    inputs = random_inputs(network.inputs)
    layers, whole, sizes = count(marked, inputs), count(plain, inputs), elf_sizes(plain.elf)
    return Profile(
        board=board.name,
        model=network.name,
        totals=replace(
            static_totals(network),
            instructions=whole.instructions,
            cycles_m4_estimate=whole.cycles,
            flash_bytes=sizes.flash_bytes,
            text_bytes=sizes.text_bytes,
            ram_bytes=None if whole.stack_bytes is None else sizes.ram_bytes + whole.stack_bytes,
            stack_bytes=whole.stack_bytes,
        ),
        layers=layer_figures(network, layers),
        functions=tuple(FunctionFigures(one.name, one.instructions, one.cycles) for one in whole.functions),
        notes=notes(whole),
    )


def notes(counts: Counts) -> tuple[str, ...]:
    """How the cycles are meant, or why there are none."""
    if counts.cycles is None or counts.cycle_range is None:
        return counts.notes
    least, most = (f"{bound / 1e6:.2f}" for bound in counts.cycle_range)
    return (
        *counts.notes,
        f"M4 cycles are an estimate by the Cortex-M4 manual's table, not a measurement. It assumes {ASSUMPTIONS}.",
        f"Refills of 1 to 3 and divisions of 2 to 12 cycles, as the manual has them, give {least} to {most} million.",
    )


def random_inputs(infos: Sequence[TensorInfo]) -> Arrays:
    """One inference of random codes, the same every time: zeros would take branches that real inputs do not."""
    random = np.random.RandomState(_SEED)
    return tuple(_random_input(random, info).reshape(1, *info.shape) for info in infos)


def _random_input(random: np.random.RandomState, info: TensorInfo) -> np.ndarray:
    if info.dtype != "float32":
        return np.frombuffer(random.bytes(tensor_bytes(info)), info.dtype)
    # Random bits would be numbers far out of range, most of them.
    affine = info.affine or Affine(1 / 128, 0)
    return images.real(np.frombuffer(random.bytes(math.prod(info.shape)), np.int8), affine.scale, affine.zero_point)


def evaluate(
    session: Session,
    board: str,
    data: str,
    limit: int | None,
    progress: Progress,
    link: Link = IN_QEMU,
    resume: Path | None = None,
) -> Score:
    """Run the images that `data` names through the network on `board` and through the reference kernels.

    Outputs that are in the file `resume` already are not computed again, and those that are computed go there.
    """
    found = images.load(data, limit)  # first, because a wrong name is found out sooner than the network is compiled
    runner = session.runner(board, link)
    inputs = image_inputs(found.images, runner.inputs)
    _the_one(runner.outputs, "output", "a score for each class")
    if resume is None:
        (outputs,) = runner.run(inputs, progress)
    else:
        (outputs,) = run_resumed(runner, inputs, resume, run_facts(session, board, inputs), progress)
    if isinstance(runner, OnReference):
        return score(outputs, found.labels, outputs)
    reference = session.reference()
    golden = None if reference is None else reference.run(inputs, progress)[0]
    return score(outputs, found.labels, golden)


def image_inputs(pictures: np.ndarray, infos: Sequence[TensorInfo]) -> Arrays:
    """One inference for each image, for a network whose only input is an image."""
    info = _the_one(infos, "input", "an image")
    if info.affine is None:
        raise WvvError(f"input {info.name}: has no quantization of its own, need an int8 input for images")
    samples = images.to_input(pictures, info.shape, info.affine.scale, info.affine.zero_point, info.dtype)
    return (samples.reshape(len(pictures), *info.shape),)


def _the_one(infos: Sequence[TensorInfo], kind: str, what: str) -> TensorInfo:
    if len(infos) != 1:
        raise WvvError(f"the model has {len(infos)} {kind}s, need one with {what}")
    return infos[0]
