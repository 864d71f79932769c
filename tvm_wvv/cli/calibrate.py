"""`wvv calibrate`: stage scales and clips of 8-bit Winograd layers from images, as a recipe for the other commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tvm_wvv.cli.options import Json, Layer, Model
from tvm_wvv.cli.output_file import check_writable
from tvm_wvv.cli.progress import progress_bars
from tvm_wvv.errors import WvvError

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from tvm_wvv.frontends.model import QuantModel
    from tvm_wvv.micro.progress import Progress
    from tvm_wvv.plan.calibrate import Activations, Calibrated, Target
    from tvm_wvv.plan.clip_search import Wish
    from tvm_wvv.quant import stage

IMAGES = 1000
# Images whose layers are held at a time.
_BATCH = 16
_GRANULARITIES = ("tensor", "tap", "tap-channel")

Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="RECIPE.json", help="Recipe to write.", show_default=False)
]
Data = Annotated[
    str,
    typer.Option(
        metavar="D.parquet|FOLDER|digits",
        help="Images, with labels or not: column image, pictures in a folder or in its sub-folders, or the packaged "
        "digits, of which these are the train images. Take none that accuracy is measured on.",
        show_default=False,
    ),
]
Limit = Annotated[int, typer.Option(min=1, metavar="N", help="Only N of the images.")]
Winograd = Annotated[str, typer.Option(metavar="SPEC|off", help="Algorithm of the layers that --layer does not name.")]
Granularity = Annotated[
    str,
    typer.Option(
        metavar="|".join(_GRANULARITIES),
        help="What shares a scale: all taps (up to fixed powers of two that balance them), nothing but the channels of "
        "a tap, or (for the sums of products) nothing. Output channels have a factor of their own in each.",
    ),
]
PowerOfTwo = Annotated[bool, typer.Option("--power-of-two", help="Scales are powers of two, so that shifts suffice.")]
ZeroPoints = Annotated[
    bool, typer.Option("--zero-points", help="Zero points for taps of the input whose values lean to one side.")
]


def command(
    model: Model,
    data: Data,
    output: Output,
    limit: Limit = IMAGES,
    winograd: Winograd = "f4c:int8",
    layer: Layer = None,
    granularity: Granularity = "tap-channel",
    power_of_two: PowerOfTwo = False,
    zero_points: ZeroPoints = False,
    json: Json = False,
) -> None:
    """Choose the stage scales of MODEL's 8-bit Winograd layers on images, by the least error of each layer's output.

    The recipe names the algorithm of each layer and its scales, for --recipe of the other commands. A layer with
    --layer NAME=off is left out of it.

    SQNR is that of the layer's int8 output against direct form, both fed the same real values, on tiles that did not
    choose the scales. Clipped are the shares of values that the 8 bits of a stage do not hold.

    [bold]Examples[/bold]:

    wvv calibrate digits --data digits -o digits.json

    wvv calibrate resnet.tflite --data cifar10_train.parquet --granularity tap --layer model/conv2d_3/Relu=f4:int16
    -o r.json

    wvv eval resnet.tflite --board x86 --data cifar10_test.parquet --recipe r.json
    """
    from tvm_wvv.plan.calibrate import recipe_of
    from tvm_wvv.plan.clip_search import Wish
    from tvm_wvv.quant.recipe import save_recipe
    from tvm_wvv.report.output import print_json, show

    wish = Wish(_granularity(granularity), power_of_two, zero_points)
    check_writable(output)
    with progress_bars() as progress:
        opened, wanted = _opened(model, winograd, layer, progress)
        images, layers = _calibrated(opened, wanted, data, limit, wish, progress)
    save_recipe(recipe_of(opened.sha256, layers), output)
    if json:
        print_json(_object(opened.name, images, granularity, wish, layers, output))
    else:
        show(_table(opened.name, images, layers), f"wrote {output}")


def _granularity(text: str) -> stage.Granularity:
    from tvm_wvv.quant.stage import GRANULARITIES
    from tvm_wvv.transforms.catalog import suggestion

    for one in GRANULARITIES:
        if one == text.replace("-", "_") and text in _GRANULARITIES:
            return one
    raise WvvError(f"--granularity {text}: no such granularity{suggestion(text, _GRANULARITIES)}")


def _opened(
    named: str, winograd: str, layer: list[str] | None, progress: Progress
) -> tuple[QuantModel, tuple[Target, ...]]:
    """The model, and its layers to calibrate."""
    from tvm_wvv.frontends import tflite
    from tvm_wvv.micro.session import open_session
    from tvm_wvv.passes.options import Options
    from tvm_wvv.passes.spec import parse_layer
    from tvm_wvv.plan.calibrate import targets

    session = open_session(named, Options(layers=tuple(parse_layer(text) for text in layer or ())), progress)
    if session.is_compiled:
        raise WvvError(f"{named}: is compiled already; name a .tflite file or a packaged network")
    model = tflite.load(session.path)
    return model, targets(model, winograd, session.options.layers, named)


def _calibrated(
    model: QuantModel, wanted: Sequence[Target], data: str, limit: int, wish: Wish, progress: Progress
) -> tuple[int, tuple[Calibrated, ...]]:
    """How many images there were, and what became of the layers."""
    from tvm_wvv.data import images
    from tvm_wvv.plan.calibrate import calibrate, collect

    pictures = images.load_unlabelled(data, limit)
    samples = collect(wanted, activations(model, pictures), len(pictures), _stage("run the network", progress))
    return len(pictures), calibrate(wanted, samples, wish, _stage("search for scales", progress))


def _stage(what: str, progress: Progress) -> Callable[[int, int], None]:
    return lambda done, total: progress(what, done, total)


def activations(model: QuantModel, pictures: np.ndarray) -> Iterator[Activations]:
    """What every layer and the network's input hold on batches of images, direct form throughout."""
    from tvm_wvv.cli.measure import image_inputs
    from tvm_wvv.micro.in_process import InProcess
    from tvm_wvv.micro.runners import OnHost
    from tvm_wvv.passes import pipeline
    from tvm_wvv.passes.options import Options

    inputs = image_inputs(pictures, model.inputs)
    lowered = pipeline.lower(model, Options(winograd="off", every_layer=True), "x86")
    runner, infos = OnHost(InProcess(lowered), lowered.inputs, lowered.outputs), (*lowered.inputs, *lowered.outputs)
    for start in range(0, len(pictures), _BATCH):
        batch = tuple(array[start : start + _BATCH] for array in inputs)
        values = (*batch, *runner.run(batch))
        # (n, batch of the model, ...), as runners have it, to one axis of images.
        yield {info.name: array.reshape(-1, *array.shape[2:]) for info, array in zip(infos, values, strict=True)}


