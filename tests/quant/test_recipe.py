"""The recipe file: what is written is read again, bit for bit, and every wrong thing in it is named by its key."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from learned_cases import STEPS, learned_transforms

from tvm_wvv.errors import WvvError
from tvm_wvv.quant.recipe import LayerRecipe, Recipe, check_recipe, load_recipe, parse_recipe, recipe_text, save_recipe
from tvm_wvv.quant.stage import StageQuantizer, Stages
from tvm_wvv.transforms.catalog import ALGORITHMS, ARITHMETICS, Variant, learned, variant

SHA = "0123456789abcdef" * 4
OUTPUTS = 3
names = st.text(min_size=1, max_size=12)
scales = st.floats(min_value=0, exclude_min=True, allow_infinity=False)


@st.composite
def quantizers(draw: st.DrawFn, taps: int, bits: int, of_input: bool) -> StageQuantizer:
    counts = {"tensor": 1, "tap": taps} if of_input else {"tensor": 1, "tap": taps, "tap_channel": taps * OUTPUTS}
    granularity = draw(st.sampled_from(sorted(counts)))
    powers, width = draw(st.booleans()), draw(st.integers(2, bits))
    # A long list shows nothing that its few different entries do not.
    some = draw(st.lists(scales, min_size=1, max_size=4))
    chosen = tuple(2.0 ** (i % 40 - 20) if powers else some[i % len(some)] for i in range(counts[granularity]))
    zero_point = (draw(st.integers(-(1 << (width - 1)), (1 << (width - 1)) - 1)),) if of_input else (0,)
    return StageQuantizer(width, chosen, granularity, zero_point, powers)  # type: ignore[arg-type]


@st.composite
def layers(draw: st.DrawFn) -> LayerRecipe:
    name = draw(st.sampled_from(sorted(ALGORITHMS)))
    chosen = Variant(ALGORITHMS[name], draw(st.sampled_from(ARITHMETICS[name])))
    taps = chosen.algorithm.taps
    match chosen.arithmetic:
        case "exact":
            return LayerRecipe(chosen)
        case "int16":
            v = draw(st.none() | quantizers(taps, 16, True))
            return LayerRecipe(chosen, Stages(draw(quantizers(taps, 16, False)), v))
        case _:
            u, v, m = (draw(quantizers(taps, 8, of_input)) for of_input in (False, True, False))
            if name in STEPS and draw(st.booleans()):
                chosen = Variant(learned(learned_transforms(name, draw(st.integers(0, 3)))), "int8")
            return LayerRecipe(chosen, Stages(u, v, m))


recipes = st.builds(Recipe, st.just(SHA), st.dictionaries(names, layers(), max_size=3))


@given(recipe=recipes)
def test_written_and_read_again_is_the_same_value_and_the_same_text(recipe):
    text = recipe_text(recipe)
    assert parse_recipe(text, "r.json") == recipe
    assert recipe_text(parse_recipe(text, "r.json")) == text


@given(recipe=recipes)
def test_the_order_of_layers_does_not_show(recipe):
    backwards = Recipe(recipe.model_sha256, dict(reversed(recipe.layers.items())))
    assert recipe_text(backwards) == recipe_text(recipe)


def stage(**changed: Any) -> dict[str, Any]:
    return {"bits": 8, "granularity": "tap", "power_of_two": False, "scale": [1.5] * 16, "zero_point": [0]} | changed


def transforms() -> dict[str, Any]:
    shapes = {"input": (4, 4), "weight": (4, 3), "output": (2, 4)}
    return {key: {"denominator": 16, "matrix": [[3] * width] * height} for key, (height, width) in shapes.items()}


def good() -> dict[str, Any]:
    layers = {
        "c/1": {"algorithm": "f2:int8", "v": stage(), "u": stage(), "m": stage()},
        "c/2": {"algorithm": "f2:int16", "u": stage(bits=16)},
        "c/3": {"algorithm": "f2:exact"},
        "c/4": {"algorithm": "f2:int8", "v": stage(), "u": stage(), "m": stage(), "transforms": transforms()},
    }
    return {"version": 1, "model_sha256": SHA, "layers": layers}


def put(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(root: dict[str, Any]) -> None:
        place: Any = root
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to

    return change


def drop(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(root: dict[str, Any]) -> None:
        place: Any = root
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]

    return change


LAYER, V = ("layers", "c/1"), ("layers", "c/1", "v")
FLEX = ("layers", "c/4", "transforms")
B = (*FLEX, "input", "matrix")
BAD = [
    (put("version", to=2), "version: 2, this program reads 1"),
    (put("version", to=True), "version: true, this program reads 1"),
    (put("version", to="1"), 'version: "1", this program reads 1'),
    (drop("version"), "version: missing"),
    (drop("model_sha256"), "model_sha256: missing"),
    (drop("layers"), "layers: missing"),
    (put("model_sha256", to="12"), "model_sha256: need 64 hexadecimal digits in lower case"),
    (put("model_sha256", to=SHA.upper()), "model_sha256: need 64 hexadecimal digits in lower case"),
    (put("model_sha256", to=None), "model_sha256: null, need a string"),
    (put("layer", to={}), "layer: unknown key; did you mean 'layers'? (known: version, model_sha256, layers)"),
    (put("layers", to=[]), "layers: a list, need an object"),
    (put(*LAYER, to=7), "layers.c/1: 7, need an object"),
    (drop(*LAYER, "algorithm"), "layers.c/1.algorithm: missing"),
    (put(*LAYER, "algorithm", to=4), "layers.c/1.algorithm: 4, need a string"),
    (put(*LAYER, "algorithm", to="f2:int9"), "layers.c/1.algorithm: f2 has no arithmetic 'int9'; did you mean"),
    (put(*LAYER, "algorithm", to="direct"), "layers.c/1.algorithm: no algorithm 'direct'; known: "),
    (drop(*LAYER, "m"), "layers.c/1.m: missing"),
    (put(*LAYER, "w", to=stage()), "layers.c/1.w: unknown key; known: algorithm, v, u, m, transforms"),
    (put("layers", "c/2", "m", to=stage()), "layers.c/2.m: unknown key; known: algorithm, u, v"),
    (put("layers", "c/3", "u", to=stage()), "layers.c/3.u: unknown key; known: algorithm"),
    (put(*V, to=None), "layers.c/1.v: null, need an object"),
    (drop(*V, "scale"), "layers.c/1.v.scale: missing"),
    (put(*V, "scales", to=[]), "layers.c/1.v.scales: unknown key; did you mean 'scale'? (known: "),
    (put(*V, "bits", to=9), "layers.c/1.v.bits: 9, need 2 to 8"),
    (put(*V, "bits", to=1), "layers.c/1.v.bits: 1, need 2 to 8"),
    (put("layers", "c/2", "u", "bits", to=17), "layers.c/2.u.bits: 17, need 2 to 16"),
    (put(*V, "bits", to=8.0), "layers.c/1.v.bits: 8.0, need a whole number"),
    (put(*V, "bits", to=True), "layers.c/1.v.bits: true, need a whole number"),
    (put(*V, "granularity", to="taps"), "layers.c/1.v.granularity: 'taps'; did you mean 'tap'? (known: tensor, tap)"),
    (put(*V, "granularity", to="tap_channel"), "layers.c/1.v.granularity: 'tap_channel'; known: tensor, tap"),
    (put(*V, "power_of_two", to=0), "layers.c/1.v.power_of_two: 0, need true or false"),
    (put(*V, "power_of_two", to=True), "layers.c/1.v.scale[0]: 1.5 is no power of two, as power_of_two says"),
    (put(*V, "scale", to=1.5), "layers.c/1.v.scale: 1.5, need a list"),
    (put(*V, "scale", to=[]), "layers.c/1.v.scale: 0 entries, need 16 (granularity tap)"),
    (put(*V, "scale", to=[1.5] * 15), "layers.c/1.v.scale: 15 entries, need 16 (granularity tap)"),
    (put(*V, "scale", to=[1.5] * 32), "layers.c/1.v.scale: 32 entries, need 16 (granularity tap)"),
    (put(*V, to=stage(granularity="tensor")), "layers.c/1.v.scale: 16 entries, need 1 (granularity tensor)"),
    (put(*LAYER, "u", to=stage(granularity="tap_channel", scale=[1.5] * 17)),
     "layers.c/1.u.scale: 17 entries, need a multiple of 16 (granularity tap_channel)"),
    (put(*V, "scale", 3, to=0), "layers.c/1.v.scale[3]: 0, need a finite number above 0"),
    (put(*V, "scale", 3, to=-1.5), "layers.c/1.v.scale[3]: -1.5, need a finite number above 0"),
    (put(*V, "scale", 3, to=float("nan")), "layers.c/1.v.scale[3]: nan, need a finite number above 0"),
    (put(*V, "scale", 3, to=float("inf")), "layers.c/1.v.scale[3]: inf, need a finite number above 0"),
    (put(*V, "scale", 3, to=10**400), "layers.c/1.v.scale[3]: inf, need a finite number above 0"),
    (put(*V, "scale", 3, to="1"), 'layers.c/1.v.scale[3]: "1", need a number'),
    (put(*V, "scale", 3, to=True), "layers.c/1.v.scale[3]: true, need a number"),
    (put(*V, "zero_point", to=[0, 0]), "layers.c/1.v.zero_point: 2 entries, need 1 or 16"),
    (put(*V, "zero_point", to=[128]), "layers.c/1.v.zero_point[0]: 128, need -128 to 127"),
    (put(*V, "zero_point", to=[0.5]), "layers.c/1.v.zero_point[0]: 0.5, need a whole number"),
    (put(*LAYER, "u", "zero_point", to=[1]), "layers.c/1.u.zero_point[0]: 1, need 0"),
    (put(*LAYER, "m", "zero_point", to=[0] * 15 + [2]), "layers.c/1.m.zero_point[15]: 2, need 0"),
    (put(*FLEX, to=[]), "layers.c/4.transforms: a list, need an object"),
    (drop(*FLEX, "output"), "layers.c/4.transforms.output: missing"),
    (put(*FLEX, "inputs", to={}), "layers.c/4.transforms.inputs: unknown key; did you mean 'input'? (known: "),
    (drop(*FLEX, "input", "denominator"), "layers.c/4.transforms.input.denominator: missing"),
    (put(*FLEX, "input", "denominator", to=0), "layers.c/4.transforms.input.denominator: 0, need 1 to 32768"),
    (put(*FLEX, "input", "denominator", to=4.0), "layers.c/4.transforms.input.denominator: 4.0, need a whole number"),
    (put(*B, to=[[1] * 4] * 3), "layers.c/4.transforms.input.matrix: 3 rows, need 4"),
    (put(*B, 2, to=[1] * 5), "layers.c/4.transforms.input.matrix[2]: 5 entries, need 4"),
    (put(*B, 2, to=7), "layers.c/4.transforms.input.matrix[2]: 7, need a list"),
    (put(*B, 2, to=[1000, -1000, 0, 897]),
     "layers.c/4.transforms.input.matrix[2]: magnitudes add up to 2897, need at most 2896"),
    (put(*B, 2, to=[1, -0.5, 1, 0]), "layers.c/4.transforms.input.matrix[2][1]: -0.5, need a whole number"),
    (put(*B, 2, to=[1, True, 1, 0]), "layers.c/4.transforms.input.matrix[2][1]: true, need a whole number"),
    (put(*B, 2, to=[1, None, 1, 0]), "layers.c/4.transforms.input.matrix[2][1]: null, need a whole number"),
    (put(*B, 2, to=[0] * 4), "layers.c/4.transforms.input.matrix[2]: a row of zeros"),
    (put(*FLEX, "weight", "matrix", to=[[1, 2, 32768]] * 4),
     "layers.c/4.transforms.weight.matrix[0][2]: 32768, need -32767 to 32767"),
    (put("layers", "c/4", "algorithm", to="f4c:int8"), "layers.c/4.transforms: f4c has complex points"),
    (put("layers", "c/4", "algorithm", to="f2x1:int8"), "layers.c/4.transforms: f2x1 is fast along the width only"),
    (put("layers", "c/4", "algorithm", to="f4:int8"), "layers.c/4.transforms.input.matrix: 4 rows, need 6"),
    (put("layers", "c/4", "algorithm", to="f2_flex:int8"), "layers.c/4.algorithm: no algorithm 'f2_flex'; did you"),
    (put("layers", "c/2", "transforms", to={}), "layers.c/2.transforms: unknown key; known: algorithm, u, v"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), BAD, ids=[message[:70] for _, message in BAD])
def test_each_wrong_thing_is_named_with_file_and_key(change, message):
    root = copy.deepcopy(good())
    change(root)
    with pytest.raises(WvvError) as caught:
        parse_recipe(json.dumps(root), "r.json")
    assert str(caught.value).startswith(f"r.json: {message}")
    assert "\n" not in str(caught.value)


def test_the_unchanged_recipe_is_fine():
    recipe = parse_recipe(json.dumps(good()), "r.json")
    assert recipe.layers["c/3"] == LayerRecipe(variant("f2:exact"))
    check_recipe(recipe, "r.json", SHA, dict.fromkeys(good()["layers"], OUTPUTS))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "r.json: not JSON: "),
        ("[1]", "r.json: a list, need an object"),
        ("[" * 100000, "r.json: not JSON: "),
        ('{"version": 1, "version": 1}', "r.json: key 'version' occurs twice in one object"),
    ],
)
def test_what_is_no_json_object_is_refused(text, message):
    with pytest.raises(WvvError) as caught:
        parse_recipe(text, "r.json")
    assert str(caught.value).startswith(message)


def test_a_recipe_of_another_model_or_layer_or_width_is_refused():
    recipe = parse_recipe(json.dumps(good()), "r.json")
    with pytest.raises(WvvError, match=r"r.json: model_sha256: made for model 0123456789ab\.\.\., this one is f"):
        check_recipe(recipe, "r.json", "f" * 64, {})
    with pytest.raises(WvvError, match=r"layers\.c/1: no convolution has this name; did you mean 'c/12'\?"):
        check_recipe(recipe, "r.json", SHA, {"c/12": OUTPUTS})
    wide = good()
    wide["layers"]["c/1"]["u"] = stage(granularity="tap_channel", scale=[1.5] * 32)
    with pytest.raises(WvvError, match=r"layers\.c/1\.u\.scale: 32 entries, need 48 \(16 taps, 3 output channels\)"):
        check_recipe(parse_recipe(json.dumps(wide), "r.json"), "r.json", SHA, {"c/1": OUTPUTS})


def test_saved_whole_with_nothing_left_beside_it(tmp_path):
    recipe = parse_recipe(json.dumps(good()), "r.json")
    path = tmp_path / "r.json"
    path.write_text("old", encoding="utf-8")
    save_recipe(recipe, path)
    assert load_recipe(path) == recipe
    assert [one.name for one in tmp_path.iterdir()] == ["r.json"]


def test_a_file_that_cannot_be_read_or_written_is_one_line(tmp_path):
    with pytest.raises(WvvError, match=r"nowhere\.json: recipe cannot be read: "):
        load_recipe(tmp_path / "nowhere.json")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WvvError, match="binary: recipe cannot be read: "):
        load_recipe(tmp_path / "binary")
    with pytest.raises(WvvError, match=r"r\.json: recipe cannot be written: "):
        save_recipe(Recipe(SHA, {}), tmp_path / "missing" / "r.json")
    with pytest.raises(WvvError, match="recipe cannot be written: "):
        save_recipe(Recipe(SHA, {}), tmp_path)
