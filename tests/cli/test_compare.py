"""`wvv compare` on the packaged network: exact forms are the reference's, others differ as much as the oracle does."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import cache, wvv
from conftest import ROOT, require_tool
from float_edges import with_float_edges
from integer_network import run_layers

from tvm_wvv.cli import compare as compare_command
from tvm_wvv.data.images import load as load_images
from tvm_wvv.data.images import to_input
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.frontends.tflite import load
from tvm_wvv.models import packaged
from tvm_wvv.passes.fuse_qdq import FuseQdq
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import decide
from tvm_wvv.reference.golden import Golden

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]

M4 = ("--board", "mps2-an386")
LAYERS = [
    "stem/conv", "block1/conv1", "block1/conv2", "block1/add", "block2/conv1", "block2/conv2", "block2/shortcut",
    "block2/add", "block3/conv1", "block3/conv2", "block3/add", "pool", "pool/vector", "logits", "probabilities",
]  # fmt: skip
# One layer that rounds, the first, is compiled sooner than all of them, and all behind it differ as well.
NOISY = ("--board", "x86", "--winograd", "off", "--layer", "stem/conv=f4c:int8")
KEYS = ["name", "op", "algorithm", "identical", "differing_bytes", "bytes", "largest_difference", "sqnr_db"]


@pytest.fixture(autouse=True)
def _tools(request: pytest.FixtureRequest):
    """Tests that say so in their name run firmware, and so do those whose board does."""
    if "on_qemu" in request.node.name:
        require_tool("arm-none-eabi-gcc")
        require_tool("qemu-system-arm")


def model_path() -> Path:
    path = packaged("digits")
    assert path is not None
    return path


def compare(*arguments: str | Path, model: str | Path = "digits", limit: int = 5) -> Any:
    return wvv("compare", model, "--data", "digits", "--limit", str(limit), *arguments, "--json").value


@pytest.fixture(scope="module")
def noisy(cache: Path):
    """Five images in an arithmetic that rounds."""
    return compare(*NOISY)


@pytest.mark.parametrize(("board", "winograd"), [("x86", "f2:exact"), ("mps2-an386", "f4c:exact")])
def test_an_exact_form_is_identical_on_qemu_and_here(board: str, winograd: str):
    value = compare("--board", board, "--winograd", winograd)
    assert list(value) == ["board", "n", "each", "identical", "first_difference", "layers"]
    assert [value[key] for key in list(value)[:-1]] == [board, 5, False, True, None]
    assert [layer["name"] for layer in value["layers"]] == LAYERS
    for layer in value["layers"]:
        assert list(layer) == KEYS
        assert (layer["identical"], layer["differing_bytes"], layer["largest_difference"]) == (True, 0, 0)
        assert layer["sqnr_db"] is None
    conv = value["layers"][1]
    assert (conv["op"], conv["algorithm"], conv["bytes"]) == ("conv2d", winograd, 5 * 16 * 16 * 16)


def images(count: int) -> np.ndarray:
    return to_input(load_images("digits", count).images, (1, 16, 16, 1), 1 / 255, -128).reshape(-1, 1, 16, 16, 1)


def oracle(winograd: str, image: np.ndarray, each: bool) -> dict[str, np.ndarray]:
    """The layers of one image by NumPy; with `each`, every layer's error alone."""
    integer = FuseQdq()(load(model_path()).module)  # type: ignore[operator]
    decisions = decide(integer, Options(winograd=winograd))
    if not each:
        return run_layers(integer, {"image": image}, decisions)
    # Where a single layer is decided differently, all that comes before it is the reference's.
    alone = {name: run_layers(integer, {"image": image}, {name: one})[name] for name, one in decisions.items()}
    return {**run_layers(integer, {"image": image}), **alone}


