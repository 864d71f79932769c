"""Each tool's command is compared whole, gdb's is run against QEMU's own server, and failures say what to do."""

from __future__ import annotations

import importlib.util
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import require_tool
from firmware_models import examples, model, reversed_plus
from waiting_qemu import free_port, waiting_qemu

from tvm_wvv.errors import WvvError
from tvm_wvv.micro import flash as flash_module
from tvm_wvv.micro.board import Board, load_board
from tvm_wvv.micro.flash import default_desk, flash, flash_step
from tvm_wvv.micro.flash_step import Desk, FlashStep
from tvm_wvv.micro.process import TimedOutError
from tvm_wvv.micro.runner_gdb import gdb_step
from tvm_wvv.micro.toolchain import build_firmware

ELF = Path("/p/my firmware.elf")
OPENOCD, PYOCD, QEMU = (load_board(name) for name in ("nucleo-l4r5zi", "nano-33-ble", "mps2-an386"))


def test_the_gdb_command_is_exactly_this():
    step = gdb_step(ELF, Desk(gdb_server="host:1234"))
    assert step.command == ("gdb-multiarch", "--nx", "--batch", "-x", "flash.gdb", "/p/my firmware.elf")
    assert step.files == {
        "flash.gdb": "set confirm off\nset pagination off\nset tcp connect-timeout 5\n"
        "target extended-remote host:1234\nload\ncompare-sections\nset $sp = (unsigned) &wvv_stack_top\n"
        "set $xpsr = 0x01000000\nset $pc = (unsigned) &wvv_reset\ndetach\n"
    }


@pytest.mark.parametrize("probe", [None, "066D"])
def test_the_pyocd_command_is_exactly_this(probe):
    chosen = ("--uid", "066D") if probe else ()
    assert flash_step(PYOCD, ELF, "pyocd", Desk(probe=probe)).command == (
        *(sys.executable, "-m", "pyocd", "load", "--no-wait", "--target", "nrf52840"),
        *(*chosen, "--format", "elf", "/p/my firmware.elf"),
    )


@pytest.mark.parametrize("probe", [None, "066D"])
def test_the_openocd_command_is_exactly_this(probe):
    chosen = ("-c", "adapter serial 066D") if probe else ()
    assert flash_step(OPENOCD, ELF, "openocd", Desk(probe=probe)).command == (
        *("openocd", "-f", "board/st_nucleo_l4.cfg", *chosen),
        *("-c", "program {/p/my firmware.elf} verify reset exit"),
    )


def test_another_tool_takes_another_name_of_the_board():
    step = flash_step(OPENOCD, ELF, "pyocd", Desk(machine="stm32l4r5zitx"))
    assert step.command[5:7] == ("--target", "stm32l4r5zitx")
    with pytest.raises(WvvError, match=r"nucleo-l4r5zi: its board.toml does not say what pyocd calls it .*--machine"):
        flash_step(OPENOCD, ELF, "pyocd", Desk())
    with pytest.raises(WvvError, match=r"runner 'qemu' flashes nothing; choose one of gdb, pyocd, openocd"):
        flash_step(QEMU, ELF, "qemu", Desk())


def test_a_board_with_the_runner_gdb_names_its_server():
    board = replace(QEMU, run=replace(QEMU.run, runner="gdb", machine="lab:4444"))
    assert default_desk(board).gdb_server == "lab:4444"
    assert default_desk(QEMU).gdb_server == "localhost:3333"


@pytest.mark.parametrize(
    ("board", "runner", "said", "advice"),
    [
        (QEMU, "gdb", "localhost:3333: Connection timed out.", "no gdb server answers at localhost:3333; start one"),
        (QEMU, "gdb", "Section .text, range 0x40 -- 0x8dc: MIS-MATCHED!", "memory differs from the image"),
        (PYOCD, "pyocd", "No connected debug probes", "no debug probe found; plug the board in"),
        (PYOCD, "pyocd", "Target type nrf52840 not recognized. Use 'pyocd", "pyocd pack install nrf52840"),
        (OPENOCD, "openocd", "Error: Can't find board/st_nucleo_l4.cfg", "OpenOCD has no board/st_nucleo_l4.cfg"),
        (OPENOCD, "openocd", "Error: open failed\nin procedure 'program'", "no debug probe found; plug the board in"),
    ],
)
def test_what_tools_say_becomes_what_to_do(board: Board, runner, said, advice):
    explained = flash_step(board, ELF, runner, Desk()).explain(said)
    assert explained is not None
    assert advice in explained
    assert flash_step(board, ELF, runner, Desk()).explain("something new") is None


