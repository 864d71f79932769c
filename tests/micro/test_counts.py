"""Counts of QEMU's plugin against those of the board's timer, and what is told where one of the two is missing."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import require_tool
from firmware_models import examples, model

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro import counts, cycles, plugin
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.counts import Counts, count
from tvm_wvv.micro.elf_sizes import read_symbols
from tvm_wvv.micro.plugin import BlockRun, built_plugin, executed, instruction_bytes, plugin_options, read_spans
from tvm_wvv.micro.process import CommandError
from tvm_wvv.micro.runners import OnBoard
from tvm_wvv.micro.stand_in import qemu_names
from tvm_wvv.micro.toolchain import build_firmware

ROUNDS = [0, 1, 7, 100, 12345, 0]
INPUTS = (examples(1).reshape(1, 1, 5),)
MISSING = "no cycles and no functions, since QEMU's plugin cannot count here: "
# Straight code over several pages of 1 KiB, in both instruction widths, so that pages end in and between instructions.
LONG = "".join(f'"adds r0, #1\\n\\t add.w r0, r0, r1\\n\\t {odd}"' for odd in ("nop\\n\\t", "") for _ in range(300))
WALK = f'void walk(void); __attribute__((naked)) void walk(void) {{ __asm__ volatile({LONG} "bx lr"); }}'


@pytest.fixture(autouse=True)
def _tools():
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm", "cc"):
        require_tool(tool)


def marked() -> dict[str, str]:
    """Layer k burns ROUNDS[k] rounds of two instructions; the last but one walks over pages besides."""
    calls = [f"burn({rounds});" if rounds else "" for rounds in ROUNDS]
    calls[-2] += "walk();"
    body = "".join(f"{call} wvv_layer_mark({layer});\n" for layer, call in enumerate(calls))
    return model(f"wvv_layer_mark(WVV_LAYER_START);\n{body}return 0;", helpers=WALK, layers=len(ROUNDS))


def on_board(folder: Path, name: str = "mps2-an386", *, profile: bool = True) -> OnBoard:
    board, info = load_board(name), TensorInfo("x", (1, 5), "int8", None)
    return OnBoard(board, build_firmware(marked(), board, folder, profile=profile), (info,), (info,))


@pytest.mark.parametrize("profile", [True, False])
@pytest.mark.parametrize("name", qemu_names())
def test_plugin_and_timer_count_the_same_on_every_board(tmp_path, name, profile):
    runner = on_board(tmp_path, name, profile=profile)
    timed, without_timer = runner.count(INPUTS), replace(runner, board=replace(runner.board, timer=None))
    assert timed.total_instructions is not None
    for one in (runner, without_timer):
        done = count(one, INPUTS)
        assert done.notes == ()
        assert (done.instructions, done.layer_instructions) == (timed.total_instructions, timed.layer_instructions)
        assert (done.cycles is not None) == (runner.board.cpu.core == "cortex-m4")


def test_functions_add_up_to_the_whole(tmp_path):
    done = count(on_board(tmp_path, profile=False), INPUTS)
    assert sum(one.instructions for one in done.functions) == done.instructions
    assert sum(one.cycles or 0 for one in done.functions) == done.cycles
    found = {one.name: one.instructions for one in done.functions}
    assert list(found) == ["burn", "walk", "tvmgen_t_run"]
    assert (found["burn"], found["walk"]) == (sum(2 * rounds + 1 for rounds in ROUNDS if rounds), 5 * 300 + 1)


def test_cycles_of_layers_lie_within_their_range(tmp_path):
    done = count(on_board(tmp_path), INPUTS)
    assert done.layer_cycles is not None
    assert done.cycles is not None
    assert done.cycle_range is not None
    # An empty layer costs nothing; of a round the branch is taken, but for the last one.
    assert (done.layer_cycles[0], done.layer_cycles[-1]) == (0, 0)
    assert done.layer_cycles[3] - done.layer_cycles[2] == (100 - 7) * (1 + 3)
    assert done.cycle_range[0] < done.cycles < done.cycle_range[1]
    assert count(on_board(tmp_path), INPUTS) == done


def by_timer(runner: OnBoard, note: str) -> Counts:
    timed = runner.count(INPUTS)
    return Counts(
        timed.total_instructions, timed.layer_instructions, stack_bytes=timed.stack_bytes, notes=(MISSING + note,)
    )


def test_without_a_host_compiler_the_timer_counts(tmp_path, monkeypatch):
    runner = on_board(tmp_path)
    monkeypatch.setattr(plugin, "HOST_CC", "no-such-cc")
    note = "no-such-cc: not found; install it with: put no-such-cc on the PATH"
    assert count(runner, INPUTS) == by_timer(runner, note)


def test_a_qemu_that_loads_no_plugin_is_said(tmp_path, monkeypatch):
    runner = on_board(tmp_path / "b")
    (tmp_path / "no-plugin.so").write_bytes(b"no shared object")
    monkeypatch.setattr(counts, "built_plugin", lambda: tmp_path / "no-plugin.so")
    done = count(runner, INPUTS)
    assert len(done.notes) == 1
    assert "no-plugin.so" in done.notes[0]
    assert done == by_timer(runner, done.notes[0].removeprefix(MISSING))


def test_a_compiler_that_fails_is_said(tmp_path, monkeypatch):
    runner = on_board(tmp_path)
    monkeypatch.setenv("WVV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(plugin, "_FLAGS", ("-std=c11", "-no-such-flag"))
    with pytest.raises(CommandError):
        built_plugin()
    assert "-no-such-flag" in count(runner, INPUTS).notes[0]


def test_counts_that_disagree_are_not_believed(tmp_path, monkeypatch):
    runner = on_board(tmp_path)
    monkeypatch.setattr(counts, "executed", lambda span: executed(span) + len(span))
    (note,) = count(runner, INPUTS).notes
    timed = runner.count(INPUTS).total_instructions
    assert re.fullmatch(rf"{MISSING}it counts \d+ instructions, the board's timer {timed}", note)


def test_without_a_decoder_there_are_functions_and_no_cycles(tmp_path, monkeypatch):
    runner = on_board(tmp_path, profile=False)
    monkeypatch.setitem(sys.modules, "capstone", None)
    cycles._decoder.cache_clear()
    cycles.block_cost.cache_clear()
    done = count(runner, INPUTS)
    assert (done.cycles, done.layer_cycles, done.functions[0].cycles) == (None, None, None)
    assert done.functions[0].name == "burn"
    assert done.notes == ("no cycles: capstone is not installed; install it with: pip install 'tvm_wvv[profile]'",)


def test_the_plugin_is_built_once_and_named_with_the_addresses(tmp_path, monkeypatch):
    monkeypatch.setenv("WVV_CACHE", str(tmp_path / "a,b"))
    assert built_plugin() == built_plugin()
    elf = on_board(tmp_path / "build").elf
    at = {symbol.name: symbol.address for symbol in read_symbols(elf)}
    path = str(built_plugin()).replace("a,b", "a,,b")
    assert plugin_options(built_plugin(), elf) == [
        "-plugin",
        f"{path},start={at['wvv_timer_restart']:#x},stop={at['wvv_timer_ticks']:#x},skip={at['wvv_tick']:#x},"
        "out=blocks.txt",
    ]


def test_spans_by_hand():
    text = "block 40 08680868\nblock 1fe fff7fefe7047\nspan\n0 3 1\nspan\n1 2 0\n0 1 0\n"
    first, second = read_spans(text)
    load, call = bytes.fromhex("08680868"), bytes.fromhex("fff7fefe7047")
    assert first == (BlockRun(0x40, load, 3, 1),)
    assert second == (BlockRun(0x1FE, call, 2, 0), BlockRun(0x40, load, 1, 0))
    assert [len(part) for part in instruction_bytes(call)] == [4, 2]
    assert (executed(first), executed(second)) == (6, 6)


@pytest.mark.parametrize("text", ["span\n0 1 0\n", "block 40\n", "block zz 70\n", "block 40 7047\n0 1 0\n"])
def test_a_broken_file_is_refused(text):
    with pytest.raises(WvvError, match=r"^blocks\.txt: QEMU's plugin did not finish it"):
        read_spans(text)
