"""Boards of real parts, which no test can run: built with a real network, each image must be what its part boots from.

The sizes are stated here a second time, from the makers' product pages, so that a slip in a board file shows.
"""

from __future__ import annotations

import functools
import re
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import cache
from conftest import require_tool

from tvm_wvv.micro.board import Board, board_names, load_board, read_board
from tvm_wvv.micro.elf_sizes import read_symbols
from tvm_wvv.micro.firmware_cache import firmware
from tvm_wvv.micro.network import Network
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.session import open_session
from tvm_wvv.passes.options import Options
from tvm_wvv.resources import boards_dir

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]

# Flash and all RAM that the firmware may use, in KiB; where the part starts; what the boot loader keeps.
PARTS = {
    "nucleo-l4r5zi": (2048, 640, 0x0800_0000, 0),
    "nucleo-f746zg": (1024, 320 + 16, 0x0800_0000, 0),
    "nucleo-h743zi": (2048, 128 + 512 + 64, 0x0800_0000, 0),
    "stm32f4-discovery": (1024, 128 + 64, 0x0800_0000, 0),
    "nucleo-u575zi": (2048, 768, 0x0800_0000, 0),
    "nrf5340dk": (1024, 512, 0x0000_0000, 0),
    "nano-33-ble": (1024, 256, 0x0001_0000, 64),
    "rpi-pico2": (4096, 520, 0x1000_0000, 0),
}
QEMU = tuple(name for name in board_names() if load_board(name).run.runner == "qemu")


@functools.cache
def network(name: str) -> Network:
    return open_session("digits", Options()).network(load_board(name))


def build(name: str) -> tuple[Board, Path]:
    require_tool("arm-none-eabi-gcc")
    board = load_board(name)
    return board, firmware(network(name).files, board, profile=False)


def sections(elf: Path) -> dict[str, tuple[int, int, int]]:
    """Size, address and load address of each section, as objdump sees them."""
    text = subprocess.run(["arm-none-eabi-objdump", "-h", elf], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^\s*\d+ (\.\S+)\s+([0-9a-f]{8})\s+([0-9a-f]{8})\s+([0-9a-f]{8})", text, re.MULTILINE)
    return {name: (int(size, 16), int(at, 16), int(load, 16)) for name, size, at, load in rows}


def words(elf: Path, tmp_path: Path, count: int) -> tuple[int, ...]:
    """The first words of the image as a programmer writes it to flash."""
    image = tmp_path / "image.bin"
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", elf, image], check=True)
    return struct.unpack(f"<{count}I", image.read_bytes()[: 4 * count])


def test_every_board_is_run_here_or_is_a_part_of_this_table():
    assert set(board_names()) == {*QEMU, *PARTS}


@pytest.mark.parametrize("name", PARTS)
def test_memories_are_those_of_the_part(name):
    flash, ram, start, boot_loader = PARTS[name]
    board = load_board(name)
    code = board.region("code")
    assert (code.origin, code.length >> 10) == (start, flash - boot_loader)
    assert sum(one.length for one in board.memory if one.name != "code") == ram << 10
    assert board.run.timing == "dwt" and board.uart is not None and board.project.zephyr is not None


@pytest.mark.parametrize("name", PARTS)
def test_the_image_starts_where_the_part_does(name, tmp_path):
    board, elf = build(name)
    addresses = {symbol.name: symbol.address for symbol in read_symbols(elf)}
    stack_top, reset, fault = words(elf, tmp_path, 3)
    ram = board.region("ram")
    # The stack is the lowest thing in RAM, whole doublewords; bit 0 of an address stands for Thumb code.
    assert stack_top == ram.origin + board.stack_bytes
    assert (reset, fault) == (addresses["wvv_reset"] | 1, addresses["wvv_fault"] | 1)
    assert addresses["wvv_vectors"] == board.region("code").origin
    header = subprocess.run(["arm-none-eabi-readelf", "-h", elf], capture_output=True, text=True, check=True).stdout
    entry = re.search(r"Entry point address:\s+(0x[0-9a-f]+)", header)
    assert entry is not None and int(entry[1], 16) == reset


@pytest.mark.parametrize("name", PARTS)
def test_sections_lie_in_the_memories_of_the_board(name):
    board, elf = build(name)
    found = sections(elf)
    places = {".vectors": "code", ".text": "code", ".rodata": "code", ".weights": board.placement.weights,
              ".stack": "ram", ".bss": "ram", ".arena": board.placement.arena}  # fmt: skip
    for section, name_of_region in places.items():
        size, address, _ = found[section]
        region = board.region(name_of_region)
        assert size > 0
        assert region.origin <= address and address + size <= region.end, section


def test_the_boot_rom_of_the_rp2350_finds_its_block(tmp_path):
    _, elf = build("rpi-pico2")
    first = words(elf, tmp_path, 1024)
    start = first.index(0xFFFFDED3)
    # RP2350 data sheet 5.9.5.1, the five words of the least image definition for Arm; all in the first 4 KiB.
    assert first[start : start + 5] == (0xFFFFDED3, 0x10210142, 0x000001FF, 0, 0xAB123579)


def test_the_arena_lies_in_the_memory_that_the_board_names():
    _, elf = build("nucleo-h743zi")
    addresses = {symbol.name: symbol.address for symbol in read_symbols(elf)}
    assert addresses["arena"] == 0x2400_0000
    assert 0x2000_0000 <= addresses["input_0"] < 0x2002_0000


def test_the_image_of_the_discovery_board_runs_on_qemus_stm32f4():
    """QEMU's Netduino Plus 2 has the same core, flash and SRAM; it answers clock and pin registers with 0."""
    require_tool("qemu-system-arm")
    board, elf = build("stm32f4-discovery")
    reference = load_board("mps2-an386")
    examples = bytes(range(256)) * 3
    there = run_firmware(replace(board, run=load_board("netduinoplus2").run), elf, examples, 10)
    here = run_firmware(reference, firmware(network("mps2-an386").files, reference, profile=False), examples, 10)
    assert there.outputs == here.outputs
    assert len(there.outputs) == 30


def test_weights_and_arena_go_where_a_changed_board_says(tmp_path):
    require_tool("arm-none-eabi-gcc")
    folder = tmp_path / "boards" / "two-flashes"
    shutil.copytree(boards_dir() / "nucleo-h743zi", folder)
    text = (folder / "board.toml").read_text().replace('"nucleo-h743zi"\nsummary', '"two-flashes"\nsummary')
    text = text.replace("[memory]", "[memory]\nqspi = { origin = 0x9000_0000, length = 0x0100_0000 }", 1)
    (folder / "board.toml").write_text(text.replace('arena = "axi"', 'arena = "itcm"\nweights = "qspi"'))
    board = read_board(folder)
    elf = firmware(network("nucleo-h743zi").files, board, profile=False)
    found = sections(elf)
    assert found[".weights"][1:] == (0x9000_0000, 0x9000_0000)
    assert found[".arena"][1] == 0
    assert {symbol.name: symbol.address for symbol in read_symbols(elf)}["arena"] == 0
    # Weights are the same bytes as ever, and nothing else moved with them.
    assert found[".weights"][0] == sections(build("nucleo-h743zi")[1])[".weights"][0]
    assert found[".rodata"][1] < 0x0820_0000
