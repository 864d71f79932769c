"""The recipe file: for each layer its algorithm and its stage quantizers, as calibration or training found them.

JSON, version 1. The same recipe is the same text: keys sorted, lists on one line, scales with all their digits.

    {"version": 1, "model_sha256": "<64 hexadecimal digits>", "layers": {"conv2d_3": {"algorithm": "f4c:int8",
      "v": {"bits": 8, "granularity": "tap", "power_of_two": false, "scale": [...], "zero_point": [0]},
      "u": {...}, "m": {...}}}}

`exact` layers have no stages, `int16` ones have u, and v where V does not fit int16; `int8` ones have all three, and
may have learned matrices beside them, whole numbers over a denominator, of one axis in the units of the algorithm's own
(`scale` then counts on the finer grid that these matrices make):

    "transforms": {"input": {"denominator": 16, "matrix": [[...], ...]}, "weight": {...}, "output": {...}}
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tvm_wvv.errors import WvvError
from tvm_wvv.quant.recipe_json import Place, checked_layer, object_of, parsed, text_of
from tvm_wvv.quant.stage import Stages, scale_count
from tvm_wvv.transforms.catalog import Variant, suggestion

VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_INNER_LIST = re.compile(r"\[[^\[\]{}]*\]")


@dataclass(frozen=True)
class LayerRecipe:
    """`stages` is None in exact arithmetic."""

    variant: Variant
    stages: Stages | None = None


@dataclass(frozen=True)
class Recipe:
    """`model_sha256` is that of the model file the layers' names belong to."""

    model_sha256: str
    layers: Mapping[str, LayerRecipe]


def load_recipe(path: Path) -> Recipe:
    """The recipe in `path`; WvvError with file and key where anything in it is not as it must be."""
    return parse_recipe(read_recipe(path), str(path))


def read_recipe(path: Path) -> str:
    """The file's text, not looked at yet."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise WvvError(f"{path}: recipe cannot be read: {reason}") from error


def parse_recipe(text: str, source: str) -> Recipe:
    """The recipe in `text`; `source` names it in messages."""
    place = Place(source)
    root = object_of(parsed(text, place), place, ("version", "model_sha256", "layers"))
    if root["version"] != VERSION or isinstance(root["version"], bool):
        raise place.at("version").error(f"{json.dumps(root['version'])}, this program reads {VERSION}")
    digest = text_of(root["model_sha256"], place.at("model_sha256"))
    if not _SHA256.fullmatch(digest):
        raise place.at("model_sha256").error("need 64 hexadecimal digits in lower case")
    layers = object_of(root["layers"], place.at("layers"))
    return Recipe(digest, {name: _layer(one, place.at("layers").at(name)) for name, one in layers.items()})


def check_recipe(recipe: Recipe, source: str, model_sha256: str, outputs: Mapping[str, int]) -> None:
    """WvvError unless the recipe belongs to this model; `outputs` has the output channels of each convolution."""
    place = Place(source)
    if recipe.model_sha256 != model_sha256:
        made, given = recipe.model_sha256[:12], model_sha256[:12]
        raise place.at("model_sha256").error(f"made for model {made}..., this one is {given}...; calibrate again")
    for name, layer in recipe.layers.items():
        here = place.at("layers").at(name)
        if name not in outputs:
            raise here.error(f"no convolution has this name{suggestion(name, tuple(outputs))}")
        _check_channels(layer, here, outputs[name])


def recipe_text(recipe: Recipe) -> str:
    """The file's content."""
    layers = {name: _plain(layer) for name, layer in recipe.layers.items()}
    root = {"version": VERSION, "model_sha256": recipe.model_sha256, "layers": layers}
    indented = json.dumps(root, indent=1, sort_keys=True, allow_nan=False)
    # A scale a line would make thousands of lines.
    return _INNER_LIST.sub(lambda found: " ".join(found.group().split()), indented) + "\n"


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write the whole file, or leave `path` as it was."""
    text = recipe_text(recipe)
    try:
        # Same folder, hence same file system: only there is the renaming one indivisible step.
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            temporary = Path(folder, path.name)
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
    except OSError as error:
        raise WvvError(f"{path}: recipe cannot be written: {error.strerror or error}") from error


def _layer(value: object, place: Place) -> LayerRecipe:
    return LayerRecipe(*checked_layer(value, place))


def _plain(layer: LayerRecipe) -> dict[str, Any]:
    """The layer as JSON holds it."""
    stages = {} if layer.stages is None else {"u": layer.stages.u, "v": layer.stages.v, "m": layer.stages.m}
    written = {name: asdict(stage) for name, stage in stages.items() if stage is not None}
    own = layer.variant.algorithm.learned
    if own is None:
        return {"algorithm": str(layer.variant), **written}
    places = {"input": own.input, "weight": own.weight, "output": own.output}
    transforms = {key: {"denominator": one.denominator, "matrix": one.codes} for key, one in places.items()}
    return {"algorithm": f"{own.base}:{layer.variant.arithmetic}", "transforms": transforms, **written}


def _check_channels(layer: LayerRecipe, place: Place, outputs: int) -> None:
    """Scales for each tap and channel can only be counted where the layer is known."""
    if layer.stages is None:
        return
    for name, stage in (("u", layer.stages.u), ("m", layer.stages.m)):
        taps = layer.variant.algorithm.taps
        if stage is not None and len(stage.scale) != scale_count(stage.granularity, taps, outputs):
            raise (
                place.at(name)
                .at("scale")
                .error(f"{len(stage.scale)} entries, need {taps * outputs} ({taps} taps, {outputs} output channels)")
            )
