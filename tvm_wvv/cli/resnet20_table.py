"""`python -m tvm_wvv.cli.resnet20_table DATA`: accuracy of int8 ResNet-20 in every arithmetic, as a Markdown table.

DATA is a folder with `models/resnet20_mixed.pt` and CIFAR-10 as Parquet files. The int8 network is made from the float
one by post-training quantization and run by the compiled kernels of this host, which compute the same bytes as those
on a board. All scales come from train images. Needs torch, to read the weights.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tvm_wvv.cli.calibrate import activations
from tvm_wvv.cli.progress import progress_bars
from tvm_wvv.data import images
from tvm_wvv.data.labelled import LabelledImages, to_input
from tvm_wvv.errors import WvvError
from tvm_wvv.frontends import tflite
from tvm_wvv.frontends.model import QuantModel, TensorInfo
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.micro.progress import Progress
from tvm_wvv.micro.runners import OnHost
from tvm_wvv.models import resnet20_float, resnet20_weights
from tvm_wvv.models.digits_quantize import Weights
from tvm_wvv.models.resnet20_quantize import to_tflite
from tvm_wvv.models.resnet20_rows import FLOAT, ROWS, Row, markdown
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.options import Options, RecipeFile
from tvm_wvv.plan.calibrate import Target, calibrate, collect, recipe_of, targets
from tvm_wvv.plan.clip_search import Wish
from tvm_wvv.plan.tile_sample import TileSample
from tvm_wvv.quant.recipe import recipe_text
from tvm_wvv.report.score import score

WEIGHTS = "models/resnet20_mixed.pt"
CALIBRATION, CALIBRATION_IMAGES = "cifar10_train_lossless_subset.parquet", 512
# Heading and file; of the second only so many images count, unless all are asked for.
TESTS = (("lossless test", "cifar10_test_lossless_subset.parquet"), ("JPEG test", "cifar10_test.parquet"))
JPEG_IMAGES = 2000


@dataclass(frozen=True, eq=False)
class Material:
    """The float network, its int8 form, images to calibrate on, and the sets to measure on by their headings."""

    weights: Mapping[str, Weights]
    model: QuantModel
    calibration: np.ndarray
    tests: Mapping[str, LabelledImages]

    def samples(self, winograd: str) -> tuple[tuple[Target, ...], dict[str, TileSample]]:
        """The layers that an algorithm applies to, and their tiles on the calibration images."""
        wanted = targets(self.model, winograd, (), self.model.name)
        return wanted, collect(wanted, activations(self.model, self.calibration), len(self.calibration))


def material(data: Path, counts: Sequence[int | None]) -> tuple[Material, bytes]:
    """All that the rows need from the folder `data`, and the int8 model's file; `counts` limits each test set."""
    calibration = images.load(str(data / CALIBRATION), CALIBRATION_IMAGES).images
    sets = [images.load(str(data / name), count) for (_, name), count in zip(TESTS, counts, strict=True)]
    weights = resnet20_weights.load(data / WEIGHTS)
    content = to_tflite(weights, resnet20_float.activation_ranges(weights, calibration))
    model = tflite.from_bytes(content, "resnet20", "resnet20.tflite")
    headings = [f"{heading}, {len(found):,}" for (heading, _), found in zip(TESTS, sets, strict=True)]
    return Material(weights, model, calibration, dict(zip(headings, sets, strict=True))), content


def table(at: Material, rows: Sequence[Row], progress: Progress) -> Iterator[tuple[str, list[float]]]:
    """Top-1 of each row on each test set, one row after the other."""
    scores = [resnet20_float.logits(at.weights, found.images) for found in at.tests.values()]
    yield FLOAT, [score(one, found.labels, None).top1 for one, found in zip(scores, at.tests.values(), strict=True)]
    for row in rows:
        runner = compiled(at, row, progress)
        yield row.title, [_top1(runner, found, progress) for found in at.tests.values()]


def compiled(at: Material, row: Row, progress: Progress) -> OnHost:
    """The network of a row; WvvError where a layer that the row is about could not have its algorithm."""
    options = Options(winograd=row.winograd, recipe=_recipe(at, row, progress))
    lowered = pipeline.lower(at.model, options, "x86")
    refused = [layer for layer in lowered.layers if layer.reason and "stride" not in layer.reason]
    if refused:
        raise WvvError(f"{row.title}: layer {refused[0].name} stays direct: {refused[0].reason}")
    return OnHost(InProcess(lowered), lowered.inputs, lowered.outputs)


def _recipe(at: Material, row: Row, progress: Progress) -> RecipeFile | None:
    """The row's scales from the calibration images; None where it needs none."""
    if row.granularity is None:
        return None
    wanted, samples = at.samples(row.winograd)
    wish = Wish(row.granularity, clipped=row.clipped)
    found = calibrate(wanted, samples, wish, lambda done, total: progress(row.title, done, total))
    return RecipeFile(row.title, recipe_text(recipe_of(at.model.sha256, found)))


def _top1(runner: OnHost, found: LabelledImages, progress: Progress) -> float:
    (outputs,) = runner.run((_codes(runner.inputs[0], found.images),), progress)
    return score(outputs, found.labels, None).top1


def _codes(info: TensorInfo, pictures: np.ndarray) -> np.ndarray:
    """The images as the model takes them, one inference each."""
    assert info.affine is not None, "the model's input is int8"
    return to_input(pictures, info.shape, info.affine.scale, info.affine.zero_point)[:, np.newaxis]


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    program = "python -m tvm_wvv.cli.resnet20_table"
    parser = argparse.ArgumentParser(prog=program, description=(__doc__ or "").split(": ", 1)[1].split("\n")[0])
    parser.add_argument("data", type=Path, metavar="DATA", help=f"folder with {WEIGHTS} and the Parquet files")
    parser.add_argument("--limit", type=int, help=f"images of each test set; default: all lossless, {JPEG_IMAGES} JPEG")
    parser.add_argument("--whole", action="store_true", help="all JPEG images")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose title contains this, such as f4c:int8")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the int8 model as .tflite")
    chosen = parser.parse_args(given)
    if chosen.limit is not None and chosen.limit < 1:
        parser.error(f"--limit is {chosen.limit}, need at least 1")
    if not any(chosen.only in row.title for row in ROWS):
        parser.error(f"--only {chosen.only}: no such row; they are: {', '.join(row.title for row in ROWS)}")
    return chosen


def _counts(chosen: argparse.Namespace) -> tuple[int | None, int | None]:
    """How many images of each test set."""
    most = None if chosen.whole else JPEG_IMAGES
    return chosen.limit, chosen.limit or most


def main(given: Sequence[str] | None = None) -> int:
    """The command; rows are told on stderr as they come, the table follows on stdout."""
    chosen = _arguments(given)
    rows, done = [row for row in ROWS if chosen.only in row.title], dict[str, Sequence[float | None]]()
    try:
        with progress_bars() as progress:
            found, content = material(chosen.data, _counts(chosen))
            if chosen.save is not None:
                chosen.save.write_bytes(content)
            start = time.monotonic()
            for title, cells in table(found, rows, progress):
                done[title] = cells
                values = ", ".join(f"{cell:.2f}" for cell in cells)
                print(f"{time.monotonic() - start:6.0f} s  {title}: {values}", file=sys.stderr, flush=True)
    except (WvvError, OSError) as error:
        print(f"resnet20_table: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("resnet20_table: interrupted", file=sys.stderr)
        return 130
    print(markdown(tuple(found.tests), done), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
