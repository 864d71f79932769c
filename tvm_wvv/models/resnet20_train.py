"""Train ResNet-20 for integers: float weights and images in; checkpoint, log, `.tflite` and recipe out, in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from tvm_wvv.data import images
from tvm_wvv.data.labelled import LabelledImages
from tvm_wvv.errors import WvvError
from tvm_wvv.models import resnet20_exact, resnet20_weights
from tvm_wvv.models.resnet20_export import export
from tvm_wvv.models.resnet20_folder import DIRECT, FLOAT, LOG, MODEL, RECIPE, RESULT
from tvm_wvv.models.resnet20_graph import CLASSES, INPUT_SHAPE
from tvm_wvv.models.resnet20_torch import Network
from tvm_wvv.qat.batches import Pictures
from tvm_wvv.qat.checkpoint import NAME, read, write_whole
from tvm_wvv.qat.convert import Winograd
from tvm_wvv.qat.layers import Scheme
from tvm_wvv.qat.train import Settings, Watch, classes, train
from tvm_wvv.quant.recipe import Recipe, recipe_text
from tvm_wvv.transforms.catalog import axis_of, variant

_CALIBRATION_IMAGES = 512
Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Plan:
    """`arm` is an algorithm with `:int8`, DIRECT, or FLOAT; `tests` are only looked at, before and after, and every
    `evaluate_every` epochs. `recorded` lets a GPU replay its steps. With `flex` the layers learn their transforms.
    """

    weights: Path
    data: tuple[str, ...]
    arm: str
    scheme: Scheme
    settings: Settings
    folder: Path
    tests: tuple[str, ...] = ()
    resume: bool = False
    device: str = "cpu"
    recorded: bool = True
    evaluate_every: int = 0
    flex: bool = False

    @property
    def title(self) -> str:
        """The arm as results and checkpoints name it."""
        return f"{self.arm} flex" if self.flex else self.arm


def winograd_of(plan: Plan) -> Winograd | None:
    """What the layers are trained through; None for direct convolution and for float."""
    if plan.arm in (DIRECT, FLOAT):
        if plan.flex:
            raise WvvError(f"--arm {plan.arm} has no transforms to learn: leave --flex out, or take f4:int8")
        return None
    chosen = variant(plan.arm)
    if chosen.arithmetic != "int8":
        raise WvvError(f"--arm {plan.arm}: {chosen.arithmetic} loses nothing that training could win; take int8")
    if plan.flex:
        try:
            axis_of(chosen.algorithm.name)
        except WvvError as error:
            raise WvvError(f"--arm {plan.arm} --flex: {error}") from error
    return Winograd(chosen.algorithm, plan.scheme, plan.flex)


def run(plan: Plan, report: Report, watch: Watch | None = None) -> dict[str, Any]:
    """Train, export, and give the result, which also stands in the folder."""
    winograd = winograd_of(plan)
    _check_folder(plan)
    weights = resnet20_weights.load(plan.weights)
    data = pictures(plan.data, plan.device)
    tests = {name: pictures((name,), plan.device) for name in plan.tests}
    network, teacher = (Network(weights).to(plan.device, memory_format=torch.channels_last) for _ in range(2))
    if plan.arm != FLOAT:
        _quantize(network, winograd, data, plan)
    result: dict[str, Any] = {"arm": plan.title, "scheme": asdict(plan.scheme), "settings": asdict(plan.settings)}
    if not plan.resume:
        result["untrained"] = measured(network, tests)
        report(result)
    watch = replace(watch or Watch(), every=plan.evaluate_every, measure=lambda: measured(network, tests))
    with _log(plan) as file:

        def log(line: dict[str, Any]) -> None:
            file.write(json.dumps(line) + "\n")
            file.flush()
            report(line)

        about = {"arm": plan.title, "scheme": asdict(plan.scheme)}
        result["steps"] = train(
            network, teacher, data, plan.settings, plan.folder, log, about, recorded=plan.recorded, watch=watch
        )
    result["trained"] = measured(network, tests)
    write(network.cpu(), plan, result)
    report(result)
    return result


def started(weights: Path, data: Sequence[str], result: Mapping[str, Any]) -> tuple[bytes, Recipe]:
    """The calibrated network that a training began with, from its `result.json`: the same file and recipe each time."""
    scheme, settings = Scheme(**result["scheme"]), Settings(**result["settings"])
    arm, *flex = result["arm"].split()
    plan = Plan(weights, tuple(data), arm, scheme, settings, Path(), flex=bool(flex))
    network = Network(resnet20_weights.load(weights)).to(memory_format=torch.channels_last)
    _quantize(network, winograd_of(plan), pictures(data, plan.device), plan)
    return export(network, plan.title)


def _quantize(network: Network, winograd: Winograd | None, data: Pictures, plan: Plan) -> None:
    """Calibrate; where a checkpoint will be loaded, only give the network its form."""
    if plan.resume:
        network.prepare(winograd)
        network.to(plan.device)
        return
    sample = torch.randperm(len(data), generator=torch.Generator().manual_seed(plan.settings.seed))
    network.quantize(data.real(data.images[sample[:_CALIBRATION_IMAGES].to(plan.device)]), winograd)


@contextmanager
def _log(plan: Plan) -> Iterator[TextIO]:
    """The log, without the lines of steps that were lost with a killed process."""
    path = plan.folder / LOG
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
        if plan.resume:
            last = read(plan.folder / NAME)["step"]
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= last]
            write_whole(path, "".join(kept).encode())
        with path.open("a" if plan.resume else "w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise WvvError(f"{path}: cannot be written: {error.strerror or error}") from error


def measured(network: Network, tests: Mapping[str, Pictures]) -> dict[str, dict[str, float]]:
    """Top-1 of the integers, which is what a device computes; top-1 with faked integers; how many classes agree. Of a
    float network, top-1.
    """
    found: dict[str, dict[str, float]] = {}
    for name, test in tests.items():
        if not network.tensors:
            top1 = 100 * (classes(network, test) == test.labels).double().mean().item()
            found[name] = {"n": len(test), "top1": top1}
            continue
        real, faked = resnet20_exact.classes(network, test.images), classes(network, test)
        top1, top1_faked = (100 * (one == test.labels).double().mean().item() for one in (real, faked))
        agreement = (real == faked).double().mean().item()
        found[name] = {"n": len(test), "top1": top1, "top1_faked": top1_faked, "agreement": agreement}
    return found


def write(network: Network, plan: Plan, result: dict[str, Any]) -> None:
    """The exported network, where it is one of integers, and what was measured: each file whole or not at all."""
    if plan.arm != FLOAT:
        content, recipe = export(network, plan.title)
        write_whole(plan.folder / MODEL, content)
        write_whole(plan.folder / RECIPE, recipe_text(recipe).encode())
    write_whole(plan.folder / RESULT, (json.dumps(result, indent=1) + "\n").encode())


def pictures(specs: Sequence[str], device: str) -> Pictures:
    """All these sets one after the other, checked, on the device."""
    found = [_checked(images.load(spec), spec) for spec in specs]
    pixels = torch.from_numpy(np.concatenate([one.images for one in found]))
    labels = torch.from_numpy(np.concatenate([one.labels for one in found]))
    return Pictures(pixels.to(device), labels.to(device), resnet20_weights.PIXEL_ZERO)


def _checked(found: LabelledImages, spec: str) -> LabelledImages:
    if found.images.shape[1:] != INPUT_SHAPE:
        raise WvvError(f"{spec}: images are {found.images.shape[1:]}, the network takes {INPUT_SHAPE} (h, w, channels)")
    wrong = np.flatnonzero(found.labels >= CLASSES)
    if len(wrong):
        row = int(wrong[0])
        raise WvvError(f"{spec}: image {row} has label {found.labels[row]}, the network knows 0 to {CLASSES - 1}")
    return found


def _check_folder(plan: Plan) -> None:
    """Refuse to overwrite what training left, and to resume what is not there."""
    there = (plan.folder / NAME).exists()
    if there and not plan.resume:
        raise WvvError(f"{plan.folder}: holds a {NAME} already: --resume goes on with it, another -o begins anew")
    if plan.resume and not there:
        raise WvvError(f"{plan.folder}: no {NAME} to resume from: leave --resume out")
