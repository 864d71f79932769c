"""The wheel, installed where no checkout is: it carries boards, device sources and a network, and compiles it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, require_tool

PURELIB = Path(sysconfig.get_path("purelib"))


def _run(*command: str | Path, cwd: Path) -> str:
    """The command's stdout; it sees neither this checkout nor this interpreter's settings."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "WVV_", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as `pip wheel` builds it, with the build back end that is installed (so that no network is needed)."""
    pytest.importorskip("hatchling")
    out = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", out, ROOT, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root of a new virtual environment in which only `tvm_wvv` is installed."""
    root = tmp_path_factory.mktemp("elsewhere") / "env"
    venv.create(root, with_pip=False)
    python = root / "bin" / "python"
    # The target is named by its interpreter; `--no-index` proves that nothing is taken from anywhere else.
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    _run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=root)
    # The dependencies come from the running environment, after the new one's own folder. The .pth files there are
    # not read (only `site` reads them), so an editable install of this checkout is not found through it.
    purelib = Path(_run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=root).strip())
    (purelib / "dependencies.pth").write_text(f"{PURELIB}\n", encoding="utf-8")
    return root


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A folder with nothing in it, to run commands from."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_wheel_brings_one_package_and_its_metadata(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"tvm_wvv"}
    assert {"tvm_wvv/_data/boards/mps2-an386/board.toml", "tvm_wvv/_data/boards/mps2-an386/link.ld"} <= set(names)
    assert "tvm_wvv/_data/deploy/runtime/include/wvv_model.h" in names
    assert "tvm_wvv/models/digits.tflite" in names


def test_wheel_carries_every_board_and_device_source_of_the_checkout(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        [require_tool("git"), "ls-files", "-co", "--exclude-standard", "boards", "deploy"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert tracked
    assert {f"tvm_wvv/_data/{name}" for name in tracked} - names == set()


def test_package_is_imported_from_the_new_environment(site: Path, empty: Path) -> None:
    where = Path(_run(site / "bin" / "python", "-c", "import tvm_wvv; print(tvm_wvv.__file__)", cwd=empty).strip())
    assert where.is_relative_to(site)
    assert sorted(p.name for p in where.parent.parent.iterdir() if p.is_dir() and "dist-info" not in p.name) == [
        "tvm_wvv"
    ]


def test_boards_are_found_without_a_checkout(site: Path, empty: Path) -> None:
    listed = json.loads(_run(site / "bin" / "wvv", "boards", "--json", cwd=empty))
    assert "mps2-an386" in json.dumps(listed)


def test_packaged_network_compiles_without_a_checkout(site: Path, empty: Path) -> None:
    _run(site / "bin" / "wvv", "compile", "digits", "-o", "out.tar", "--board", "mps2-an386", cwd=empty)
    with tarfile.open(empty / "out.tar") as archive:
        names = {Path(name).as_posix().removeprefix("./") for name in archive.getnames()}
    assert "metadata.json" in names
    assert any(name.endswith(".c") for name in names)
    assert any(name.endswith(".h") for name in names)
    assert [p.name for p in empty.iterdir()] == ["out.tar"]


def test_packaged_network_runs_on_the_board_without_a_checkout(site: Path, empty: Path) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    command = ["eval", "digits", "--board", "mps2-an386", "--data", "digits", "--limit", "4", "--json"]
    figures = json.loads(_run(site / "bin" / "wvv", *command, cwd=empty))
    assert (figures["n"], figures["identical"]) == (4, 1.0)
