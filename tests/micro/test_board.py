"""Board files: what is read is what is written, and each mistake is named with its file and key."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from conftest import require_tool

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import KNOWN, Cpu, Region, Run, Timer, board_names, load_board, read_board
from tvm_wvv.micro.board_wiring import Placement, Project, Uart
from tvm_wvv.resources import boards_dir, deploy_dir


def test_every_fact_of_the_m4_board():
    board = load_board("mps2-an386")
    assert board.cpu == Cpu(
        "cortex-m4",
        25_000_000,
        ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
        ("dsp", "fpu"),
    )
    assert board.memory == (Region("code", 0, 1 << 22), Region("ram", 0x2000_0000, 1 << 22))
    assert board.run == Run("qemu", "mps2-an386", 60, "none")
    assert board.timer == Timer("cmsdk", 0x4000_0000, 25_000_000, 6)
    assert board.timer.ticks_per_instruction == Fraction(8, 5)
    assert board.stack_bytes == 0x4000


def test_every_fact_of_a_board_with_two_memories():
    board = load_board("nucleo-h743zi")
    assert [(one.name, one.origin, one.length >> 10) for one in board.memory] == [
        ("code", 0x0800_0000, 2048), ("ram", 0x2000_0000, 128), ("axi", 0x2400_0000, 512), ("itcm", 0, 64)
    ]  # fmt: skip
    assert board.placement == Placement(arena="axi", weights="code")
    assert board.uart == Uart("stm32_v2", 0x4000_4800, 64_000_000, 115200)
    assert board.project.zephyr == "nucleo_h743zi"
    assert board.run == Run("openocd", "board/st_nucleo_h743zi.cfg", 60, "dwt")
    assert board.timer is None


def test_every_fact_of_the_board_with_a_real_parts_memory():
    board = load_board("netduinoplus2")
    assert board.memory == (Region("code", 0x0800_0000, 1 << 20), Region("ram", 0x2000_0000, 128 << 10))
    assert board.timer == Timer("systick", 0xE000_E010, 21_000_000, 7)
    assert board.timer.ticks_per_instruction == Fraction(336, 125)
    assert (board.cpu.clock_hz, board.stack_bytes) == (168_000_000, 0x2000)


@pytest.mark.parametrize(
    ("name", "core", "features", "rate"),
    [
        ("mps2-an385", "cortex-m3", (), Fraction(8, 5)),
        ("mps2-an386", "cortex-m4", ("dsp", "fpu"), Fraction(8, 5)),
        ("mps2-an500", "cortex-m7", ("dsp", "fpu"), Fraction(8, 5)),
        ("mps2-an505", "cortex-m33", ("dsp", "fpu"), Fraction(32, 25)),
        ("mps3-an547", "cortex-m55", ("dsp", "fpu", "mve"), Fraction(512, 125)),
    ],
)
def test_core_and_rate_of_each_mps_board(name, core, features, rate):
    board = load_board(name)
    assert board.timer is not None
    assert (board.cpu.core, board.cpu.features, board.timer.ticks_per_instruction) == (core, features, rate)


CORES = {
    "cortex-m3": {"__ARM_ARCH": "7"},
    "cortex-m4": {"__ARM_ARCH": "7", "__ARM_FEATURE_DSP": "1", "__ARM_FP": "4"},
    "cortex-m7": {"__ARM_ARCH": "7", "__ARM_FEATURE_DSP": "1", "__ARM_FP": "14"},
    "cortex-m33": {"__ARM_ARCH": "8", "__ARM_FEATURE_DSP": "1", "__ARM_FP": "4"},
    "cortex-m55": {"__ARM_ARCH": "8", "__ARM_FEATURE_DSP": "1", "__ARM_FP": "14", "__ARM_FEATURE_MVE": "3"},
}


UNLIKE_CORE = {"nucleo-f746zg": {"__ARM_FP": "4"}}  # its M7 has single precision only


@pytest.mark.parametrize("name", board_names())
def test_the_flags_give_the_compiler_what_the_features_say(name):
    compiler, board = require_tool("arm-none-eabi-gcc"), load_board(name)
    said = subprocess.run(
        [compiler, *board.cpu.flags, "-dM", "-E", "-x", "c", "/dev/null"], capture_output=True, text=True, check=True
    ).stdout
    macros = dict(line.split(" ", 2)[1:] for line in said.splitlines())
    names = ("__ARM_ARCH", "__ARM_FEATURE_DSP", "__ARM_FP", "__ARM_FEATURE_MVE")
    assert {key: macros[key] for key in names if key in macros} == {
        **CORES[board.cpu.core],
        **UNLIKE_CORE.get(name, {}),
    }
    of_macro = {"__ARM_FEATURE_DSP": "dsp", "__ARM_FP": "fpu", "__ARM_FEATURE_MVE": "mve"}
    assert set(board.cpu.features) == {feature for key, feature in of_macro.items() if key in macros}


def test_all_boards_can_be_read_and_bring_their_files():
    assert {"mps2-an386", "mps2-an500"} <= set(board_names())
    for name in board_names():
        board = load_board(name)
        assert (board.name, board.folder) == (name, boards_dir() / name)
        assert {"board.toml", "link.ld", "startup.c"} <= {file.name for file in board.folder.iterdir()}


def test_device_sources_are_found():
    assert (deploy_dir() / "runtime" / "include" / "wvv_model.h").is_file()


def test_known_ends_with_this_host():
    assert (*board_names(), "x86") == KNOWN


@pytest.mark.parametrize(("name", "hint"), [("mps2_an386", "mps2-an386"), ("mps2-an50", "mps2-an505"), ("x68", "x86")])
def test_an_unknown_board_gets_a_suggestion(name, hint):
    with pytest.raises(WvvError) as caught:
        load_board(name)
    assert str(caught.value) == f"no board '{name}'; did you mean '{hint}'? (known: {', '.join(KNOWN)})"


def test_a_name_like_no_other_gets_the_list_only():
    with pytest.raises(WvvError) as caught:
        load_board("zzz")
    assert str(caught.value) == f"no board 'zzz' (known: {', '.join(KNOWN)})"


def test_the_host_is_no_board_with_firmware():
    with pytest.raises(WvvError, match=r"^board 'x86' is this host and has no firmware; choose one of mps2-an385,"):
        load_board("x86")


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """A board `foo` that differs from the M4 board in one place."""
    text = (boards_dir() / "mps2-an386" / "board.toml").read_text().replace('name    = "mps2-an386"', 'name = "foo"')
    assert old in text, f"{old!r} is no longer in the board file"
    folder = tmp_path / "boards" / "foo"
    folder.mkdir(parents=True)
    (folder / "board.toml").write_text(text.replace(old, new, 1))
    return folder


MISTAKES = [
    ("ram  = { origin = 0x2000_0000, length = 0x0040_0000 }", "ram = { origin = 0x2000_0000, length = 0 }",
     "memory.ram: length 0x0 is not positive"),
    ("origin = 0x2000_0000", "origin = 0x003f_fff8",
     "memory.code: overlaps ram: 0x0..0x400000 and 0x3ffff8..0x7ffff8"),
    ("origin = 0x2000_0000", "origin = 0xffff_0000", "memory.ram: ends at 0x1003f0000, beyond 32-bit addresses"),
    ("origin = 0x2000_0000", "origin = 0x2000_0004",
     "memory.ram: origin 0x20000004 and length 0x400000 must be multiples of 8"),
    ("ram  =", "rom  =", "memory.ram: missing; need a table"),
    ("ram  =", "a-b = { origin = 0, length = 8 }\nram  =",
     "memory.a-b: is no name that a linker script can hold; use letters, digits and _"),
    ("length = 0x0040_0000 }", "length = 0x0040_0000, width = 3 }",
     "memory.code.width: unknown key (known here: length, origin)"),
    ('core     = "cortex-m4"', "", "cpu.core: missing; need a text"),
    ('core     = "cortex-m4"', 'core = "cortex-m3"',
     "cpu.flags: -mcpu=cortex-m3 is not among them, and cpu.core is 'cortex-m3'"),
    ("25_000_000 ", "-1", "cpu.clock_hz: -1 is negative"),
    ("25_000_000 ", "0", "cpu.clock_hz: 0 is not positive"),
    ("25_000_000 ", "true", "cpu.clock_hz: True is not an integer"),
    ("25_000_000 ", "2.5", "cpu.clock_hz: 2.5 is not an integer"),
    ('"-mthumb"', "7", "cpu.flags: 7 is not a text"),
    ('["dsp", "fpu"]', '["dps"]', "cpu.features: 'dps' is none of dsp, fpu, mve"),
    ("0x4000  ", "0x4001  ",
     "firmware.stack_bytes: 0x4001 must be a multiple of 8 below memory.ram's length 0x400000"),
    ("0x4000  ", "0x400000  ",
     "firmware.stack_bytes: 0x400000 must be a multiple of 8 below memory.ram's length 0x400000"),
    ('runner    = "qemu"', 'runner = "qmeu"', "run.runner: 'qmeu' is none of qemu, gdb, pyocd, openocd"),
    ('kind     = "cmsdk"', 'kind = "pl012"',
     "uart.kind: 'pl012' is none of cmsdk, stm32_v1, stm32_v2, stm32_lpuart, nrf_uarte, pl011"),
    ('kind     = "cmsdk"', 'kind = "cmsdk"\nbaud = 2_000_000',
     "uart.baud: 2000000 needs a clock of 32000000 Hz, and clock_hz is 25000000"),
    ('kind     = "cmsdk"', 'kind = "cmsdk"\nparity = 1',
     "uart.parity: unknown key (known here: base, baud, clock_hz, kind)"),
    ("zephyr =", "zepyhr =", "project.zepyhr: unknown key (known here: arduino, zephyr)"),
    ("[project]", '[placement]\narena = "dtcm"\n[project]', "placement.arena: 'dtcm' is none of code, ram"),
    ("[project]", '[placement]\nweight = "ram"\n[project]',
     "placement.weight: unknown key (known here: arena, weights)"),
    ('machine   = "mps2-an386"', 'machine = ""', "run.machine: is empty"),
    ("icount_shift = 6", "icount_shift = 5", "timer.icount_shift: gives 4/5 ticks an instruction, need at least 1"),
    ("[run]", "[colour]\n[run]", "colour: unknown key (known here: cpu, firmware, memory, name, placement, project, "
     "run, summary, timer, uart)"),
    ('name = "foo"', 'name = "bar"', "name: 'bar' differs from the folder's name 'foo'"),
    ("[run]", "[run", "not a TOML file: "),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "problem"), MISTAKES)
def test_a_mistake_is_named_with_file_and_key(tmp_path, old, new, problem):
    with pytest.raises(WvvError) as caught:
        read_board(changed(tmp_path, old, new))
    assert str(caught.value).startswith(f"boards/foo/board.toml: {problem}")
    assert "\n" not in str(caught.value)


def test_a_board_outside_of_the_package_is_named_by_its_path(tmp_path):
    folder = changed(tmp_path, "timeout_s = 60", "timeout_s = 7")
    assert load_board(str(folder)).run.timeout_s == 7
    with pytest.raises(WvvError, match=r"^boards/nowhere/board.toml: cannot be read: No such file or directory$"):
        load_board(str(folder.parent / "nowhere"))


def test_more_memories_and_no_timer_are_allowed(tmp_path):
    folder = changed(tmp_path, "ram  =", "itcm = { origin = 0x1000_0000, length = 0x100 }\nram  =")
    text = (folder / "board.toml").read_text()
    (folder / "board.toml").write_text(text[: text.index("[timer]")])
    board = read_board(folder)
    assert (board.timer, board.uart, board.project, board.placement) == (None, None, Project(), Placement())
    assert [region.name for region in board.memory] == ["code", "itcm", "ram"]
