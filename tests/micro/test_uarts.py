"""Drivers that QEMU cannot run: compiled for every board that has them, and tried on registers in plain memory."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import require_tool
from firmware_models import INPUT_BYTES, model

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.board import board_names, load_board
from tvm_wvv.micro.elf_sizes import read_symbols
from tvm_wvv.micro.serial_model import with_serial
from tvm_wvv.micro.toolchain import build_firmware, consoles, runtime_sources, timer_kind
from tvm_wvv.resources import deploy_dir

TENSOR = TensorInfo("x", (INPUT_BYTES,), "int8", None)
WITH_UART = [name for name in board_names() if load_board(name).uart]


@pytest.mark.parametrize("name", WITH_UART)
def test_serial_firmware_links_for_every_board(tmp_path, name):
    require_tool("arm-none-eabi-gcc")
    board = load_board(name)
    files = with_serial(model(), board, "t", (TENSOR,), (TENSOR,))
    elf = build_firmware(files, board, tmp_path, console="serial")
    names = {symbol.name for symbol in read_symbols(elf)}
    assert {"wvv_uart_get", "wvv_uart_put", "wvv_serial_feed", "wvv_timer_ticks"} <= names
    # Without a debugger a call of it would be a fault.
    assert "call_host" not in names and "wvv_open" not in names


def test_a_board_without_uart_has_no_serial_firmware():
    board = replace(load_board("mps2-an386"), uart=None)
    assert consoles(board) == ("semihosting",)
    with pytest.raises(WvvError, match=r"^mps2-an386: its board\.toml has no table \[uart\]"):
        runtime_sources(board, "serial")


# The driver's registers are this memory; what is written is printed, register by register.
REGISTERS = """
#include <stdio.h>
#include <stdint.h>
static uint32_t registers[1024];
#define WVV_UART_BASE ((uintptr_t)registers)
#include "%(driver)s"
int main(void) {
  uint8_t byte = 0;
  wvv_uart_open();
  for (uint32_t i = 0; i < 1024; ++i) { if (registers[i] != 0) { printf("%%x=%%x ", 4 * i, registers[i]); } }
  printf("| %%d ", wvv_uart_get(&byte));
  registers[%(status)#x / 4] = %(received)#x;
  registers[%(data)#x / 4] = 0x1a5;
  printf("%%d ", wvv_uart_get(&byte));
  printf("%%x ", byte);
  registers[%(status)#x / 4] = %(may_send)#x;
  wvv_uart_put(0xc3);
  printf("%%x\\n", registers[%(out)#x / 4]);
  return 0;
}
"""


def driven(folder: Path, driver: str, hertz: int, **places: int) -> tuple[dict[int, int], list[str]]:
    require_tool("cc")
    source = folder / "main.c"
    source.write_text(REGISTERS % {"driver": driver, **places}, encoding="ascii")
    runtime = deploy_dir() / "runtime"
    facts = [f"-DWVV_UART_HZ={hertz}u", "-DWVV_UART_BAUD=115200u", f"-I{runtime}", f"-I{runtime / 'include'}"]
    subprocess.run(["cc", "-std=c11", "-Wall", "-Werror", *facts, str(source), "-o", str(folder / "m")], check=True)
    written, rest = subprocess.run([folder / "m"], capture_output=True, text=True, timeout=10).stdout.split("|")
    pairs = (pair.split("=") for pair in written.split())
    return {int(place, 16): int(value, 16) for place, value in pairs}, rest.split()


GIVEN = ["0", "1", "a5", "c3"]  # nothing, then a byte, which it was, then the byte that was sent


def test_stm32_v1(tmp_path):
    places = {"status": 0, "received": 0x20, "may_send": 0x80, "data": 4, "out": 4}
    written, seen = driven(tmp_path, "uart_stm32_v1.c", 84_000_000, **places)
    assert (written, seen) == ({0x08: 729, 0x0C: 0x200C}, GIVEN)  # 84 MHz / 115200 = 729.17


def test_stm32_v2(tmp_path):
    places = {"status": 0x1C, "received": 0x20, "may_send": 0x80, "data": 0x24, "out": 0x28}
    written, seen = driven(tmp_path, "uart_stm32_v2.c", 16_000_000, **places)
    assert (written, seen) == ({0x00: 0x0D, 0x0C: 139}, GIVEN)  # 138.89


def test_stm32_lpuart(tmp_path):
    places = {"status": 0x1C, "received": 0x20, "may_send": 0x80, "data": 0x24, "out": 0x28}
    written, seen = driven(tmp_path, "uart_stm32_lpuart.c", 16_000_000, **places)
    assert (written, seen) == ({0x00: 0x0D, 0x0C: 35556}, GIVEN)  # 35555.56


def test_pl011(tmp_path):
    places = {"status": 0x18, "received": 0, "may_send": 0, "data": 0, "out": 0}
    # Its flag says that nothing came, so that a register of zeros has a byte at once.
    source = REGISTERS.replace('printf("| %%d ", wvv', 'registers[6] = 0x10; printf("| %%d ", wvv')
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "REGISTERS", source)
        written, seen = driven(tmp_path, "uart_pl011.c", 12_000_000, **places)
    # 12 MHz / 16 / 115200 = 6.5104: 6 and 33 of 64.
    assert (written, seen) == ({0x24: 6, 0x28: 33, 0x2C: 0x70, 0x30: 0x301}, GIVEN)


def test_cmsdk(tmp_path):
    places = {"status": 4, "received": 2, "may_send": 0, "data": 0, "out": 0}
    written, seen = driven(tmp_path, "uart_cmsdk.c", 25_000_000, **places)
    assert (written, seen) == ({0x08: 3, 0x10: 217}, GIVEN)  # 217.01


def test_an_nrf_knows_three_speeds(tmp_path):
    require_tool("arm-none-eabi-gcc")
    source = deploy_dir() / "runtime" / "uart_nrf_uarte.c"
    start = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    include = f"-I{source.parent / 'include'}"

    def compiled(baud: int) -> subprocess.CompletedProcess[str]:
        facts = ["-DWVV_UART_BASE=0x40002000u", "-DWVV_UART_HZ=16000000u", f"-DWVV_UART_BAUD={baud}u"]
        return subprocess.run([*start, *facts, include, str(source)], capture_output=True, text=True)

    assert [compiled(baud).returncode for baud in (9600, 115200, 1000000)] == [0, 0, 0]
    assert "uart.baud must be 9600, 115200 or 1000000 on an nRF" in compiled(57600).stderr


# A span of so many cycles, looked at by SysTick every 2^24, as on the part.
DWT = """
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
static uint32_t core[0x4000];
#define WVV_CORE_BASE ((uintptr_t)core)
#include "timer_dwt.c"
int main(int count, char **words) {
  uint64_t left = strtoull(words[1], NULL, 10), step = 1u << 24;
  (void)count;
  core[0x1004 / 4] = 0xfffffff0u;
  wvv_timer_open();
  if ((core[0x1000 / 4] & 1u) == 0u || (core[0xedfc / 4] >> 24 & 1u) == 0u) { return 1; }
  while (left > 0u) {
    const uint32_t now = left < step ? (uint32_t)left : (uint32_t)step;
    core[0x1004 / 4] += now;
    left -= now;
    if (now == step) { wvv_tick(); }
  }
  printf("%u ", wvv_timer_ticks());
  wvv_timer_restart();
  core[0x1004 / 4] += 5u;
  printf("%u\\n", wvv_timer_ticks());
  return 0;
}
"""


@pytest.fixture(scope="module")
def dwt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_tool("cc")
    folder = tmp_path_factory.mktemp("dwt")
    (folder / "main.c").write_text(DWT, encoding="ascii")
    runtime = deploy_dir() / "runtime"
    places = [f"-I{runtime}", f"-I{runtime / 'include'}"]
    command = ["cc", "-std=gnu11", "-D__ARM_ARCH=8", *places, str(folder / "main.c"), "-o", str(folder / "m")]
    subprocess.run(command, check=True)
    return folder / "m"


FULL = 2**32 - 1


@pytest.mark.parametrize(
    ("cycles", "ticks"),
    [*((n, n) for n in (0, 15, 16, 2**31, FULL - 1)), *((n, FULL) for n in (2**32, 2**32 + 9, 2**34))],
)
def test_the_cycle_counter_goes_round_once_and_says_when_it_went_round_again(dwt, cycles, ticks):
    """The counter itself passes 0 after 16 cycles, which is no overflow of the span."""
    done = subprocess.run([dwt, str(cycles)], capture_output=True, text=True, check=True, timeout=10)
    assert done.stdout.split() == [str(ticks), "5"]


def test_the_cycle_counter_is_for_parts_that_have_it():
    assert timer_kind(load_board("nucleo-l4r5zi")) == "dwt"
    assert timer_kind(load_board("mps2-an386")) == "cmsdk"
    assert timer_kind(replace(load_board("mps2-an386"), timer=None)) == "none"
