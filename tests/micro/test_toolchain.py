"""Commands are compared whole; builds are compared byte for byte; what cannot be built says why in one line."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import require_tool
from firmware_models import model

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import Board, Region, load_board
from tvm_wvv.micro.elf_sizes import elf_sizes, read_symbols, symbol_at
from tvm_wvv.micro.process import CommandError
from tvm_wvv.micro.toolchain import (
    build_firmware,
    build_host,
    compile_commands,
    host_compile_commands,
    link_command,
    memory_script,
)
from tvm_wvv.resources import deploy_dir

BOARD = load_board("mps2-an386")
RUNTIME = deploy_dir() / "runtime"
COMMON = [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-strict-aliasing",
    "-fno-tree-reassoc",
    "-ffp-contract=off",
]
PLACES = [
    "-ffile-prefix-map=/b=.",
    f"-ffile-prefix-map={deploy_dir()}=deploy",
    "-I/b/src",
    f"-I{RUNTIME}/include",
    f"-I{RUNTIME}",
]


def with_ram(length: int) -> Board:
    return replace(BOARD, memory=(Region("code", 0, 0x1000), Region("ram", 0x2000_0000, length)))


@pytest.mark.parametrize("profile", [False, True])
def test_compile_command_is_exactly_this(profile):
    cpu = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]
    marks = ["-DWVV_PROFILE"] if profile else []
    timer = ["-DWVV_CPU_HZ=25000000u", "-DWVV_TIMER_BASE=0x40000000u", "-DWVV_TIMER_HZ=25000000u"]
    uart = ["-DWVV_UART_BASE=0x40004000u", "-DWVV_UART_HZ=25000000u", "-DWVV_UART_BAUD=115200u"]
    start = ["arm-none-eabi-gcc", *cpu, "-Os", *COMMON, *timer, *uart, *marks, *PLACES]
    sources = [Path("/x/a.c"), Path("/y/a.c")]
    assert compile_commands(BOARD, sources, Path("/b"), optimize="-Os", profile=profile) == [
        [*start, "-c", f"/{folder}/a.c", "-o", f"/b/obj/{folder}_a.o"] for folder in ("x", "y")
    ]


def test_host_compile_command_is_exactly_this():
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
    source = ["-c", "/x/a.c", "-o", "/b/obj/x_a.o"]
    assert host_compile_commands([Path("/x/a.c")], Path("/b"), sanitize=True) == [
        ["cc", "-O1", "-g", *sanitizers, *COMMON, *PLACES, *source]
    ]
    assert host_compile_commands([Path("/x/a.c")], Path("/b"), sanitize=False) == [
        ["cc", "-O2", *COMMON, *PLACES, *source]
    ]


def test_link_command_is_exactly_this():
    assert link_command(BOARD, [Path("/b/obj/a.o")], Path("/b"), Path("/b/f.elf")) == [
        *("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
        *("-nostartfiles", "-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,--fatal-warnings"),
        *("-L/b", f"-L{RUNTIME}", "-T", str(BOARD.folder / "link.ld")),
        *("/b/obj/a.o", "-o", "/b/f.elf"),
    ]


def test_memory_script_is_exactly_this():
    assert memory_script(BOARD) == (
        "MEMORY\n{\n"
        "  code : ORIGIN = 0x00000000, LENGTH = 0x400000\n"
        "  ram : ORIGIN = 0x20000000, LENGTH = 0x400000\n"
        "}\n"
        'REGION_ALIAS("wvv_arena", ram)\nREGION_ALIAS("wvv_weights", code)\n'
        "wvv_stack_bytes = 0x4000;\n"
    )


def test_the_same_text_gives_the_same_bytes_in_any_folder(tmp_path):
    require_tool("arm-none-eabi-gcc")
    elves = [build_firmware(model(), BOARD, tmp_path / folder) for folder in ("one", "another/deeper")]
    digests = {hashlib.sha256(elf.read_bytes()).hexdigest() for elf in elves}
    assert len(digests) == 1


def test_a_second_build_forgets_the_first(tmp_path):
    require_tool("arm-none-eabi-gcc")
    build_firmware(
        model() | {"stale.c": "int stale_value(void);\nint stale_value(void) { return 1; }\n"}, BOARD, tmp_path
    )
    build_firmware(model(), BOARD, tmp_path)
    assert not (tmp_path / "src" / "stale.c").exists()
    with pytest.raises(CommandError):
        build_firmware({"wvv_model.c": "#error no model\n"}, BOARD, tmp_path)
    assert not (tmp_path / "firmware.elf").exists()


def test_a_warning_in_generated_code_is_our_bug(tmp_path):
    require_tool("arm-none-eabi-gcc")
    with pytest.raises(CommandError, match="unused variable 'left_over'"):
        build_firmware(model("int left_over; return 0;"), BOARD, tmp_path)


def test_a_heap_does_not_link(tmp_path):
    require_tool("arm-none-eabi-gcc")
    helpers = "#include <stdlib.h>\nvoid *volatile kept;"
    with pytest.raises(CommandError, match="undefined reference to `_sbrk'"):
        build_firmware(model("kept = malloc(4); return 0;", helpers=helpers), BOARD, tmp_path)


@pytest.mark.parametrize(("extra", "missing"), [(0, None), (8, 8), (24, 24)])
def test_an_image_that_does_not_fit_tells_the_missing_bytes(tmp_path, extra, missing):
    require_tool("arm-none-eabi-gcc")
    helpers = "__attribute__((aligned(8))) int8_t volatile big[0x1000];"
    files = model("big[9] = input[0]; return 0;", helpers=helpers)
    sizes = elf_sizes(build_firmware(files, BOARD, tmp_path))
    # The stack comes first in RAM and is a multiple of 8, so nothing is lost between the sections.
    length = sizes.stack_bytes + sizes.ram_bytes - extra
    board = with_ram(length)
    if missing is None:
        assert elf_sizes(build_firmware(files, board, tmp_path)) == sizes
        return
    with pytest.raises(WvvError) as caught:
        build_firmware(files, board, tmp_path)
    assert str(caught.value) == (
        f"mps2-an386: firmware is {missing} bytes too large for ram, which holds {length}; "
        "take a smaller model or a larger board"
    )
    assert not (tmp_path / "firmware.elf").exists()


def test_sizes_by_section_and_by_symbol(tmp_path):
    require_tool("arm-none-eabi-gcc")
    helpers = """
