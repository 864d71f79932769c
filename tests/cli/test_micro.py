"""`wvv micro` as a user types it: from an archive to outputs, on QEMU, on this host, and over gdb and a UART."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import cache, wvv
from conftest import require_tool
from small_board import small_board
from waiting_qemu import waiting_qemu

from tvm_wvv.micro.toolchain import HOST_CC

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    path = tmp_path_factory.mktemp("archive") / "digits.tar"
    assert wvv("compile", "digits", "-o", path, "--board", "mps2-an386").status == 0
    return path


@pytest.fixture(scope="module")
def firmware(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare-metal project on the archive's own board."""
    folder = tmp_path_factory.mktemp("projects") / "firmware"
    made = wvv("micro", "create", folder, archive)
    assert made.status == 0, made.err
    assert made.out.splitlines()[0].startswith(f"wrote {folder}: digits for mps2-an386, template baremetal, ")
    assert made.out.splitlines()[1] == f"next: wvv micro run {folder}"
    return folder


def expected(folder: Path) -> str:
    return hashlib.sha256((folder / "check" / "expected.bin").read_bytes()).hexdigest()


def test_three_commands_lead_from_a_model_to_a_number(firmware: Path) -> None:
    for tool in ("make", "arm-none-eabi-gcc", "qemu-system-arm"):
        require_tool(tool)
    found = wvv("micro", "run", firmware, "--json").value
    assert list(found) == ["board", "template", "where", "outputs", "instructions", "serial", "identical"]
    assert (found["board"], found["template"], found["where"]) == ("mps2-an386", "baremetal", "mps2-an386")
    assert (found["identical"], found["serial"]) == (True, None)
    assert found["outputs"]["probabilities"] == {"shape": [2, 1, 10], "dtype": "int8", "sha256": expected(firmware)}
    shown = wvv("micro", "run", firmware)
    assert "output bytes of the project's 2 examples: as expected" in shown.out
    assert f"instructions for one inference: {found['instructions']:,}" in shown.out


def test_a_project_counts_what_wvv_run_counts(firmware: Path, archive: Path, tmp_path: Path) -> None:
    for tool in ("make", "arm-none-eabi-gcc", "qemu-system-arm"):
        require_tool(tool)
    images = np.random.default_rng(3).integers(-128, 128, (3, 16, 16, 1)).astype(np.int8)
    np.save(tmp_path / "x.npy", images)
    places = ("--input", tmp_path / "x.npy", "--json", "--output")
    by_run = wvv("run", archive, "--board", "mps2-an386", *places, tmp_path / "a.npy").value
    by_project = wvv("micro", "run", firmware, *places, tmp_path / "b.npy").value
    assert by_project["outputs"] == by_run["outputs"]
    assert by_project["instructions"] == by_run["instructions"]
    assert by_project["identical"] is None
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    assert np.load(tmp_path / "b.npy").shape == (3, 10)


def test_a_library_runs_on_this_host(archive: Path, tmp_path: Path) -> None:
    require_tool("cmake")
    require_tool(HOST_CC)
    folder = tmp_path / "lib"
    assert wvv("micro", "create", folder, archive, "--template", "library").status == 0
    found = wvv("micro", "run", folder, "--json").value
    assert (found["where"], found["identical"], found["instructions"]) == ("this host", True, None)
    assert found["outputs"]["probabilities"]["sha256"] == expected(folder)
    assert wvv("micro", "flash", folder).line == f"{folder}: is a library, and no firmware to flash; link it into yours"


def test_flash_by_gdb_then_results_over_the_uart(firmware: Path, tmp_path: Path) -> None:
    for tool in ("make", "arm-none-eabi-gcc"):
        require_tool(tool)
    with waiting_qemu("mps2-an386", tmp_path) as qemu:
        flashed = wvv("micro", "flash", firmware, "--runner", "gdb", "--gdb-server", qemu.gdb)
        assert flashed.out == "flashed mps2-an386 by gdb\n", flashed.err
        found = wvv("micro", "run", firmware, "--port", qemu.uart, "--json").value
        assert (found["identical"], found["where"]) == (True, f"mps2-an386 at {qemu.uart}")
        assert found["serial"]["clock"] == "CMSDK timer, 25000000 Hz"
        assert 0 < found["serial"]["stack_bytes"] < 16 * 1024


