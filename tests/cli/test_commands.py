"""Each command on the packaged network: the names and types of its JSON, figures that check each other, its text."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from command_line import cache, convolution, wvv
from conftest import require_data, require_tool

from tvm_wvv import __version__
from tvm_wvv.data.images import load, to_input
from tvm_wvv.micro.archive import read, write
from tvm_wvv.models import packaged
from tvm_wvv.reference.golden import Golden

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]

M4 = ("--board", "mps2-an386")
LAYER_KEYS = [
    "name", "op", "algorithm", "reason", "macs", "multiplications", "weight_bytes", "workspace_bytes", "backend",
    "backend_reason",
]  # fmt: skip
TOTAL_KEYS = [
    "instructions", "cycles_m4_estimate", "flash_bytes", "text_bytes", "weight_bytes", "ram_bytes", "arena_bytes",
    "workspace_bytes", "stack_bytes",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _tools(request: pytest.FixtureRequest):
    """Tests that say so in their name run firmware."""
    if "on_qemu" in request.node.name:
        require_tool("arm-none-eabi-gcc")
        require_tool("qemu-system-arm")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    path = tmp_path_factory.mktemp("archive") / "digits.tar"
    assert wvv("compile", "digits", "-o", path, *M4, "--winograd", "f2").status == 0
    return path


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Ten held-out digits, and the two uniform images, as the model's int8 input."""
    pixels = to_input(load("digits", 10).images, (1, 16, 16, 1), 1 / 255, -128)
    return np.concatenate([pixels, np.full((1, 16, 16, 1), -128, np.int8), np.full((1, 16, 16, 1), 127, np.int8)])


def golden(x: np.ndarray) -> np.ndarray:
    path = packaged("digits")
    assert path is not None
    (scores,) = Golden(path.read_bytes()).run(x.reshape(-1, 1, 16, 16, 1)).values()
    return scores