def _table(model: str, images: int, layers: Sequence[Calibrated]) -> Table:
    from tvm_wvv.frontends.layer_names import label
    from tvm_wvv.report.tables import table
    from tvm_wvv.report.text import UNKNOWN, count, percent

    columns = ("layer", "algorithm", "tiles", "SQNR", "input clipped", "sums clipped")
    rows = []
    for one in layers:
        found = one.quality
        decibels = UNKNOWN if found is None or found.sqnr_db is None else f"{found.sqnr_db:.1f} dB"
        shares = (UNKNOWN, UNKNOWN) if found is None else (percent(found.clipped_v), percent(found.clipped_m))
        rows.append((label(one.name), str(one.recipe.variant), count(one.tiles), decibels, *shares))
    return table(columns, rows, f"{model}, calibrated on {images} images", numbers=range(2, len(columns)))


def _object(
    model: str, images: int, granularity: str, wish: Wish, layers: Sequence[Calibrated], output: Path
) -> dict[str, object]:
    """What `--json` prints."""
    return {
        "model": model,
        "images": images,
        "granularity": granularity,
        "power_of_two": wish.power_of_two,
        "zero_points": wish.zero_points,
        "recipe": str(output),
        "layers": [
            {
                "name": one.name,
                "algorithm": str(one.recipe.variant),
                "tiles": one.tiles,
                "sqnr_db": one.quality and one.quality.sqnr_db,
                "clipped_v": one.quality and one.quality.clipped_v,
                "clipped_m": one.quality and one.quality.clipped_m,
            }
            for one in layers
        ],
    }
