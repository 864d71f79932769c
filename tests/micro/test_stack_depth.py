"""The deepest stack: by hand on small texts, and against the paint that firmware on QEMU finds untouched."""

from __future__ import annotations

import pytest
from command_line import cache
from conftest import require_tool
from firmware_models import examples, model

from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.disassembly import INDIRECT, Frame, frames
from tvm_wvv.micro.firmware_cache import firmware
from tvm_wvv.micro.image import measure, pointed_at
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.stack_depth import Depth, depth_below, merge

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]

LISTING = """
00000000 <top>:
   0:	push	{r4, r5, lr}
   2:	vpush	{d8-d11}
   6:	sub.w	sp, sp, #1024	@ 0x400
   a:	bl	40 <middle>
   e:	beq.n	2 <top+0x2>
  10:	b.w	80 <leaf>
  14:	.word	0xe92d4ff0

00000040 <middle>:
  40:	stmdb	sp!, {r4, r5, r6, r7, r8, r9, sl, fp, lr}
  44:	blx	r3
  46:	str.w	r3, [sp, #-8]!
  4a:	vpush	{s16-s17}
  4e:	ldmia.w	sp!, {r4, r5, r6, r7, r8, r9, sl, fp, pc}

00000080 <leaf>:
  80:	strd	r0, r1, [sp, #-16]!
  84:	subs	r0, #1
  86:	bne.n	84 <leaf+0x4>
  88:	bic.w	r0, r0, #7
  8c:	bx	lr

000000a0 <spread>:
  a0:	sub.w	sp, sp, r3
  a4:	bls.n	0 <top>
"""


def test_frames_by_hand():
    assert frames(LISTING) == {
        "top": Frame(12 + 32 + 1024, frozenset({"middle", "leaf"})),
        "middle": Frame(36 + 8 + 8, frozenset({INDIRECT})),
        "leaf": Frame(16, frozenset()),
        "spread": Frame(None, frozenset({"top"})),
    }


GRAPH = r"""graph: { title: "a.c"
node: { title: "a.c:top" label: "top\na.c:1:5\n1100 bytes (static)" }
node: { title: "leaf" label: "leaf\na.c:9:5\n0 bytes (static)" }
node: { title: "gone" label: "gone\na.c:9:5\n9000 bytes (static)" }
node: { title: "memcpy" label: "__builtin_memcpy\n<built-in>" shape : ellipse }
edge: { sourcename: "a.c:top" targetname: "hidden" label: "a.c:3:3" }
edge: { sourcename: "leaf" targetname: "__indirect_call" label: "a.c:4:3" }
}
"""


def test_the_larger_frame_of_both_sources_counts_and_the_calls_of_either():
    known = merge([GRAPH], {**frames(LISTING), "hidden": Frame(4000, frozenset())})
    assert known["top"] == Frame(1100, frozenset({"middle", "leaf", "hidden"}))
    # GCC believes that a naked function needs nothing, and knows better where pointers are called.
    assert known["leaf"] == Frame(16, frozenset({INDIRECT}))
    assert "gone" not in known
    assert known["middle"].calls == {INDIRECT}


def test_a_frame_of_changing_size_has_no_bound():
    graph = GRAPH.replace("1100 bytes (static)", "1100 bytes (dynamic)")
    found = depth_below(merge([graph], frames(LISTING)), "top", frozenset())
    assert found == Depth(None, (), "top has a frame whose size depends on data")
    bounded = GRAPH.replace("1100 bytes (static)", "1100 bytes (dynamic,bounded)")
    assert depth_below(merge([bounded], frames(LISTING)), "top", frozenset()).bytes == 1100 + 52


def test_the_deepest_path_by_hand():
    known = frames(LISTING)
    assert depth_below(known, "top", {"leaf"}) == Depth(1068 + 52 + 16, (("top", 1068), ("middle", 52), ("leaf", 16)))
    assert depth_below(known, "top", frozenset()) == Depth(1068 + 52, (("top", 1068), ("middle", 52)))


def test_recursion_has_no_bound_and_is_named():
    known = {"a": Frame(8, frozenset({"b"})), "b": Frame(8, frozenset({"c"})), "c": Frame(8, frozenset({"b"}))}
    assert depth_below(known, "a", frozenset()) == Depth(None, (), "b calls itself")
    through_pointer = {"a": Frame(8, frozenset({INDIRECT})), "b": Frame(8, frozenset({"a"}))}
    assert depth_below(through_pointer, "a", {"b"}).obstacle == "a calls itself"


def test_a_named_caller_reaches_only_what_its_pointers_can_hold():
    known = {"count_run": Frame(8, frozenset({INDIRECT})), "run": Frame(16, frozenset()), "put": Frame(99, frozenset())}
    assert depth_below(known, "count_run", {"run", "put"}).bytes == 24
    assert depth_below(known, "count_run", {"put"}).bytes == 8 + 99
    assert depth_below({**known, "stranger": known["count_run"]}, "stranger", {"run", "put"}).bytes == 8 + 99


def test_addresses_that_are_taken():
    listing = """
RELOCATION RECORDS FOR [.vectors]:
00000004 R_ARM_ABS32       wvv_reset

RELOCATION RECORDS FOR [.text.main]:
00000010 R_ARM_THM_CALL    called
00000020 R_ARM_ABS32       .text.local+0x00000001
00000024 R_ARM_THM_MOVW_ABS_NC  loaded

RELOCATION RECORDS FOR [.rodata.table]:
00000000 R_ARM_ABS32       entry
"""
    assert pointed_at(listing.splitlines()) == {"local", "loaded", "entry"}


DEEP = """
  volatile uint8_t kept[%d];
  for (int i = 0; i < 5; ++i) {
    kept[i * 7] = (uint8_t)input[i];
    output[i] = (int8_t)kept[i * 7];
  }
  return 0;"""


@pytest.mark.parametrize("name", ["mps2-an385", "mps2-an386", "mps3-an547"])
def test_the_paint_on_qemu_is_touched_down_to_the_bound_and_no_deeper(name):
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    board, files = load_board(name), model(DEEP % 1500)
    found = measure(files, board)
    elf = firmware(files, board, profile=False)
    used = run_firmware(board, elf, examples(1).tobytes(), 5, icount=True).stack_bytes
    assert used is not None and found.stack_bytes is not None
    # The bound may count a tick that never came at the deepest place.
    tick = dict(found.stack_path).get("exception", 0)
    assert used <= found.stack_bytes <= used + tick + 48
    assert any(name == "tvmgen_t_run" and size >= 1500 for name, size in found.stack_path)


def test_recursion_in_a_model_is_found():
    require_tool("arm-none-eabi-gcc")
    helpers = """
int32_t ackermann(int32_t m, int32_t n);
__attribute__((noinline)) int32_t ackermann(int32_t m, int32_t n) {
  return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}"""
    found = measure(model("return ackermann(input[0], input[1]);", helpers=helpers), load_board("mps2-an386"))
    # GCC splits such a function; one of its parts is what calls itself.
    assert found.stack_bytes is None
    assert found.stack_note is not None and found.stack_note.startswith("ackermann")
