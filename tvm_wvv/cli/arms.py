"""`python -m tvm_wvv.cli.arms RUNS DATA -o docs`: the page of trained arms, from the folders that `wvv train` left.

RUNS has one folder an arm, each made by `wvv train --model resnet20`. DATA has the float weights and CIFAR-10 as
Parquet files. Every arm's exported network, and that which its training began with, is compiled for this host and run
on the test images; what is measured stays in the arm's folder as accuracy.json, so that a second call is quick. Needs
torch (to make the network that training began with) and matplotlib.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tvm_wvv.cli.output_file import check_writable, replacing
from tvm_wvv.cli.progress import progress_bars
from tvm_wvv.data import images
from tvm_wvv.data.labelled import LabelledImages
from tvm_wvv.errors import WvvError
from tvm_wvv.frontends import tflite
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.micro.progress import Progress
from tvm_wvv.micro.runners import OnHost
from tvm_wvv.models import resnet20_float, resnet20_weights
from tvm_wvv.models.resnet20_folder import DIRECT, LOG, MODEL, RECIPE, RESULT
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.options import Options, RecipeFile
from tvm_wvv.plan.stage_values import stage_values
from tvm_wvv.quant.recipe import parse_recipe, recipe_text
from tvm_wvv.report.arms import EXACT, Arm, read_arm
from tvm_wvv.report.arms_page import page
from tvm_wvv.report.arms_plots import check_drawing, draw
from tvm_wvv.report.multiplications import RESNET20
from tvm_wvv.report.score import score

WEIGHTS = "models/resnet20_mixed.pt"
TRAINING = ("cifar10_train.parquet", "cifar10_train_lossless_subset.parquet")
TESTS = {"JPEG test": "cifar10_test.parquet", "lossless test": "cifar10_test_lossless_subset.parquet"}
ACCURACY, PAGE = "accuracy.json", "arms.md"
# The layer whose stages are drawn, and on how many images.
_LAYER, _SOURCE, _DRAWN = "layer2/1/conv1", "layer2/0/add", 16


def measured(folder: Path, data: Path, tests: Mapping[str, LabelledImages], progress: Progress) -> dict[str, Any]:
    """Top-1 by test set of what training began with and of what it left; kept in the folder, for this network and as
    many images.
    """
    kept, end = folder / ACCURACY, _end(folder)
    of = {"model": hashlib.sha256(end[0] + end[1].encode()).hexdigest(), "images": _counts(tests)}
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        if found.get("of") == of:
            return found

    def top1(network: tuple[bytes, str], what: str, winograd: str = "auto") -> dict[str, float]:
        runner = _compiled(*network, folder.name, winograd=winograd)
        return {name: _top1(runner, one, progress, f"{folder.name} {what}") for name, one in tests.items()}

    found = {"of": of, "untrained": top1(_start(folder, data), "untrained"), "trained": top1(end, "trained")}
    if _result(folder)["arm"] == DIRECT:
        found["exact"] = top1(end, EXACT, EXACT)
    with replacing(kept) as path:
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def _counts(tests: Mapping[str, LabelledImages]) -> dict[str, int]:
    return {name: len(one.labels) for name, one in tests.items()}


def _end(folder: Path) -> tuple[bytes, str]:
    try:
        return (folder / MODEL).read_bytes(), (folder / RECIPE).read_text(encoding="utf-8")
    except OSError as error:
        reason = "a float arm, or one that is not finished, has no place among these"
        raise WvvError(f"{folder}: no exported network ({error.strerror or error}): {reason}") from error


def _result(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    return result


def _start(folder: Path, data: Path) -> tuple[bytes, str]:
    """The calibrated network before the first step, made anew from the arm's settings."""
    from tvm_wvv.models.resnet20_train import started

    content, recipe = started(data / WEIGHTS, [str(data / name) for name in TRAINING], _result(folder))
    return content, recipe_text(recipe)


