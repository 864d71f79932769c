"""Calibration of the packaged network: which layers, the same recipe each time, what it promises against the oracle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tvm_wvv.cli.calibrate import activations
from tvm_wvv.data import images
from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.frontends.tflite import load
from tvm_wvv.models import packaged
from tvm_wvv.passes.options import Options, RecipeFile
from tvm_wvv.passes.pipeline import explain
from tvm_wvv.plan import calibrate as plan
from tvm_wvv.plan.calibrate import Activations, calibrate, collect, recipe_of, stages_of, targets
from tvm_wvv.plan.clip_search import ROUNDS, Wish
from tvm_wvv.plan.layer_error import TapScales
from tvm_wvv.quant.recipe import load_recipe, parse_recipe, recipe_text, save_recipe

IMAGES = 40
WINOGRAD_LAYERS = ["stem/conv", "block1/conv1", "block1/conv2", "block2/conv2", "block3/conv1", "block3/conv2"]


@cache
def digits() -> QuantModel:
    path = packaged("digits")
    assert path is not None
    return load(path)


@cache
def batches() -> list[Activations]:
    return list(activations(digits(), images.load_unlabelled("digits", IMAGES)))


@pytest.fixture(autouse=True)
def _few_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "TILES", 250)  # 250 choose the scales, 50 are kept back
    monkeypatch.setattr(plan, "CHECKS", 50)


def calibrated(wish: Wish, winograd: str = "f4c:int8", layers: tuple[tuple[str, str], ...] = ()) -> tuple[
    plan.Calibrated, ...
]:  # fmt: skip
    wanted = targets(digits(), winograd, layers, "digits")
    return calibrate(wanted, collect(wanted, batches(), IMAGES), wish)


def test_the_same_images_give_the_same_text():
    layers = (("block1/conv1", "f4c:int8"), ("block2/conv2", "f2:int8"))
    first, again = (recipe_text(recipe_of("0" * 64, calibrated(Wish("tap"), "off", layers))) for _ in range(2))
    assert first == again


def test_every_winograd_layer_is_named_and_the_compiler_follows(tmp_path: Path):
    found = calibrated(Wish("tap_channel"), layers=(("block1/conv2", "f2:int8"), ("stem/conv", "off")))
    recipe = recipe_of(digits().sha256, found)
    save_recipe(recipe, tmp_path / "r.json")
    assert load_recipe(tmp_path / "r.json") == recipe
    options = Options(winograd="auto", recipe=RecipeFile("r.json", recipe_text(recipe)))
    chosen = {layer.name: layer.algorithm for layer in explain(digits(), options)}
    expected = dict.fromkeys(WINOGRAD_LAYERS[1:], "f4c:int8") | {"block1/conv2": "f2:int8"}
    assert list(recipe.layers) == WINOGRAD_LAYERS[1:]
    assert {name: chosen[name] for name in expected} == expected


def test_quality_stands_beside_each_layer():
    wished = (("stem/conv", "f2:int8"), ("block2/conv2", "f4c:int8"))
    first, other = calibrated(Wish("tap_channel"), "off", wished)
    assert (first.name, other.name) == ("stem/conv", "block2/conv2")
    # The second one has 2x2 tiles an image.
    assert (first.tiles, other.tiles) == (300, IMAGES * 2 * 2)
    for one in (first, other):
        assert one.quality is not None and one.quality.sqnr_db is not None
        assert 20 < one.quality.sqnr_db < 45
        assert 0 <= one.quality.clipped_v < 0.05 and 0 <= one.quality.clipped_m < 0.05


def test_arithmetics_without_a_search_are_recorded_with_what_they_need():
    found = calibrated(Wish("tap"), layers=(("block1/conv1", "f4:int16"), ("block1/conv2", "f2:exact")))
    by_name = {one.name: one for one in found}
    exact, wide = by_name["block1/conv2"], by_name["block1/conv1"]
    assert exact.recipe.stages is None and exact.quality is None
    assert wide.recipe.stages is not None and wide.recipe.stages.m is None
    text = recipe_text(recipe_of("0" * 64, found))
    assert list(parse_recipe(text, "r").layers) == sorted(WINOGRAD_LAYERS)


def test_tiles_come_from_all_batches_in_proportion(monkeypatch: pytest.MonkeyPatch):
    wanted = targets(digits(), "f4c:int8", (), "digits")
    marked = [
        {name: np.full_like(array, number) for name, array in one.items()} for number, one in enumerate(batches())
    ]
    sample = collect(wanted, marked, IMAGES)["block1/conv1"]
    numbers, counts = np.unique(sample.cells[:, 14, 0] + 128 - 128, return_counts=True)
    assert len(sample) == 300 and len(numbers) == len(marked) == 3
    assert counts.tolist() == [120, 120, 60]  # 16, 16 and 8 images


def test_steps_are_told_up_to_the_end():
    told: list[tuple[int, int]] = []
    wanted = targets(digits(), "f2:int8", (("stem/conv", "f2:exact"),), "digits")
    samples = collect(wanted, batches(), IMAGES, lambda done, total: told.append((done, total)))
    assert told == [(16, 40), (32, 40), (40, 40)]
    told.clear()
    calibrate(wanted, samples, Wish("tensor"), lambda done, total: told.append((done, total)))
    assert told == sorted(told) and told[-1] == (ROUNDS * 6, ROUNDS * 6)


def test_stages_take_the_shortest_form():
    def taps(v: Sequence[float], m: Sequence[Sequence[float]]) -> list[TapScales]:
        ones = np.ones(2, np.float32)
        return [TapScales(one, 0, ones, np.array(row, np.float32)) for one, row in zip(v, m, strict=True)]

    for v, m, expected in (
        ([2, 2], [[8, 8], [8, 8]], ("tensor", "tensor")),
        ([2, 4], [[8, 8], [9, 9]], ("tap", "tap")),
        ([2, 4], [[8, 9], [8, 9]], ("tap", "tap_channel")),
    ):
        stages = stages_of(taps(v, m), Wish("tap"))
        assert stages.v is not None and stages.m is not None
        assert (stages.v.granularity, stages.m.granularity) == expected
        np.testing.assert_array_equal(stages.m.scales(2, 2), m)
        assert stages.u.scale == (1.0,)


@pytest.mark.parametrize(
    ("winograd", "layers", "message"),
    [
        ("auto", (), "auto chooses exact algorithms only, which have no scales; name one, such as f4c:int8"),
        ("f4c", (), "f4c:exact: no scales to calibrate; images choose those of int8, such as f4c:int8"),
        ("f4:int16", (), "f4:int16: no scales to calibrate; images choose those of int8, such as f4c:int8"),
        ("off", (), "digits: no convolution to calibrate"),
        ("f4x:int8", (), "--winograd f4x:int8: no such algorithm"),
        ("f4c:int7", (), "f4c has no arithmetic 'int7'"),
        ("f2:int8", (("stem", "off"),), "--layer stem=off: no convolution has this name"),
        ("f2:int8", (("block2/conv1", "f2:int8"),), "--layer block2/conv1=f2:int8: stride is (2, 2), need (1, 1)"),
    ],
)
def test_what_cannot_be_calibrated_is_one_line(winograd: str, layers: tuple[tuple[str, str], ...], message: str):
    with pytest.raises(WvvError) as caught:
        targets(digits(), winograd, layers, "digits")
    assert str(caught.value).startswith(message)


def test_batches_are_not_kept(monkeypatch: pytest.MonkeyPatch):
    """Each one may be dropped before the next is made: memory does not grow with the images."""
    alive: list[int] = []

    def one_by_one() -> Iterator[Activations]:
        for batch in batches():
            alive.append(1)
            yield {name: array.copy() for name, array in batch.items()}

    wanted = targets(digits(), "f4c:int8", (), "digits")
    samples = collect(wanted, one_by_one(), IMAGES)
    assert len(alive) == 3
    assert all(sample.cells.base is None for sample in samples.values())