static int8_t arena[1000];
extern const int8_t filter[77];
__attribute__((section(".rodata.wvv_weights"))) const int8_t filter[77] = {1, -128};
extern const int16_t table[50];
const int16_t table[50] = {2, 3};
static int32_t changed[3] = {1, 2, 3};"""
    body = """
  arena[input[0] & 511] = filter[input[1] & 63];
  changed[input[2] & 1] += table[input[3] & 31];
  output[0] = (int8_t)(arena[input[4] & 511] + changed[input[0] & 1]);
  return 0;"""
    elf = build_firmware(model(body, helpers=helpers), BOARD, tmp_path)
    sizes = elf_sizes(elf)
    assert (sizes.arena_bytes, sizes.weight_bytes, sizes.data_bytes, sizes.stack_bytes) == (1000, 77, 12, 0x4000)
    assert 100 <= sizes.rodata_bytes < 100 + 400
    assert 1000 <= sizes.bss_bytes < 1000 + 1024
    assert sizes.flash_bytes == sizes.text_bytes + sizes.rodata_bytes + 77 + 12
    assert sizes.ram_bytes == sizes.bss_bytes + 12
    run = next(symbol for symbol in read_symbols(elf) if symbol.name == "tvmgen_t_run")
    assert symbol_at(elf, run.address + 2) == "tvmgen_t_run"
    assert symbol_at(elf, 0xFFFF_0000) is None


def test_a_missing_compiler_names_its_package(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    apt = "not found; install it with: apt-get install --no-install-recommends"
    arm = "gcc-arm-none-eabi libnewlib-arm-none-eabi binutils-arm-none-eabi"
    with pytest.raises(WvvError, match=f"^cc: {apt} gcc libc6-dev$"):
        build_host(model(), tmp_path / "h", sanitize=False)
    with pytest.raises(WvvError, match=f"^arm-none-eabi-gcc: {apt} {arm}$"):
        build_firmware(model(), BOARD, tmp_path / "b")


def test_a_compiler_without_its_library_names_the_package(tmp_path, monkeypatch):
    fake = tmp_path / "arm-none-eabi-gcc"
    fake.write_text("#!/bin/sh\necho 'x.c:1: fatal error: string.h: No such file or directory' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path(str(shutil.which('sh'))).parent}")
    with pytest.raises(WvvError, match=r"^arm-none-eabi-gcc: has no C library; install it with: .*libnewlib"):
        build_firmware(model(), BOARD, tmp_path / "b")
