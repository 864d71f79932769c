"""Bad input of every kind: exit status 2, one line that names the fault, nothing on stdout, no file left behind."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from command_line import cache, convolution, unsupported, wvv
from conftest import require_data, require_tool
from small_board import small_board

from tvm_wvv.models import packaged

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]

BOARD = ("--board", "mps2-an386")


def digits() -> bytes:
    path = packaged("digits")
    assert path is not None
    return path.read_bytes()


BAD_MODELS = {
    "empty": (b"", "the file is empty"),
    "text": (b"layers:\n  - conv2d: 3x3\n", "not a TensorFlow Lite model"),
    "short": (digits()[:6], "not a TensorFlow Lite model"),
    "cut": (digits()[:9000], "cut short"),
    "float": (convolution("float32", "float32"), "computes in float32"),
    "hybrid": (convolution("float32", "int8"), "hybrid"),
    "unsupported": (unsupported(), "LOGISTIC at 'curve' is not supported"),
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_a_bad_model_is_refused_and_nothing_is_written(tmp_path: Path, name: str):
    contents, fault = BAD_MODELS[name]
    model = tmp_path / f"{name}.tflite"
    model.write_bytes(contents)
    line = wvv("compile", model, "-o", tmp_path / "out.tar", *BOARD).line
    assert fault in line
    assert str(model) in line
    assert [path.name for path in tmp_path.iterdir()] == [model.name]


@pytest.mark.parametrize("name", BAD_MODELS)
@pytest.mark.parametrize("board", ["x86", "reference", "mps2-an386"])
def test_every_place_refuses_in_the_same_words(tmp_path: Path, name: str, board: str):
    contents, fault = BAD_MODELS[name]
    (tmp_path / "m.tflite").write_bytes(contents)
    np.save(tmp_path / "x.npy", np.zeros((1, 9, 7, 3), np.int8))
    assert fault in wvv("run", tmp_path / "m.tflite", "--board", board, "--input", tmp_path / "x.npy").line


def test_the_float_network_of_mlperf_tiny_is_refused(tmp_path: Path):
    model = require_data("models/pretrainedResnet.tflite")
    assert "computes in float32" in wvv("compile", model, "-o", tmp_path / "out.tar", *BOARD).line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--board", "mps2_an386"), "no board 'mps2_an386'; did you mean 'mps2-an386'?"),
        (("--board", "x86"), "board 'x86' gives a folder with a library in it; leave out .tar"),
        ((*BOARD, "--mcpu", "haswell"), "--mcpu haswell: goes with --board x86; mps2-an386 has its own CPU"),
        ((*BOARD, "--winograd", "f3"), "--winograd f3: no such algorithm"),
        ((*BOARD, "--layer", "nowhere=f2"), "--layer nowhere=f2: no convolution has this name"),
        ((*BOARD, "--layer", "stem"), "--layer stem: expected NAME=SPEC"),
        ((*BOARD, "--codegen", "llvm"), "'llvm' is not in this version; supported: c"),
        ((*BOARD, "--codegen", "rust"), "'rust' is unknown; supported: c"),
        ((*BOARD, "--flash-limit", "much"), "--flash-limit much: not a size; give bytes, or KiB as in 256K"),
        ((*BOARD, "--flash-limit", "1M", "--winograd", "f2"), "--flash-limit 1M: only --winograd auto chooses by size"),
        ((*BOARD, "--flash-limit", "16K"), "bytes at the least"),
        ((*BOARD, "--direct", "tflm"), "--direct tflm: 'tflm' is unknown; supported: own, cmsis-nn"),
        ((*BOARD, "--recipe", "r.json"), "r.json: recipe cannot be read: No such file or directory"),
        ((), "Missing option '--board'. See: wvv compile --help"),
        ((*BOARD, "--bord", "x"), "No such option: --bord"),
    ],
)
def test_bad_options_of_compile(tmp_path: Path, arguments: tuple[str, ...], fault: str):
    assert fault in wvv("compile", "digits", "-o", tmp_path / "out.tar", *arguments).line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("compile", "nowhere.tflite", "-o", "out.tar", *BOARD), "nowhere.tflite: no such file"),
        (("compile", ".", "-o", "out.tar", *BOARD), ".: is a folder"),
        (("compile", "digits", "-o", "none/out.tar", *BOARD), "none/out.tar: the folder none does not exist"),
        (("compile", "digits", "-o", ".", *BOARD), "is a folder, need the name of a file"),
        (("eval", "digits", *BOARD, "--data", "nowhere"), "no data set 'nowhere'"),
        (("eval", "digits", *BOARD, "--data", "digits", "--limit", "0"), "--limit"),
        (("eval", "digits", "--board", "mps2-an368", "--data", "digits"), "did you mean 'mps2-an386'?"),
        (("profile", "digits", "--board", "reference"), "board 'reference' has no firmware to profile"),
        (("explain", "digits", "--board", "mps2"), "no board 'mps2'"),
        (("run", "digits", *BOARD, "--input", "none.npy"), "none.npy: no such file"),
        (("compil",), "No such command 'compil'"),
    ],
)
def test_bad_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], fault: str):
    if arguments[0] == "run":
        require_tool("arm-none-eabi-gcc")
    monkeypatch.chdir(tmp_path)
    assert fault in wvv(*arguments).line
    assert list(tmp_path.iterdir()) == []


def test_an_input_that_does_not_fit_writes_nothing(tmp_path: Path):
    np.save(tmp_path / "x.npy", np.zeros((2, 16, 15, 1), np.int8))
    line = wvv("run", "digits", "--board", "x86", "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy").line
    assert "input image: got int8 of shape (2, 16, 15, 1), need int8 of shape (1, 16, 16, 1)" in line
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


@pytest.mark.parametrize("damage", ["cut", "changed", "foreign"])
def test_a_damaged_archive_is_refused(tmp_path: Path, damage: str):
    whole = tmp_path / "whole.tar"
    assert wvv("compile", "digits", "-o", whole, *BOARD).status == 0
    data = whole.read_bytes()
    bad = tmp_path / "bad.tar"
    middle = data.index(b"tvmgen_digits_run")
    changed = data[:middle] + b"x" + data[middle + 1 :]
    bad.write_bytes({"cut": data[: len(data) // 2], "changed": changed, "foreign": b"no archive"}[damage])
    assert "bad.tar" in wvv("profile", bad, *BOARD).line


def test_options_come_too_late_for_an_archive(tmp_path: Path):
    archive = tmp_path / "d.tar"
    assert wvv("compile", "digits", "-o", archive, *BOARD).status == 0
    assert "too late for --winograd" in wvv("explain", archive, *BOARD, "--winograd", "off").line
    assert "is compiled already" in wvv("compile", archive, "-o", tmp_path / "again.tar", *BOARD).line


def test_a_failed_compile_leaves_the_old_archive_whole(tmp_path: Path):
    archive = tmp_path / "out.tar"
    archive.write_bytes(b"from yesterday")
    (tmp_path / "bad.tflite").write_bytes(b"")
    assert "empty" in wvv("compile", tmp_path / "bad.tflite", "-o", archive, *BOARD).line
    assert archive.read_bytes() == b"from yesterday"


def test_a_network_too_large_for_the_ram_names_bytes_and_peak(tmp_path: Path):
    board = small_board(tmp_path, ram=0x7000)
    line = wvv("compile", "digits", "-o", tmp_path / "out.tar", "--board", board).line
    assert line.startswith("tiny-m4: arena needs ")
    assert "ram holds 28 KiB" in line
    assert " bytes short; peak is at block" in line
    assert not (tmp_path / "out.tar").exists()
    assert wvv("profile", "digits", "--board", board).line == line


def test_a_network_too_large_for_a_real_part_names_bytes_and_peak(tmp_path: Path):
    (tmp_path / "wide.tflite").write_bytes(convolution("int8", "int8", shape=(1, 97, 95, 9), outputs=5))
    for winograd in ("off", "f2"):
        options = ("--board", "netduinoplus2", "--winograd", winograd)
        line = wvv("compile", tmp_path / "wide.tflite", "-o", tmp_path / "out.tar", *options).line
        found = re.fullmatch(
            r"netduinoplus2: arena needs \d+ KiB \(and inputs, outputs and stack (\d+) KiB\), ram holds 128 KiB: "
            r"(\d+) bytes short; peak is at conv/out \(.*\); take a board with more RAM or a smaller network",
            line,
        )
        assert found, line
        # Input and output alone lack so much; beside them a stack and scratch are needed.
        ports = 97 * 95 * (9 + 5)
        assert int(found[2]) >= ports + 0x2000 - 128 * 1024 > 0
    assert not (tmp_path / "out.tar").exists()
    done = wvv("compile", tmp_path / "wide.tflite", "-o", tmp_path / "out.tar", "--board", "mps3-an547")
    assert done.status == 0, done.err


def test_a_network_too_large_for_the_flash_names_bytes_and_layer(tmp_path: Path):
    board = small_board(tmp_path, code=0x8000)
    line = wvv("compile", "digits", "-o", tmp_path / "out.tar", "--board", board, "--winograd", "f4").line
    assert line.startswith("tiny-m4: weights need ")
    assert "flash holds 32 KiB" in line
    assert " bytes short; the largest are those of block2/conv2 (f4:exact, 73 KiB)" in line
    smallest = wvv("compile", "digits", "-o", tmp_path / "out.tar", "--board", board).line
    assert " bytes short; the largest are those of block2/conv2 (direct, 19 KiB); take a board with more" in smallest
    assert not (tmp_path / "out.tar").exists()


@pytest.mark.parametrize("missing", ["arm-none-eabi-gcc", "qemu-system-arm"])
def test_a_missing_program_is_named_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
):
    others = {"arm-none-eabi-gcc", "arm-none-eabi-size", "arm-none-eabi-nm", "qemu-system-arm"} - {missing}
    found = {name: require_tool(name) for name in sorted(others)}
    (tmp_path / "bin").mkdir()
    for name, path in found.items():
        (tmp_path / "bin" / name).symlink_to(path)
    np.save(tmp_path / "x.npy", np.zeros((16, 16, 1), np.int8))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    output = tmp_path / "y.npy"
    line = wvv("run", "digits", *BOARD, "--input", tmp_path / "x.npy", "--output", output).line
    assert line.startswith(f"{missing}: not found; install it with: apt-get install")
    assert not output.exists()


def test_with_an_empty_path_doctor_names_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = wvv("doctor")
    assert done.status == 1
    assert "apt-get install --no-install-recommends qemu-system-arm" in done.out
    assert done.out.count("MISSING") >= 3