@pytest.mark.parametrize(
    ("winograd", "each", "boards"),
    [("f6:int16", False, ("x86",)), ("f4c:int8", True, ("x86", "mps2-an386"))],
    ids=["as_it_runs", "each_on_qemu_too"],
)
def test_differences_are_those_of_the_oracle(winograd: str, each: bool, boards: tuple[str, ...]):
    x = images(2)
    flags = ["--each"] if each else []
    found, *others = (compare("--board", board, "--winograd", winograd, *flags, limit=2) for board in boards)
    assert [other["layers"] for other in others] == [found["layers"]] * len(others)
    assert found["each"] is each
    golden = Golden(model_path().read_bytes(), all_tensors=True)
    reference, ours = golden.layers(x), [oracle(winograd, one, each) for one in x]
    for layer in found["layers"]:
        name = layer["name"]
        theirs = reference[name].astype(int)
        error = np.stack([one[name] for one in ours]).astype(int) - theirs
        assert layer["differing_bytes"] == np.count_nonzero(error)
        assert layer["largest_difference"] == np.abs(error).max()
        if error.any():
            signal = ((theirs - golden.layer_infos()[name].zero_point) ** 2).sum()
            assert layer["sqnr_db"] == pytest.approx(10 * np.log10(signal / (error**2).sum()))
        else:
            assert (layer["identical"], layer["sqnr_db"]) == (True, None)


def test_a_layer_with_noise_is_found_and_by_itself_is_the_only_one():
    options = ("--board", "x86", "--winograd", "off", "--layer", "block2/conv2=f6:int16")
    value = compare(*options)
    first = LAYERS.index("block2/conv2")
    assert (value["identical"], value["first_difference"]) == (False, "block2/conv2")
    assert all(layer["identical"] for layer in value["layers"][:first])
    assert not value["layers"][LAYERS.index("block2/add")]["identical"]
    each = compare(*options, "--each")
    assert [layer["name"] for layer in each["layers"] if not layer["identical"]] == ["block2/conv2"]
    noisy = each["layers"][first]
    assert noisy == value["layers"][first]
    # Roundings of 16 bits move few outputs, and by a step or two.
    assert noisy["largest_difference"] in (1, 2)
    assert 30 < noisy["sqnr_db"] < 60


def test_batches_add_up(monkeypatch: pytest.MonkeyPatch, noisy: dict[str, Any]):
    monkeypatch.setattr(compare_command, "_BATCH", 2)
    assert compare(*NOISY) == noisy
    assert noisy["n"] == 5
    assert [layer["bytes"] for layer in noisy["layers"]][-3:] == [5 * 32, 5 * 10, 5 * 10]


def test_a_batch_holds_what_memory_allows_and_at_least_one():
    def of_bytes(size: int) -> int:
        return compare_command._batch(
            [TensorInfo("a", (1, size - 4), "int8", None), TensorInfo("b", (1,), "float32", None)]
        )

    assert [of_bytes(size) for size in (5, 1 << 19, 1 << 20, 11 << 20, 1 << 30)] == [64, 64, 32, 2, 1]


def small_board(tmp_path: Path, ram: str) -> Path:
    """The M4 machine, of whose memory the linker may use only a part."""
    folder = tmp_path / "small"
    shutil.copytree(ROOT / "boards" / "mps2-an386", folder)
    text = (folder / "board.toml").read_text(encoding="utf-8")
    for old, new in (("0x4000 ", "0x1000 "), ("0x2000_0000, length = 0x0040_0000", f"0x2000_0000, length = {ram}")):
        assert old in text
        text = text.replace(old, new)
    (folder / "board.toml").write_text(text.replace('"mps2-an386"\nsum', '"small"\nsum'), encoding="utf-8")
    return folder


def test_a_board_with_little_ram_takes_several_images_on_qemu(tmp_path: Path):
    """30 KiB of outputs do not fit 28 KiB; the network does."""
    value = compare("--board", small_board(tmp_path, "0x7000"), "--winograd", "off", limit=2)
    assert value["identical"]
    shapes = [2 * 16 * 16 * 16] * 4 + [2 * 8 * 8 * 32] * 7 + [2 * 32] * 2 + [2 * 10] * 2
    assert [layer["bytes"] for layer in value["layers"]] == shapes
    assert [layer["name"] for layer in value["layers"]] == LAYERS