def _compiled(model: bytes, recipe: str, name: str, every_layer: bool = False, winograd: str = "auto") -> OnHost:
    options = Options(winograd, recipe=RecipeFile(name, recipe), every_layer=every_layer, mcpu="native")
    lowered = pipeline.lower(tflite.from_bytes(model, name, name), options, "x86")
    return OnHost(InProcess(lowered), lowered.inputs, lowered.outputs)


def _top1(runner: OnHost, found: LabelledImages, progress: Progress, what: str) -> float:
    from tvm_wvv.cli.measure import image_inputs

    def step(_: str, done: int, total: int) -> None:
        progress(what, done, total)

    (outputs,) = runner.run(image_inputs(found.images, runner.inputs), step)
    return score(outputs, found.labels, None).top1


def _float(data: Path, tests: Mapping[str, LabelledImages]) -> dict[str, float]:
    weights = resnet20_weights.load(data / WEIGHTS)
    return {
        name: score(resnet20_float.logits(weights, one.images), one.labels, None).top1 for name, one in tests.items()
    }


def _write(arms: Sequence[Arm], chosen: argparse.Namespace, tests: Mapping[str, LabelledImages]) -> None:
    reference = _float(chosen.data, tests)
    shown = next((arm for arm in arms if arm.winograd), None)
    if shown is None:
        raise WvvError(f"{chosen.runs}: no arm of a Winograd form, whose stages could be drawn")
    model, recipe = _end(chosen.runs / shown.name)
    _, before = _start(chosen.runs / shown.name, chosen.data)
    pictures = next(iter(tests.values())).images[:_DRAWN]
    values = _values(model, recipe, before, pictures)
    draw(arms, reference, values, f"{shown.title}, layer {_LAYER}", chosen.output)
    made_by = f"Then `python -m tvm_wvv.cli.arms RUNS DATA -o docs`. The code that trained: {chosen.commit}."
    with replacing(chosen.output / PAGE) as path:
        path.write_text(page(arms, reference, _counts(tests), made_by), encoding="utf-8")


def _values(model: bytes, recipe: str, before: str, pictures: np.ndarray) -> Any:
    from tvm_wvv.cli.measure import image_inputs

    runner = _compiled(model, recipe, "arm", every_layer=True)
    outputs = runner.run(image_inputs(pictures, runner.inputs))
    by_name = {info.name: one.reshape(-1, *one.shape[2:]) for info, one in zip(runner.outputs, outputs, strict=True)}
    now, then = (parse_recipe(text, "recipe").layers[_LAYER] for text in (recipe, before))
    return stage_values(tflite.from_bytes(model, "arm", "arm"), _LAYER, by_name[_SOURCE], now, then)


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    program = "python -m tvm_wvv.cli.arms"
    parser = argparse.ArgumentParser(prog=program, description="Write the page of trained arms of ResNet-20.")
    parser.add_argument("runs", type=Path, metavar="RUNS", help=f"folder of folders with {RESULT}, {LOG} and a model")
    parser.add_argument("data", type=Path, metavar="DATA", help=f"folder with {WEIGHTS} and the Parquet files")
    parser.add_argument("-o", dest="output", type=Path, required=True, metavar="DIR", help=f"gets {PAGE} and figures")
    parser.add_argument("--commit", default="unknown", help="of the code that trained")
    parser.add_argument("--limit", type=int, help="images of each test set; default: all")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """The command."""
    chosen = _arguments(given)
    try:
        check_writable(chosen.output / PAGE)
        check_drawing()
        folders = sorted(path.parent for path in chosen.runs.glob(f"*/{RESULT}"))
        if not folders:
            raise WvvError(f"{chosen.runs}: no folder with a {RESULT}; train an arm first: wvv train")
        tests = {name: images.load(str(chosen.data / file), chosen.limit) for name, file in TESTS.items()}
        with progress_bars() as progress:
            arms = [read_arm(one, measured(one, chosen.data, tests, progress)) for one in folders]
            _write(sorted(arms, key=lambda arm: (arm.saving(RESNET20), arm.title)), chosen, tests)
    except WvvError as error:
        print(f"arms: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
