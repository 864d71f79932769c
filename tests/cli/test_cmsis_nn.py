"""`--direct cmsis-nn` and `--against cmsis-nn`: same bytes, which layers go where, counts, and what is refused."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from command_line import cache, wvv
from conftest import require_data, require_library, require_tool

from tvm_wvv.micro import cmsis_nn_copy
from tvm_wvv.micro.cmsis_nn_copy import VARIABLE, find_copy

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]

M4 = ("--board", "mps2-an386")
CORES = ("mps2-an385", "mps2-an386", "mps3-an547")
LIBRARY = ("--direct", "cmsis-nn")


@pytest.fixture(autouse=True)
def _tools(request: pytest.FixtureRequest):
    """Tests that say so in their name run firmware, of which the library is a part."""
    if "on_qemu" in request.node.name:
        require_tool("arm-none-eabi-gcc")
        require_tool("qemu-system-arm")
        require_library()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    require_library()
    path = tmp_path_factory.mktemp("archive") / "digits.tar"
    assert wvv("compile", "digits", "-o", path, *M4, *LIBRARY).status == 0
    return path


@pytest.mark.parametrize("board", CORES)
def test_digits_is_the_references_on_qemu(board: str):
    options = ("--board", board, "--winograd", "off", *LIBRARY, "--data", "digits", "--limit", "20", "--json")
    value = wvv("eval", "digits", *options).value
    assert (value["n"], value["identical"]) == (20, 1.0)


@pytest.mark.parametrize("board", CORES)
def test_resnet8_is_the_references_on_qemu(board: str):
    model = require_data("models/pretrainedResnet_quant.tflite")
    data = require_data("cifar10_test_lossless_subset.parquet")
    options = ("--board", board, "--winograd", "off", *LIBRARY, "--data", data, "--limit", "8", "--json")
    value = wvv("eval", model, *options).value
    assert (value["n"], value["identical"]) == (8, 1.0)


def test_explain_says_which_layers_go_where_on_qemu():
    options = (*M4, "--winograd", "off", "--layer", "block1/conv1=f2", *LIBRARY)
    layers = {one["name"]: one for one in wvv("explain", "digits", *options, "--json").value["layers"]}
    name = f"CMSIS-NN {find_copy(None).version}"
    for direct in ("stem/conv", "block2/shortcut", "pool", "logits"):
        assert (layers[direct]["algorithm"], layers[direct]["backend"]) == ("direct", name)
        assert layers[direct]["backend_reason"] is None
    # What Winograd computes is ours, and a reshape is nobody's.
    assert (layers["block1/conv1"]["algorithm"], layers["block1/conv1"]["backend"]) == ("f2:exact", "own")
    assert (layers["pool/vector"]["backend"], layers["pool/vector"]["backend_reason"]) == ("own", None)
    lacks_add = "arm_elementwise_add_s8" not in find_copy(None).functions
    expected = ("own", "this copy of CMSIS-NN has no arm_elementwise_add_s8") if lacks_add else (name, None)
    assert (layers["block1/add"]["backend"], layers["block1/add"]["backend_reason"]) == expected
    assert layers["block1/conv2"]["workspace_bytes"] >= 2 * 9 * 16 * 2, "im2col of two columns in 16 bits"


def test_profile_against_the_library_on_qemu():
    value = wvv("profile", "digits", *M4, "--against", "cmsis-nn", "--json").value
    against = value["against"]
    assert list(against) == ["name", "version", "layers", "totals"]
    assert (against["name"], against["version"]) == ("cmsis-nn", find_copy(None).version)
    assert [one["name"] for one in against["layers"]] == [one["name"] for one in value["layers"]]
    assert [sorted(one) for one in against["layers"]] == [["backend", "instructions", "name"]] * len(value["layers"])
    counts = {one["name"]: one["instructions"] for one in against["layers"]}
    # 16x16 with 32 channels takes CMSIS-NN 4 to 7 between 1.9 and 2.2 instructions a multiply-accumulate on an M4.
    conv = next(one for one in value["layers"] if one["name"] == "block2/conv2")
    assert 1.9 * conv["macs"] < counts["block2/conv2"] < 2.2 * conv["macs"]
    assert abs(sum(counts.values()) - against["totals"]["instructions"]) <= 20 + 4 * len(counts)
    # The network itself is counted as without the comparison.
    alone = wvv("profile", "digits", *M4, "--json").value
    assert "against" not in alone
    assert alone["totals"] == value["totals"]


def test_the_table_names_the_version_and_the_layers_that_are_ours_on_qemu():
    out = wvv("profile", "digits", *M4, "--against", "cmsis-nn").out
    assert f"cmsis-nn {find_copy(None).version}" in out
    assert "against the same network without Winograd" in out
    assert "our kernel" in out
    assert f"CMSIS-NN {find_copy(None).version}" in wvv("explain", "digits", *M4, *LIBRARY).out


def test_an_archive_holds_the_library_on_qemu(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert wvv("compile", "digits", "-o", tmp_path / "again.tar", *M4, *LIBRARY).status == 0
    assert (tmp_path / "again.tar").read_bytes() == archive.read_bytes()
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert any("third_party/cmsis_nn/LICENSE" in name for name in names)
    assert any(name.endswith("arm_convolve_wrapper_s8.c") for name in names)
    monkeypatch.setattr(cmsis_nn_copy, "_PACKAGE", "no_such_package_of_anyone")
    monkeypatch.delenv(VARIABLE, raising=False)
    value = wvv("eval", archive, *M4, "--data", "digits", "--limit", "5", "--json").value
    assert (value["n"], value["identical"]) == (5, 1.0)


@pytest.mark.parametrize("board", ["mps3-an547", "x86"])
def test_an_archive_with_the_library_runs_on_its_own_board_only_on_qemu(archive: Path, board: str):
    line = wvv("eval", archive, "--board", board, "--data", "digits", "--limit", "1").line
    assert "with scratch sized for mps2-an386; name that board, or the .tflite" in line


def test_without_the_library_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(cmsis_nn_copy, "_PACKAGE", "no_such_package_of_anyone")
    for command in (
        ("compile", "digits", "-o", tmp_path / "out.tar", *M4, *LIBRARY),
        ("profile", "digits", *M4, "--against", "cmsis-nn"),
    ):
        line = wvv(*command).line
        assert line.startswith("CMSIS-NN: no copy found; pip install bakenn==1.0.0 brings version 4.0.0; or clone ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("explain", "digits", *M4, *LIBRARY, "--cmsis-nn", "{folder}"), "--cmsis-nn {folder}: holds no Include"),
        (("explain", "digits", "--board", "x86", *LIBRARY), "CMSIS-NN runs on Cortex-M"),
        (("eval", "digits", "--board", "x86", *LIBRARY, "--data", "digits"), "CMSIS-NN runs on Cortex-M"),
        (("profile", "digits", *M4, "--against", "tflm"), "--against tflm: 'tflm' is unknown; supported: cmsis-nn"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, arguments: tuple[str, ...], fault: str):
    named = [str(one).format(folder=tmp_path) for one in arguments]
    assert fault.format(folder=tmp_path) in wvv(*named).line


def test_a_compiled_model_cannot_be_set_against_on_qemu(archive: Path):
    assert "too late for --against cmsis-nn" in wvv("profile", archive, *M4, "--against", "cmsis-nn").line
