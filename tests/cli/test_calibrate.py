"""`wvv calibrate` and `--recipe` from images to accuracy, and every refusal on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import cache, convolution, wvv

from tvm_wvv.micro.archive import read
from tvm_wvv.plan import calibrate as plan

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]

M4 = ("--board", "mps2-an386")
FEW = ("--data", "digits", "--limit", "20")
LAYERS = ["stem/conv", "block1/conv1", "block1/conv2", "block2/conv2", "block3/conv1", "block3/conv2"]


@pytest.fixture(autouse=True)
def _few_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "TILES", 200)
    monkeypatch.setattr(plan, "CHECKS", 50)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "r.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "TILES", 200)
        patch.setattr(plan, "CHECKS", 50)
        assert wvv("calibrate", "digits", *FEW, "-o", path).status == 0
    return path


def test_from_images_over_recipe_and_archive_to_accuracy(recipe: Path, tmp_path: Path):
    archive = tmp_path / "d.tar"
    out = wvv("compile", "digits", "-o", archive, *M4, "--recipe", recipe).out
    assert out.count("f4c:int8") == len(LAYERS)
    kept = read(archive).options["recipe"]
    assert kept == {"source": str(recipe), "text": recipe.read_text(encoding="utf-8")}
    on_model, on_archive = (
        wvv("eval", name, "--board", "x86", "--data", "digits", "--limit", "100", *more, "--json").value
        for name, more in (("digits", ("--recipe", recipe)), (archive, ()))
    )
    assert on_model == on_archive
    assert on_model["top1"] >= 97
    assert on_model["agreement"] >= 0.97
    # Eight bits in every stage do not give the reference's bytes; scales without data give other ones again.
    assert on_model["identical"] < 0.9
    without = wvv("compile", "digits", "-o", tmp_path / "n.tar", *M4, "--winograd", "f4c:int8")
    assert without.status == 0
    assert read(tmp_path / "n.tar").emitted.files != read(archive).emitted.files


def test_json_names_every_layer(tmp_path: Path):
    path = tmp_path / "r.json"
    options = ("--winograd", "f2:int8", "--layer", "stem/conv=f2:exact", "--layer", "block1/conv2=off")
    granularity = ("--granularity", "tensor", "--power-of-two", "--zero-points")
    value = wvv("calibrate", "digits", *FEW, *options, *granularity, "-o", path, "--json").value
    assert list(value) == ["model", "images", "granularity", "power_of_two", "zero_points", "recipe", "layers"]
    assert [value[key] for key in list(value)[:6]] == ["digits", 20, "tensor", True, True, str(path)]
    layers = value["layers"]
    assert [one["name"] for one in layers] == [name for name in LAYERS if name != "block1/conv2"]
    assert layers[0] == {
        "name": "stem/conv", "algorithm": "f2:exact", "tiles": None, "sqnr_db": None, "clipped_v": None,
        "clipped_m": None,
    }  # fmt: skip
    for one in layers[1:]:
        assert (one["algorithm"], one["tiles"]) == ("f2:int8", 250)
        assert one["sqnr_db"] > 10
        assert 0 <= one["clipped_v"] < 0.2 and 0 <= one["clipped_m"] < 0.2
    written = json.loads(path.read_text(encoding="utf-8"))
    assert sorted(written["layers"]) == sorted(one["name"] for one in layers)
    assert written["layers"]["block1/conv1"]["v"]["power_of_two"] is True


def test_the_table_and_the_file_that_was_there(recipe: Path, tmp_path: Path):
    """Like an archive, a recipe takes the place of the file of that name."""
    path = tmp_path / "r.json"
    path.write_text("from yesterday", encoding="utf-8")
    out = wvv("calibrate", "digits", *FEW, "-o", path).out
    for word in ("block1/conv1", "f4c:int8", "SQNR", " dB", "sums clipped", "calibrated on 20 images", f"wrote {path}"):
        assert word in out
    # The same images, the same recipe.
    assert path.read_bytes() == recipe.read_bytes()
    assert [one.name for one in tmp_path.iterdir()] == ["r.json"]


def test_a_layers_option_goes_before_the_recipe(recipe: Path):
    options = ("--recipe", recipe, "--layer", "stem/conv=off", "--layer", "block1/conv1=f4:int8")
    layers = wvv("explain", "digits", *M4, *options, "--json").value["layers"]
    chosen = {one["name"]: one["algorithm"] for one in layers}
    assert [chosen[name] for name in LAYERS] == ["direct", "f4:int8", *["f4c:int8"] * 4]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("digits", *FEW, "--winograd", "f4c"), "f4c:exact: no scales to calibrate"),
        (("digits", *FEW, "--winograd", "f4:int16"), "f4:int16: no scales to calibrate"),
        (("digits", *FEW, "--winograd", "auto"), "name one, such as f4c:int8"),
        (("digits", *FEW, "--winograd", "f4d:int8"), "--winograd f4d:int8: no such algorithm; known: auto, off, f2"),
        (("digits", *FEW, "--winograd", "f4c:int9"), "f4c has no arithmetic 'int9'; did you mean 'int8'?"),
        (("digits", *FEW, "--layer", "stem=f2:int8"), "--layer stem=f2:int8: no convolution has this name"),
        (("digits", *FEW, "--layer", "block2/conv1=f2:int8"), "stride is (2, 2), need (1, 1)"),
        (("digits", *FEW, "--granularity", "taps"), "--granularity taps: no such granularity; did you mean 'tap'?"),
        (("digits", *FEW, "--granularity", "tap_channel"), "did you mean 'tap-channel'?"),
        (("digits", "--data", "nowhere"), "no data set 'nowhere'"),
        (("digits", "--data", "digits", "--limit", "0"), "--limit"),
        (("nowhere.tflite", *FEW), "nowhere.tflite: no such file"),
    ],
)
def test_refusals_write_nothing(
    arguments: tuple[str, ...], fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert fault in wvv("calibrate", *arguments, "-o", "r.json").line
    assert list(tmp_path.iterdir()) == []


def test_places_and_models_that_cannot_be_are_refused_first(tmp_path: Path):
    assert "is a folder, need the name" in wvv("calibrate", "digits", *FEW, "-o", tmp_path).line
    assert "none does not exist" in wvv("calibrate", "digits", *FEW, "-o", tmp_path / "none" / "r.json").line
    (tmp_path / "d.tar").write_bytes(b"")
    line = wvv("calibrate", tmp_path / "d.tar", *FEW, "-o", tmp_path / "r.json").line
    assert "is compiled already" in line
    (tmp_path / "m.tflite").write_bytes(convolution("int8", "int8", shape=(1, 9, 7, 3)))
    line = wvv("calibrate", tmp_path / "m.tflite", *FEW, "-o", tmp_path / "r.json").line
    assert "16x16" in line and "9x7" in line
    assert sorted(one.name for one in tmp_path.iterdir()) == ["d.tar", "m.tflite"]


def test_recipes_are_checked_by_every_command(recipe: Path, tmp_path: Path):
    text, bad = recipe.read_text(encoding="utf-8"), tmp_path / "bad.json"
    for changed, fault in (
        ("", "bad.json: not JSON"),
        (text.replace('"version": 1', '"version": 2'), "bad.json: version: 2, this program reads 1"),
        (text.replace('"bits": 8', '"bits": 9', 1), "bits: 9, need 2 to 8"),
        (text.replace('"block1/conv1"', '"block1/conv9"'), "layers.block1/conv9: no convolution has this name"),
        (text.replace('"model_sha256": "', '"model_sha256": "0')[: len(text)], "bad.json"),
    ):
        bad.write_text(changed, encoding="utf-8")
        assert fault in wvv("explain", "digits", *M4, "--recipe", bad).line
    assert (
        "none.json: recipe cannot be read: No such file" in wvv("explain", "digits", *M4, "--recipe", "none.json").line
    )
    archive = tmp_path / "d.tar"
    assert wvv("compile", "digits", "-o", archive, *M4).status == 0
    line = wvv("eval", archive, "--board", "x86", "--data", "digits", "--recipe", recipe).line
    assert "too late for --winograd, --layer, --recipe and --mcpu" in line
