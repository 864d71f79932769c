"""The Cortex-M4 estimate against prices counted by hand from the manual: single blocks, and loops that QEMU ran."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import require_tool
from firmware_models import examples, model

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro import cycles
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.counts import FunctionCount, count
from tvm_wvv.micro.cycles import ESTIMATE, FASTEST, SLOWEST, BlockCost, block_cost
from tvm_wvv.micro.plugin import BlockRun
from tvm_wvv.micro.runners import OnBoard
from tvm_wvv.micro.toolchain import build_firmware


def assembled(text: str, folder: Path) -> bytes:
    """The code of some lines of assembler."""
    gcc, objcopy = require_tool("arm-none-eabi-gcc"), require_tool("arm-none-eabi-objcopy")
    (folder / "a.s").write_text(f".syntax unified\n.thumb\n{text}\n", encoding="ascii")
    flags = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]
    subprocess.run([gcc, *flags, "-c", folder / "a.s", "-o", folder / "a.o"], check=True)
    subprocess.run([objcopy, "-O", "binary", "-j", ".text", folder / "a.o", folder / "a.bin"], check=True)
    return (folder / "a.bin").read_bytes()


STRAIGHT = {
    # Table 3-1: one cycle each, the dual and long multiplications too.
    "add r0, r1; eors r0, r1; lsl.w r2, r0, #3; movw r4, #4660; mul r5, r4, r2; mla r5, r4, r2, r1": 6,
    "smlad r0, r1, r2, r3; smlald r4, r5, r1, r2; smull r0, r1, r2, r3; smmulr r0, r1, r2": 4,
    "sxtb16 r0, r1; sxtb16 r0, r1, ror #8; sadd16 r0, r1, r2; ssub16 r0, r1, r2; pkhbt r0, r1, r2, lsl #16": 5,
    "ssat r0, #8, r1; usat r0, #8, r1; ubfx r0, r1, #4, #8; clz r0, r1; it ne; movne r0, #1": 6,
    # Section 3.3.2's own examples.
    "ldr r0, [r1]; ldr r1, [r2]": 3,
    "ldr r0, [r1, r2]; str r0, [r3, #20]": 3,
    "ldr r0, [r1, r2]; str r1, [r3, r2]": 3,
    "ldr r0, [r1, r5]; ldr r1, [r2]; ldr r2, [r3, #4]": 4,
    "ldm r0, {r1, r2, r3}": 4,
    "stm r0!, {r1-r8}": 9,
    "ldrd r0, r1, [r2]": 3,
    # Nothing overlaps with a pair or a list, nor behind a store; a loaded address has to be there first.
    "ldr r3, [r4]; ldrd r0, r1, [r2], #8; ldr r5, [r6]; strd r0, r1, [r7]": 2 + 3 + 2 + 3,
    "ldr r0, [r1]; ldr r2, [r0]": 4,
    "ldrsh r0, [r1], #2; ldrb r2, [r3, #-1]!; ldrsb r4, [r5, r6]": 4,
    "str r0, [r1, #4]; strb r0, [r1], #1; strh r0, [r1, #-2]!": 3,
    "str r0, [r1, r2, lsl #2]; ldr r3, [r4]": 4,
    "push {r4-r7, lr}": 6,
    # No forwarding from the arithmetic unit to an address.
    "adds r1, #4; ldr r0, [r1]": 4,
    "adds r2, #4; ldr r0, [r1, r2]": 4,
    "adds r1, #4; movs r2, #0; ldr r0, [r1]": 4,
    "adds r0, #4; str r0, [r1]": 2,
    "sub sp, #8; push {r0}": 1 + 1 + 2,
    # Section 7.2.3.
    "vadd.f32 s0, s1, s2; vmul.f32 s0, s1, s2; vcvt.s32.f32 s0, s0; vmov r0, s0": 4,
    "vmla.f32 s0, s1, s2; vfma.f32 s0, s1, s2": 6,
    "vdiv.f32 s0, s1, s2; vsqrt.f32 s0, s1": 28,
    "vldr s0, [r0]; vldr d1, [r0]; vstr s0, [r0]": 2 + 3 + 2,
    "vpush {d8-d9}; vldmia r0!, {s0-s2}": 5 + 4,
    "vmov r0, r1, d0": 2,
}


@pytest.mark.parametrize("text", STRAIGHT)
def test_straight_code_costs_what_the_manual_says(tmp_path, text):
    assert block_cost(assembled(text.replace("; ", "\n"), tmp_path)) == BlockCost(STRAIGHT[text], 0)


# Taken, with the refills that ESTIMATE states, and what is spared where it is not taken.
BRANCHES = {
    "1: b 1b": (3, 0),
    "1: bl 1b": (3, 0),
    "bx lr": (4, 0),
    "blx r3": (4, 0),
    "mov pc, lr": (4, 0),
    "1: bne 1b": (3, 2),
    "1: bne.w 1b": (3, 2),
    "cbz r0, 1f; nop; 1:": (3 + 1, 0),  # QEMU's blocks end at a branch, this one does not
    "pop {r4, pc}": (1 + 2 + 3, 0),
    "ldr pc, [r0]": (5, 0),
    "tbb [pc, r0]": (6, 0),
    "it ne; bxne lr": (1 + 4, 3),
    "it eq; popeq {r4, r5, pc}": (1 + 1 + 3 + 3, 6),
    "ldr r0, [r1]; subs r2, #1; 1: bne 1b": (2 + 1 + 3, 2),
}


@pytest.mark.parametrize("text", BRANCHES)
def test_branches_refill_the_pipeline_where_they_are_taken(tmp_path, text):
    assert block_cost(assembled(text.replace("; ", "\n"), tmp_path)) == BlockCost(*BRANCHES[text])


@pytest.mark.parametrize("name", ["udiv", "sdiv"])
def test_a_division_lasts_2_to_12_cycles(tmp_path, name):
    code = assembled(f"{name} r0, r1, r2", tmp_path)
    costs = [block_cost(code, timing).cycles for timing in (FASTEST, ESTIMATE, SLOWEST)]
    assert costs == sorted(costs)
    assert (costs[0], costs[-1]) == (2, 12)


def test_a_run_is_priced_by_how_often_it_fell_through(tmp_path):
    code = assembled("subs r0, #1\n1: bne 1b", tmp_path)
    assert cycles.cycles([BlockRun(0, code, 10, 4), BlockRun(8, code, 1, 0)]) == 6 * 4 + 4 * 2 + 4


def test_an_unknown_instruction_counts_one_cycle_and_what_follows_is_decoded():
    # 32 ones are undefined in Armv7E-M; `ldr r0, [r1]` follows.
    assert block_cost(bytes.fromhex("ffffffff0868")) == BlockCost(1 + 2, 0)


def test_a_missing_decoder_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "capstone", None)
    cycles._decoder.cache_clear()
    with pytest.raises(
        WvvError, match=r"^capstone is not installed; install it with: pip install 'tvm_wvv\[profile\]'$"
    ):
        block_cost.__wrapped__(b"\x08\x68", ESTIMATE)


# Each function with its instructions and cycles, by hand.
LOOPS = {
    "pairs": (
        "movs r3, #100; 1: ldrd r1, r2, [r0]; smlad r12, r1, r2, r12; subs r3, #1; bne 1b; bx lr",
        1 + 100 * 4 + 1,
        1 + 100 * (3 + 1 + 1) + (99 * 3 + 1) + 4,
    ),
    "odd": (
        "movs r3, #100; 1: tst r3, #1; beq 2f; adds r0, #1; 2: subs r3, #1; bne 1b; bx lr",
        1 + 100 * 4 + 50 + 1,
        1 + 100 + (50 * 3 + 50 * 1) + 50 + 100 + (99 * 3 + 1) + 4,
    ),
    "leave": (
        "movs r3, #10; 1: subs r3, #1; it eq; bxeq lr; b 1b",
        1 + 10 * 3 + 9,
        1 + 10 * 2 + (9 * 1 + 4) + 9 * 3,
    ),
    "zero": (
        "movs r3, #7; 1: cbz r3, 2f; ldr r1, [r0]; ldr r2, [r0, #4]; subs r3, #1; b 1b; 2: bx lr",
        1 + 8 + 7 * 4 + 1,
        1 + (7 * 1 + 3) + 7 * (2 + 1 + 1 + 3) + 4,
    ),
    "divide": (
        "movs r3, #9; movs r2, #3; 1: udiv r1, r3, r2; subs r3, #1; bne 1b; bx lr",
        2 + 9 * 3 + 1,
        2 + 9 * 13 + (8 * 3 + 1) + 4,
    ),
}


def test_loops_on_the_board_cost_what_was_counted_by_hand(tmp_path):
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    require_tool("cc")
    helpers, calls = "", ""
    for name, (text, _, _) in LOOPS.items():
        lines = "".join(f'"{line}\\n\\t" ' for line in text.split("; "))
        helpers += f"void {name}(const int32_t *at); static const int32_t words_{name}[2] = {{-128, 127}};\n"
        helpers += f"__attribute__((naked)) void {name}(const int32_t *at) {{ (void)at; __asm__ volatile({lines}); }}\n"
        calls += f"{name}(words_{name}); "
    board, info = load_board("mps2-an386"), TensorInfo("x", (1, 5), "int8", None)
    elf = build_firmware(model(calls + "burn(1); return 0;", helpers=helpers), board, tmp_path)
    done = count(OnBoard(board, elf, (info,), (info,)), (examples(1).reshape(1, 1, 5).astype(np.int8),))
    assert done.notes == ()
    found = {one.name: one for one in done.functions}
    for name, (_, instructions, cost) in LOOPS.items():
        assert found[name] == FunctionCount(name, instructions, cost)