def test_a_device_with_other_firmware_is_told_apart(firmware: Path, tmp_path: Path) -> None:
    for tool in ("make", "arm-none-eabi-gcc"):
        require_tool(tool)
    with waiting_qemu("mps2-an386", tmp_path) as qemu:
        assert wvv("micro", "flash", firmware, "--gdb-server", qemu.gdb).status == 0
        other = tmp_path / "other"
        other.mkdir()
        fields = json.loads((firmware / "project.json").read_text())
        (other / "project.json").write_text(json.dumps({**fields, "firmware": "0" * 16}))
        for part in ("boards", "check"):
            (other / part).symlink_to(firmware / part)
        line = wvv("micro", "run", other, "--port", qemu.uart).line
        assert f"holds firmware {fields['firmware']}, need {'0' * 16}; flash this project" in line


def test_a_qemu_board_needs_no_flashing(firmware: Path) -> None:
    require_tool("arm-none-eabi-gcc")
    done = wvv("micro", "flash", firmware)
    assert done.out == f"mps2-an386: QEMU takes the image when it is started: wvv micro run {firmware}\n"


def test_sources_that_were_changed_show(firmware: Path, archive: Path, tmp_path: Path) -> None:
    require_tool("cmake")
    folder = tmp_path / "lib"
    assert wvv("micro", "create", folder, archive, "--template", "library").status == 0
    source = folder / "model" / "digits_weights.c"
    # The first bias of the first layer.
    changed, times = re.subn(r"(= \{\s*)-?\d+", r"\g<1>2000000", source.read_text(), count=1)
    assert times == 1
    source.write_text(changed)
    assert "differs from check/expected.bin" in wvv("micro", "run", folder).line


def test_an_image_that_does_not_fit_is_refused_before_it_is_built(archive: Path, tmp_path: Path) -> None:
    require_tool("arm-none-eabi-gcc")
    # Enough for the weights and a little code: what is missing shows in the image alone.
    board = small_board(tmp_path, code=0x46000)
    line = wvv("micro", "create", tmp_path / "p", archive, "--board", board).line
    assert "tiny-m4: code needs " in line
    assert not (tmp_path / "p").exists()


def test_what_cannot_be_made_is_refused_and_nothing_is_written(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    model = tmp_path / "m.tflite"
    model.write_bytes(b"")
    lines = {
        ("create", folder, archive, "--board", "mps2"): "no board 'mps2'",
        ("create", folder, archive, "--template", "mbed"): "--template mbed: unknown",
        ("create", folder, archive, "--board", "netduinoplus2", "--template", "zephyr"): "names no zephyr board",
        ("create", folder, tmp_path / "none.tar"): "no such file",
        ("create", folder, "digits"): "is no archive; compile it first: wvv compile digits -o OUT.tar",
        ("create", folder, archive, "--board", "x86"): "is this host and has no firmware",
        ("build", tmp_path): "holds no project.json",
        ("run", folder): "holds no project.json",
    }
    for arguments, line in lines.items():
        assert line in wvv("micro", *arguments).line, arguments
    assert [path.name for path in tmp_path.iterdir()] == ["m.tflite"]


def test_a_project_is_replaced_only_by_force(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    assert wvv("micro", "create", folder, archive).status == 0
    before = (folder / "project.json").read_bytes()
    assert "replace it with --force" in wvv("micro", "create", folder, archive).line
    assert wvv("micro", "create", folder, archive, "--force").status == 0
    assert (folder / "project.json").read_bytes() == before


def test_a_real_board_runs_behind_its_port(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    assert wvv("micro", "create", folder, archive, "--board", "nucleo-l4r5zi").status == 0
    assert "nucleo-l4r5zi: runs behind a serial port; flash it (wvv micro flash" in wvv("micro", "run", folder).line
    nowhere = wvv("micro", "run", folder, "--port", "socket://localhost:1").line
    assert nowhere.startswith("socket://localhost:1: cannot be reached")


def test_the_commands_explain_themselves() -> None:
    for name in ("create", "build", "flash", "run"):
        said = wvv("micro", name, "--help")
        assert said.status == 0
        assert f"wvv micro {name}" in said.out
    assert all(name in wvv("micro", "--help").out for name in ("create", "build", "flash", "run"))