def test_a_board_too_small_for_the_network_is_refused_with_its_sizes(tmp_path: Path):
    line = wvv("compare", "digits", "--board", small_board(tmp_path, "0x2000"), "--data", "digits").line
    assert "small: arena needs" in line
    assert "bytes short" in line


def test_float_edges_are_layers_too(tmp_path: Path):
    model = tmp_path / "float.tflite"
    model.write_bytes(with_float_edges(model_path().read_bytes()))
    first, *_, codes, real = compare(*NOISY, model=model)["layers"]
    assert (first["op"], first["identical"], first["bytes"]) == ("quantize", True, 5 * 256)
    assert (real["op"], real["bytes"]) == ("dequantize", 5 * 10 * 4)
    # The last layer only multiplies by the scale, a power of two here.
    assert codes["largest_difference"] == real["largest_difference"] >= 1
    assert codes["sqnr_db"] == real["sqnr_db"]


def test_inputs_from_a_file_are_the_same_inputs(tmp_path: Path, noisy: dict[str, Any]):
    np.save(tmp_path / "x.npy", images(7).reshape(-1, 16, 16, 1))
    options = (*NOISY, "--limit", "5", "--json")
    assert wvv("compare", "digits", "--data", tmp_path / "x.npy", *options).value == noisy


def test_the_table_names_the_first_and_the_noisiest_layer():
    options = ("--data", "digits", "--limit", "2")
    out = wvv("compare", "digits", *options, *NOISY).out
    for word in ("on 2 inputs, as the network runs", "differ", "first layer that differs: stem/conv", "lowest SQNR: "):
        assert word in out
    assert re.search(
        r"^ stem/conv +conv2d +f4c:int8 +8,192 +[\d,]+ +\d+\.\d\d % +\d+ +\d\d\.\d\d dB$", out, re.MULTILINE
    )
    out = wvv("compare", "digits", *options, "--board", "x86", "--winograd", "off", "--each").out
    assert "each layer fed by the reference" in out
    assert "every layer is identical" in out
    assert "SQNR: " not in out


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("digits", "--board", "reference", "--data", "digits"), "no board 'reference'"),
        (("digits", "--board", "mps2-an368", "--data", "digits"), "did you mean 'mps2-an386'?"),
        (("digits", *M4, "--data", "nowhere"), "no data set 'nowhere'"),
        (("digits", *M4, "--data", "none.npy"), "none.npy: no such file"),
        (("digits", *M4, "--data", "small.npy"), "input image: got int8 of shape (3, 8, 8, 1), need int8"),
        (("digits", *M4, "--data", "digits", "--limit", "0"), "--limit"),
        (("digits", *M4, "--data", "digits", "--winograd", "f3"), "--winograd f3: no such algorithm"),
        (("digits", *M4, "--data", "digits", "--layer", "nowhere=f2"), "no convolution has this name"),
        (("nowhere.tflite", *M4, "--data", "digits"), "nowhere.tflite: no such file"),
        (("digits", *M4), "Missing option '--data'"),
    ],
)
def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], fault: str):
    monkeypatch.chdir(tmp_path)
    np.save("small.npy", np.zeros((3, 8, 8, 1), np.int8))
    assert fault in wvv("compare", *arguments).line


def test_an_archive_is_refused(tmp_path: Path):
    archive = tmp_path / "digits.tar"
    assert wvv("compile", "digits", "-o", archive, *M4).status == 0
    for board in ("x86", "mps2-an386"):
        line = wvv("compare", archive, "--board", board, "--data", "digits").line
        assert "is compiled already and gives the network's own outputs, not those of its layers" in line
        assert "name its .tflite" in line