@pytest.mark.parametrize("board", ["x86", "reference", "mps2-an386", "mps2-an500"])
def test_run_gives_the_reference_bytes_on_qemu_and_here(tmp_path: Path, images: np.ndarray, board: str):
    np.save(tmp_path / "x.npy", images)
    paths = ("--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    value = wvv("run", "digits", "--board", board, *paths, "--json").value
    y = np.load(tmp_path / "y.npy")
    np.testing.assert_array_equal(y, golden(images).reshape(12, 10))
    digest = hashlib.sha256(y.tobytes()).hexdigest()
    assert value["outputs"] == {"probabilities": {"shape": [12, 10], "dtype": "int8", "sha256": digest}}
    assert list(value) == ["board", "outputs", "instructions"]
    assert value["board"] == board
    assert (value["instructions"] is None) == (not board.startswith("mps2"))


@pytest.mark.parametrize("board", ["x86", "mps2-an386"])
def test_an_archive_runs_like_its_model_on_qemu_and_here(tmp_path: Path, archive: Path, images: np.ndarray, board: str):
    np.save(tmp_path / "x.npy", images[:1])
    of_archive = wvv("run", archive, "--board", board, "--input", tmp_path / "x.npy", "--json").value
    of_model = wvv("run", "digits", "--board", board, "--winograd", "f2", "--input", tmp_path / "x.npy", "--json").value
    assert of_archive == of_model
    assert of_model["outputs"]["probabilities"]["sha256"] == hashlib.sha256(golden(images[:1]).tobytes()).hexdigest()


def test_outputs_by_name_in_an_npz(tmp_path: Path, images: np.ndarray):
    np.save(tmp_path / "x.npy", images[:, np.newaxis])
    paths = ("--input", tmp_path / "x.npy", "--output", tmp_path / "y.npz")
    assert "sha256" in wvv("run", "digits", "--board", "x86", *paths).out
    np.testing.assert_array_equal(np.load(tmp_path / "y.npz")["probabilities"], golden(images))


@pytest.mark.parametrize("board", ["x86", "reference", "mps2-an386"])
def test_eval_on_qemu_and_here(board: str):
    value = wvv("eval", "digits", "--board", board, "--data", "digits", "--limit", "40", "--json").value
    labels = load("digits", 40).labels
    pixels = to_input(load("digits", 40).images, (1, 16, 16, 1), 1 / 255, -128)
    right = (golden(pixels).reshape(40, 10).argmax(axis=1) == labels).mean()
    assert value == {"board": board, "n": 40, "top1": pytest.approx(100 * right), "agreement": 1.0, "identical": 1.0}


@pytest.mark.parametrize("board", ["x86", "reference", "mps2-an386"])
def test_eval_of_an_archive_compares_with_the_model_that_it_holds(archive: Path, board: str):
    value = wvv("eval", archive, "--board", board, "--data", "digits", "--limit", "5", "--json").value
    assert (value["n"], value["agreement"], value["identical"]) == (5, 1.0, 1.0)


def test_an_archive_without_its_model_knows_no_reference(archive: Path, tmp_path: Path):
    made = read(archive)
    write(tmp_path / "bare.tar", made.emitted, made.lowered, made.board, made.options)
    value = wvv("eval", tmp_path / "bare.tar", "--board", "x86", "--data", "digits", "--limit", "5", "--json").value
    assert (value["n"], value["agreement"], value["identical"]) == (5, None, None)
    refused = wvv("eval", tmp_path / "bare.tar", "--board", "reference", "--data", "digits")
    assert "holds no model" in refused.line


def test_profile_figures_add_up_on_qemu():
    direct, winograd = (wvv("profile", "digits", *M4, "--winograd", form, "--json").value for form in ("off", "f2"))
    for value in (direct, winograd):
        assert list(value) == ["board", "model", "totals", "layers"]
        assert (value["board"], value["model"]) == ("mps2-an386", "digits")
        totals, layers = value["totals"], value["layers"]
        assert list(totals) == TOTAL_KEYS
        assert sorted(layers[0]) == sorted([*LAYER_KEYS, "instructions", "cycles_m4_estimate"])
        # Most instructions last one cycle, loads and taken branches two and three, a load of many one more than words.
        assert 1.1 * totals["instructions"] < totals["cycles_m4_estimate"] < 2 * totals["instructions"]
        # Two programs, with marks and without: what crosses a page is two blocks, and a load behind that costs in full.
        assert sum(x["cycles_m4_estimate"] for x in layers) == pytest.approx(totals["cycles_m4_estimate"], rel=1e-3)
        # The layers miss the way into the run and out of it; the whole misses the registers that the marks need.
        counted = sum(layer["instructions"] for layer in layers)
        assert abs(counted - totals["instructions"]) <= 20 + 2 * len(layers)
        assert totals["weight_bytes"] + totals["text_bytes"] <= totals["flash_bytes"]
        assert totals["workspace_bytes"] == max(layer["workspace_bytes"] for layer in layers)
        assert totals["arena_bytes"] + totals["stack_bytes"] <= totals["ram_bytes"]
        assert 0 < totals["stack_bytes"] < 4096
    one, other = (next(x for x in v["layers"] if x["name"] == "block3/conv1") for v in (direct, winograd))
    assert (one["algorithm"], other["algorithm"]) == ("direct", "f2:exact")
    assert (one["macs"], other["macs"]) == (589824, 589824)
    # 16 products instead of 36 for each tile of 2x2 outputs.
    assert (one["multiplications"], other["multiplications"]) == (589824, 589824 * 16 // 36)


def test_profile_repeats_to_the_instruction_on_qemu():
    first, second = (wvv("profile", "digits", "--board", "mps2-an500", "--json").value for _ in range(2))
    assert first == second
    assert first["totals"]["cycles_m4_estimate"] is None, "the estimate is for the M4 alone"


def test_profile_prints_a_row_for_each_layer_and_the_totals_on_qemu(archive: Path):
    out = wvv("profile", archive, *M4, "--top", "2").out
    for word in ("block1/conv1", "f2:exact", "per MAC", "total", "flash", "stack", "of it workspace"):
        assert word in out
    for word in ("M4 cycles", "estimate", "no wait states", "wvv_", " %"):
        assert word in out
    listed = wvv("profile", archive, *M4, "--top", "2", "--json").value["functions"]
    assert [sorted(one) for one in listed] == [["cycles_m4_estimate", "instructions", "name"]] * 2
    assert listed[0]["cycles_m4_estimate"] >= listed[1]["cycles_m4_estimate"]
    assert not any(line.endswith(" ") for line in out.splitlines())


def test_explain_has_the_layers_without_counts():
    value = wvv("explain", "digits", *M4, "--winograd", "f2", "--json").value
    assert value["board"] == "mps2-an386"
    assert all(sorted(layer) == sorted(LAYER_KEYS) for layer in value["layers"])
    reasons = {layer["name"]: (layer["algorithm"], layer["reason"]) for layer in value["layers"]}
    assert reasons["block1/conv1"] == ("f2:exact", None)
    assert reasons["block2/conv1"] == ("direct", "stride is (2, 2), need (1, 1)")
    assert reasons["block2/shortcut"] == ("direct", "kernel is (1, 1), need (3, 3)")


def test_explain_prints_reasons_and_ratio(archive: Path):
    for out in (wvv("explain", archive, *M4).out, wvv("explain", "digits", *M4, "--winograd", "f2").out):
        assert "stride is (2, 2), need (1, 1)" in out
        assert "2.25" in out
        assert out.count("conv2d") == 8


def test_a_layer_option_goes_before_the_networks(tmp_path: Path):
    options = ("--winograd", "off", "--layer", "block1/conv2=f2", "--layer", "block3/conv1=f2:exact")
    layers = wvv("explain", "digits", *M4, *options, "--json").value["layers"]
    assert [layer["name"] for layer in layers if layer["algorithm"] != "direct"] == ["block1/conv2", "block3/conv1"]


def test_a_layer_may_be_named_as_reports_print_it(tmp_path: Path):
    model = tmp_path / "fused.tflite"
    # The converter joins the names of what it fused by semicolons.
    model.write_bytes(convolution("int8", "int8").replace(b"conv/out", b"out;conv"))
    plain = wvv("explain", model, *M4, "--winograd", "off", "--json").value["layers"]
    assert [(layer["name"], layer["algorithm"]) for layer in plain] == [("out;conv", "direct")]
    by_label = wvv("explain", model, *M4, "--winograd", "off", "--layer", "out=f2", "--json").value["layers"]
    assert [(layer["name"], layer["algorithm"]) for layer in by_label] == [("out;conv", "f2:exact")]


def test_compile_writes_the_same_archive_every_time(tmp_path: Path, archive: Path):
    done = wvv("compile", "digits", "-o", tmp_path / "again.tar", *M4, "--winograd", "f2")
    assert (tmp_path / "again.tar").read_bytes() == archive.read_bytes()
    for word in ("arena", "workspace", "weights", "block1/conv1", f"wrote {tmp_path / 'again.tar'}"):
        assert word in done.out
    with tarfile.open(archive) as tar:
        file = tar.extractfile("metadata.json")
        assert file is not None
        metadata = json.load(file)["wvv"]
    assert (metadata["board"], metadata["options"]["winograd"]) == ("mps2-an386", "f2")


def test_boards():
    value = wvv("boards", "--json").value
    by_name = {board["name"]: board for board in value["boards"]}
    cores = {name: board["core"].removeprefix("cortex-") for name, board in by_name.items()}
    mps = {"mps2-an385": "m3", "mps2-an386": "m4", "mps2-an500": "m7", "mps2-an505": "m33", "mps3-an547": "m55"}
    parts = {"nucleo-l4r5zi": "m4", "stm32f4-discovery": "m4", "nano-33-ble": "m4", "nucleo-f746zg": "m7",
             "nucleo-h743zi": "m7", "nrf5340dk": "m33", "nucleo-u575zi": "m33", "rpi-pico2": "m33"}  # fmt: skip
    assert cores == {**mps, "netduinoplus2": "m4", **parts}
    assert by_name["mps2-an386"]["ram_bytes"] == 4 * 1024 * 1024
    # The arena's memory counts too.
    assert by_name["nucleo-h743zi"]["ram_bytes"] == (128 + 512) * 1024
    assert {board["runner"] for board in value["boards"]} == {"qemu", "pyocd", "openocd"}
    assert by_name["nrf5340dk"]["zephyr"] == "nrf5340dk/nrf5340/cpuapp"
    assert "cortex-m7" in wvv("boards").out
    assert "nucleo_l4r5zi" in wvv("boards").out


def test_inspect_shows_what_compile_wrote(tmp_path: Path):
    first, second = tmp_path / "one.tar", tmp_path / "two.tar"
    for archive in (first, second):
        assert wvv("compile", "digits", "-o", archive, *M4).status == 0
    assert first.read_bytes() == second.read_bytes()
    value = wvv("inspect", first, "--json").value
    own, module = value["wvv"], value["modules"]["digits"]
    (main,) = module["memory"]["functions"]["main"]
    assert (main["io_size_bytes"], main["workspace_size_bytes"]) == (16 * 16 + 10, own["arena_bytes"])
    assert module["target"] == ["c -keys=arm_cpu,cpu -mcpu=cortex-m4"]
    assert {"-mcpu=cortex-m4", "-O3", "-fno-strict-aliasing"} <= set(own["build"]["flags"])
    assert own["build"]["tools"]["wvv"] == __version__
    assert [len(own[kind][0]["shape"]) for kind in ("inputs", "outputs")] == [4, 2]
    f4 = next(layer for layer in own["layers"] if layer["algorithm"] == "f4:exact")
    assert f4["macs"] == 4 * f4["multiplications"] > 0
    with tarfile.open(first) as tar:
        assert value["files"] == {entry.name: entry.size for entry in tar}
    shown = wvv("inspect", first).out
    for word in ("block2/conv2", "f4:exact", "589,824", "16 x 16", "-mcpu=cortex-m4", "Apache-2.0", own["sha256"]):
        assert word in shown
    assert "none.tar: no such file" in wvv("inspect", tmp_path / "none.tar").line


def test_doctor_names_every_need():
    done = wvv("doctor", "--json")
    value = json.loads(done.out)
    assert done.status == (0 if value["ok"] else 1)
    assert value["ok"] == all(check["ok"] or check["only_for"] for check in value["checks"])
    assert {"arm-none-eabi-gcc", "qemu-system-arm", "apache-tvm"} <= {check["name"] for check in value["checks"]}
    assert "qemu-system-arm" in wvv("doctor").out


def test_version_and_help():
    assert wvv("--version").out == f"wvv {__version__}\n"
    assert wvv().out == wvv("--help").out
    for command in ("compile", "run", "eval", "profile", "explain", "compare", "fit", "inspect", "boards", "doctor"):
        assert command in wvv("--help").out
        assert "Example" in wvv(command, "--help").out


def test_demo_prints_accuracy_agreement_instructions_and_memory_on_qemu(capsys: pytest.CaptureFixture[str]):
    from tvm_wvv.cli.demo import main

    assert main() == 0
    out = capsys.readouterr().out
    for word in ("450 held-out digits", "same bytes 100.00 %", "block3/conv2", "all layers", "flash", "RAM"):
        assert word in out


@pytest.mark.parametrize("winograd", ["off", "f2"])
def test_eval_of_resnet8_on_real_images_on_qemu(winograd: str):
    model = require_data("models/pretrainedResnet_quant.tflite")
    data = require_data("cifar10_test_lossless_subset.parquet")
    options = (*M4, "--winograd", winograd, "--data", data, "--limit", "48", "--json")
    value = wvv("eval", model, *options).value
    assert (value["n"], value["agreement"], value["identical"]) == (48, 1.0, 1.0)
    # 87.87 % over the whole set; 48 images stray from it by no more than four standard deviations.
    assert value["top1"] > 87.87 - 4 * 100 * (0.8787 * 0.1213 / 48) ** 0.5
