"""`wvv compile`, `run`, `eval`, `explain` and `profile` with `--board x86`: what is written, printed and refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import cache, wvv
from conftest import require_tool
from x86_libraries import foreign_cpu

from tvm_wvv.micro import x86_profile

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]

X86 = ("--board", "x86")
FILES = ["README.md", "digits.tflite", "example.c", "libwvv_digits.so", "metadata.json", "tvmgen_digits.h"]
SPEED_KEYS = {"microseconds", "share", "gmac_per_s", "peak_share"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    require_tool("cc")
    path = tmp_path_factory.mktemp("compiled") / "digits_x86"
    value = wvv("compile", "digits", "-o", path, *X86, "--json").value
    assert sorted(value["files"]) == FILES
    assert value["output"] == str(path)
    return path


@pytest.mark.parametrize("form", ["folder", "file"])
def test_a_library_runs_like_its_model(folder: Path, tmp_path: Path, form: str) -> None:
    named = folder if form == "folder" else folder / "libwvv_digits.so"
    np.save(tmp_path / "x.npy", np.random.default_rng(2).integers(-128, 128, (3, 16, 16, 1)).astype(np.int8))
    of_library, of_model = (
        wvv("run", one, *X86, "--input", tmp_path / "x.npy", "--json").value for one in (named, "digits")
    )
    assert of_library == of_model
    value = wvv("eval", named, *X86, "--data", "digits", "--limit", "20", "--json").value
    assert (value["n"], value["agreement"], value["identical"]) == (20, 1.0, 1.0)


def test_a_library_without_its_model_knows_no_reference(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "libwvv_digits.so", tmp_path)
    library = tmp_path / "libwvv_digits.so"
    for other in (None, b"another model"):
        if other is not None:
            (tmp_path / "digits.tflite").write_bytes(other)
        value = wvv("eval", library, *X86, "--data", "digits", "--limit", "5", "--json").value
        assert (value["n"], value["agreement"], value["identical"]) == (5, None, None)
    assert "holds no model" in wvv("eval", library, "--board", "reference", "--data", "digits").line


def test_report_and_metadata_name_the_cpu(folder: Path, tmp_path: Path) -> None:
    value = wvv("compile", "digits", "-o", tmp_path / "v3", *X86, "--mcpu", "x86-64-v3", "--json").value
    metadata = json.loads((tmp_path / "v3" / "metadata.json").read_text())
    for facts in (value, metadata):
        assert (facts["mcpu"], facts["vectors"]) == ("x86-64-v3", "avx2")
        assert "avx2" in facts["features"]
        assert "avx512f" not in facts["features"]
    assert metadata["options"]["mcpu"] == "x86-64-v3"
    assert json.loads((folder / "metadata.json").read_text())["mcpu"] != "native"
    assert "for x86-64-v3: the code uses avx2 kernels" in (tmp_path / "v3" / "README.md").read_text()
    # What is named is what was chosen, and why: estimates of cycles, of a chosen form and of a direct one.
    layers = {layer["name"]: layer for layer in wvv("explain", tmp_path / "v3", *X86, "--json").value["layers"]}
    assert layers["block3/conv1"]["algorithm"] == "f4:exact"
    assert "cycles, " in layers["block3/conv1"]["reason"]
    assert layers == {layer["name"]: layer for layer in value["layers"]}
    model = wvv("explain", "digits", *X86, "--mcpu", "x86-64-v3", "--json").value["layers"]
    assert [one["reason"] for one in model] == [one["reason"] for one in layers.values()]


def test_a_form_that_was_asked_for_needs_no_estimate(tmp_path: Path) -> None:
    layers = wvv("explain", "digits", *X86, "--winograd", "f2", "--json").value["layers"]
    assert {layer["reason"] for layer in layers if layer["algorithm"] == "f2:exact"} == {None}


def test_only_a_library_is_replaced(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "old").write_text("of an older version")
    out = wvv("compile", "digits", "-o", other, *X86, "--mcpu", "x86-64-v3").out
    assert "made for x86-64-v3 with avx2 kernels; needs " in out
    assert " cycles, " in out
    assert sorted(path.name for path in other.iterdir()) == FILES
    (other / "metadata.json").write_text("{}")
    assert "holds something else than a library of wvv compile" in wvv("compile", "digits", "-o", other, *X86).line
    assert (other / "metadata.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("-o", "out.so"), "out.so: board 'x86' gives a folder with a library in it; leave out .so"),
        (("-o", "."), ".: is the current folder"),
        (("-o", "none/out"), "none/out: the folder none does not exist"),
        (("-o", "out", "--mcpu", "pentium9000"), "--mcpu pentium9000: LLVM knows no such x86 CPU"),
        (("-o", "out", "--flash-limit", "300K"), "--flash-limit: is for boards; x86 has no flash"),
        (("-o", "out", "--direct", "cmsis-nn"), "--direct cmsis-nn: CMSIS-NN runs on Cortex-M"),
    ],
)
def test_what_cannot_be_compiled_leaves_nothing(
    arguments: tuple[str, ...], fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_tool("cc")
    monkeypatch.chdir(tmp_path)
    assert fault in wvv("compile", "digits", *arguments, *X86).line
    assert list(tmp_path.iterdir()) == []


def test_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-cc -m64")
    assert (
        "no-such-cc: no such C compiler, which links the library; CC names it"
        in wvv("compile", "digits", "-o", tmp_path / "out", *X86).line
    )
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", str(tmp_path))
    line = wvv("compile", "digits", "-o", tmp_path / "out", *X86).line
    assert "cc: no such C compiler" in line
    assert "apt-get install" in line
    assert list(tmp_path.iterdir()) == []


def test_what_is_compiled_takes_no_options_and_no_other_board(folder: Path, tmp_path: Path) -> None:
    library = folder / "libwvv_digits.so"
    cases = {
        ("eval", folder, *X86, "--data", "digits", "--winograd", "f2"): "is compiled already, too late for --winograd",
        ("compile", folder, "-o", tmp_path / "out", *X86): "is compiled already; name a .tflite",
        ("profile", folder, *X86): "is compiled already; name a .tflite",
        ("compare", folder, *X86, "--data", "digits"): "is compiled already",
        ("eval", folder, "--board", "mps2-an386", "--data", "digits"): "is compiled for x86 and holds nothing else",
        ("explain", library, "--board", "mps2-an386"): "is compiled for x86 and holds nothing else",
        ("eval", tmp_path, *X86, "--data", "digits"): "is a folder, need a .tflite file, what wvv compile made",
    }
    for arguments, fault in cases.items():
        assert fault in wvv(*arguments).line


def test_a_library_for_another_cpu_is_refused(tmp_path: Path) -> None:
    require_tool("cc")
    out = tmp_path / "out"
    assert wvv("compile", "digits", "-o", out, *X86, "--mcpu", foreign_cpu()).status == 0
    assert f"made for {foreign_cpu()}, and this CPU has no " in wvv("eval", out, *X86, "--data", "digits").line
    # What only reads it works.
    assert wvv("inspect", out, "--json").value["mcpu"] == foreign_cpu()
    assert len(wvv("explain", out, *X86, "--json").value["layers"]) == 15


def test_inspect_shows_what_a_library_says(folder: Path) -> None:
    library = folder / "libwvv_digits.so"
    value, metadata = wvv("inspect", folder, "--json").value, json.loads((folder / "metadata.json").read_text())
    assert value == {**metadata, "files": {library.name: library.stat().st_size}}
    out = wvv("inspect", library).out
    assert f"made for {metadata['mcpu']} with {metadata['vectors']} kernels" in out
    assert "block3/conv1" in out


def test_profile_has_times_and_shares_of_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    require_tool("cc")
    monkeypatch.setattr(x86_profile, "_BUDGET_NS", 10**8)
    value = wvv("profile", "digits", *X86, "--mcpu", "x86-64", "--json").value
    layers, totals, peak = value["layers"], value["totals"], value["peak"]
    assert (value["board"], value["model"], value["mcpu"], value["vectors"]) == ("x86", "digits", "x86-64", "sse2")
    assert value["runs"] >= 1
    assert peak["bytes_gmac_per_s"] > 0
    assert peak["int16_gmac_per_s"] > 0
    assert {layer["algorithm"] for layer in layers} == {"direct", "f4:exact"}
    for layer in layers:
        assert set(layer) >= SPEED_KEYS
        assert layer["instructions"] is None
        if layer["macs"]:
            assert layer["gmac_per_s"] == pytest.approx(layer["macs"] / layer["microseconds"] / 1e3)
            rate = peak["bytes_gmac_per_s" if layer["algorithm"] == "direct" else "int16_gmac_per_s"]
            best = layer["multiplications"] / rate / 1e3
            assert layer["peak_share"] == pytest.approx(best / layer["microseconds"])
        else:
            assert (layer["gmac_per_s"], layer["peak_share"]) == (None, None)
    assert sum(layer["share"] for layer in layers) == pytest.approx(1)
    assert totals["gmac_per_s"] == pytest.approx(sum(one["macs"] for one in layers) / totals["microseconds"] / 1e3)
    assert (totals["instructions"], totals["flash_bytes"]) == (None, None)
    assert totals["workspace_bytes"] == max(layer["workspace_bytes"] for layer in layers)
    assert "of peak" in wvv("profile", "digits", *X86, "--mcpu", "x86-64").out


def test_profile_refuses_what_only_firmware_has() -> None:
    line = wvv("profile", "digits", *X86, "--against", "cmsis-nn").line
    assert line == "--against cmsis-nn: is for boards; x86 has times of layers alone"
    assert "--top 5: is for boards" in wvv("profile", "digits", *X86, "--top", "5").line


def test_compile_for_a_board_prints_json_too(tmp_path: Path) -> None:
    value = wvv("compile", "digits", "-o", tmp_path / "d.tar", "--board", "mps2-an386", "--json").value
    assert (value["board"], value["model"], value["output"]) == ("mps2-an386", "digits", str(tmp_path / "d.tar"))
    assert value["totals"]["weight_bytes"] == sum(layer["weight_bytes"] for layer in value["layers"])