@pytest.fixture
def elf(tmp_path) -> Path:
    path = tmp_path / "f.elf"
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize(
    ("runner", "line"),
    [
        ("gdb", "gdb-multiarch: not found; install it with: apt-get install --no-install-recommends gdb-multiarch"),
        ("openocd", "openocd: not found; install it with: apt-get install --no-install-recommends openocd"),
        ("pyocd", "pyocd: not found; install it with: pip install 'tvm_wvv[flash]'"),
    ],
)
def test_a_missing_tool_comes_with_how_to_get_it(runner, line, elf, monkeypatch):
    monkeypatch.setenv("PATH", str(elf.parent))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(WvvError) as caught:
        flash(QEMU, elf, runner, Desk(machine="m"))
    assert str(caught.value) == line


def test_an_image_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(WvvError, match=r"none.elf: no such image; build it first"):
        flash(QEMU, tmp_path / "none.elf", "gdb", Desk())


def test_a_tool_that_hangs_is_ended(elf, monkeypatch):
    step = FlashStep((require_tool("sleep"), "60"), lambda _said: None)
    monkeypatch.setattr(flash_module, "flash_step", lambda *_facts: step)
    start = time.monotonic()
    with pytest.raises(TimedOutError, match=r"mps2-an386: gdb did not end within 0.3 s, so it was stopped"):
        flash(QEMU, elf, "gdb", Desk(timeout_s=0.3))
    assert time.monotonic() - start < 30


def test_a_tool_that_fails_has_the_last_word(elf, monkeypatch):
    step = FlashStep((require_tool("sh"), "-c", "echo one; echo 'two: why' >&2; exit 3"), lambda _said: None)
    monkeypatch.setattr(flash_module, "flash_step", lambda *_facts: step)
    with pytest.raises(WvvError, match=r"mps2-an386: openocd: two: why$"):
        flash(QEMU, elf, "openocd", Desk())


def test_a_gdb_server_that_is_silent_ends_in_an_error(elf):
    require_tool("gdb-multiarch")
    with socket.socket() as silent:
        silent.bind(("localhost", 0))
        silent.listen()
        desk = Desk(gdb_server=f"localhost:{silent.getsockname()[1]}", timeout_s=2)
        with pytest.raises(WvvError, match=r"mps2-an386: gdb"):
            flash(QEMU, elf, "gdb", desk)


@pytest.mark.parametrize("name", ["mps2-an386", "netduinoplus2", "mps3-an547"])
def test_gdb_loads_a_waiting_board_and_lets_it_run(name, tmp_path):
    require_tool("arm-none-eabi-gcc")
    board = load_board(name)
    image = build_firmware(model(), board, tmp_path / "b")
    data = examples(3)
    (tmp_path / "input.bin").write_bytes(data.tobytes())
    with waiting_qemu(board.run.machine, tmp_path) as qemu:
        flash(board, image, "gdb", Desk(gdb_server=qemu.gdb))
        assert qemu.process.wait(timeout=30) == 0
    assert (tmp_path / "output.bin").read_bytes() == reversed_plus(data)
    assert data.dtype == np.int8


def test_gdb_without_a_server_says_how_to_start_one(tmp_path, monkeypatch):
    require_tool("gdb-multiarch")
    monkeypatch.setattr("tvm_wvv.micro.runner_gdb._CONNECT_S", 1)
    (tmp_path / "f.elf").write_bytes(b"")
    port = free_port()
    with pytest.raises(WvvError, match=rf"no gdb server answers at localhost:{port}; .*-gdb tcp::{port}\) or name it"):
        flash(QEMU, tmp_path / "f.elf", "gdb", Desk(gdb_server=f"localhost:{port}"))
