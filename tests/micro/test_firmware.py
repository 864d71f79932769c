"""The device's own code, on every board and on the host: bytes in, bytes out, faults told apart, exact counts."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import require_tool
from firmware_models import INPUT_BYTES, OUTPUT_BYTES, examples, model, reversed_plus

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import Board, load_board
from tvm_wvv.micro.exchange import STATUS, FirmwareRun
from tvm_wvv.micro.host import run_host
from tvm_wvv.micro.process import CommandError
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.stand_in import qemu_names
from tvm_wvv.micro.toolchain import build_firmware, build_host
from tvm_wvv.resources import deploy_dir


@pytest.fixture(params=["mps2-an386", "mps2-an500"])
def board(request) -> Board:
    """What does not depend on the core is tried on two."""
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    return load_board(request.param)


@pytest.fixture(params=qemu_names())
def any_board(request) -> Board:
    """Start-up, faults, stack and counting are a board's own."""
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    return load_board(request.param)


def run_on(
    board: Board, files: dict[str, str], folder: Path, data: np.ndarray, *, profile: bool = False, icount: bool = False
) -> FirmwareRun:
    elf = build_firmware(files, board, folder, profile=profile)
    return run_firmware(board, elf, data, OUTPUT_BYTES, icount=icount, timeout_s=20)


def error_on(board: Board, files: dict[str, str], folder: Path) -> str:
    with pytest.raises(WvvError) as caught:
        run_on(board, files, folder, examples(1))
    return str(caught.value)


@pytest.mark.parametrize("count", [1, 37])
def test_outputs_of_all_examples_come_back_in_order(any_board, tmp_path, count):
    data = examples(count)
    done = run_on(any_board, model(), tmp_path, data)
    assert done.outputs == reversed_plus(data)
    assert (done.layer_instructions, done.total_instructions) == (None, None)


@pytest.mark.parametrize("sanitize", [False, True])
def test_the_host_twin_gives_the_same_bytes(tmp_path, sanitize):
    require_tool("cc")
    data = examples(37)
    program = build_host(model(), tmp_path, sanitize=sanitize)
    done = run_host(program, data, OUTPUT_BYTES)
    assert done == FirmwareRun(reversed_plus(data), None, None, None)


def test_no_examples_give_no_outputs(board, tmp_path):
    done = run_on(board, model(), tmp_path, examples(1)[:0], icount=True)
    assert done == FirmwareRun(b"", None, None, done.stack_bytes)


def test_half_an_example_is_refused(board, tmp_path):
    require_tool("cc")
    data = examples(3).tobytes()[: 2 * INPUT_BYTES + 2]
    problem = "the input ends in the middle of an example; its size must be a multiple of the model's input bytes"
    elf, program = build_firmware(model(), board, tmp_path / "b"), build_host(model(), tmp_path / "h", sanitize=True)
    with pytest.raises(WvvError, match=f"^{board.name}: {problem}$"):
        run_firmware(board, elf, data, OUTPUT_BYTES)
    with pytest.raises(WvvError, match=f"^host: {problem}$"):
        run_host(program, data, OUTPUT_BYTES)


def test_several_inputs_and_outputs_keep_their_order(board, tmp_path):
    require_tool("cc")
    files = {
        "wvv_model.c": """
#include "wvv_model.h"
static int8_t a[3], c[2];
static int32_t b[1], d[1];
static const uint32_t input_bytes[] = {3, 4}, output_bytes[] = {4, 2};
static void *const inputs[] = {a, b};
static void *const outputs[] = {d, c};
static int32_t run(void) {
  d[0] = b[0] + a[2];
  c[0] = a[0];
  c[1] = (int8_t)-a[1];
  return 0;
}
const struct wvv_model wvv_model = {"two", 2, 2, 0, input_bytes, output_bytes, inputs, outputs, run};
"""
    }
    rows = [(-128, 5, 7, -70000), (127, -127, -1, 2**31 - 8), (0, 1, 2, 3)]
    given = b"".join(np.array(row[:3], np.int8).tobytes() + np.array(row[3:], "<i4").tobytes() for row in rows)
    wanted = b"".join(np.array([b + z], "<i4").tobytes() + np.array([x, -y], np.int8).tobytes() for x, y, z, b in rows)
    elf = build_firmware(files, board, tmp_path / "b")
    assert run_firmware(board, elf, given, 6).outputs == wanted
    assert run_host(build_host(files, tmp_path / "h", sanitize=True), given, 6).outputs == wanted


def test_data_and_bss_start_as_c_promises(any_board, tmp_path):
    helpers = "static int32_t zero[300]; static int32_t seven[2] = {7, -7}; static double half = 0.5;"
    body = """
  for (int i = 0; i < 300; ++i) { if (zero[i] != 0) { return 1; } }
  if (seven[0] + seven[1]++ != 0) { return 2; }
  zero[299 - (input[0] & 1)] = 0;
  half = half * (double)(input[1] | 1);   /* a floating-point instruction faults where the unit is off */
  output[0] = (int8_t)(half > 0.0);
  return 0;"""
    assert len(run_on(any_board, model(body, helpers=helpers), tmp_path, examples(1)).outputs) == OUTPUT_BYTES


def test_a_failing_model_is_an_error(board, tmp_path):
    assert (
        error_on(board, model("return -1;"), tmp_path) == f"{board.name}: the model's run function reported a failure"
    )


def test_a_model_without_input_is_an_error(board, tmp_path):
    files = {"wvv_model.c": model()["wvv_model.c"].replace("input_bytes[] = {5}", "input_bytes[] = {0}")}
    assert error_on(board, files, tmp_path) == f"{board.name}: the model takes no input bytes"


# Deep enough to leave the 16 KiB of the stack in many small steps, and wide enough to leave it in one.
DEEP = """
int32_t deep(volatile int32_t *up, int n);
__attribute__((noinline)) int32_t deep(volatile int32_t *up, int n) {
  volatile int32_t own[8];
  own[n & 7] = up[0] + n;
  return n == 0 ? own[0] : deep(own, n - 1) + own[n & 7];
}
"""


@pytest.mark.parametrize(
    ("helpers", "body"),
    [
        (DEEP, "volatile int32_t top[8] = {0}; output[0] = (int8_t)deep(top, 5000); return 0;"),
        ("", "volatile int8_t wide[20000]; for (int i = 0; i < 20000; ++i) { wide[i] = 1; } return wide[9] - 1;"),
    ],
    ids=["deep", "wide"],
)
def test_a_stack_overflow_is_named(any_board, tmp_path, helpers, body):
    message = error_on(any_board, model(body, helpers=helpers), tmp_path)
    assert message.startswith(f"{any_board.name}: stack overflow; raise firmware.stack_bytes in its board.toml")


def test_the_stack_can_be_used_up_to_its_last_word_but_one(any_board, tmp_path):
    """The last word keeps its paint, which is how an overflow that did not fault is seen.

    Counting, so that a timer that interrupts does so at the same place in every run.
    """

    def stack(depth: int) -> int:
        body = f"volatile int32_t top[8] = {{0}}; output[0] = (int8_t)deep(top, {depth}); return 0;"
        found = run_on(any_board, model(body, helpers=DEEP), tmp_path, examples(1), icount=True).stack_bytes
        assert found is not None
        return found

    frame = stack(41) - stack(40)
    deepest = 40 + (any_board.stack_bytes - 4 - stack(40)) // frame
    assert stack(deepest) == stack(40) + (deepest - 40) * frame <= any_board.stack_bytes - 4
    with pytest.raises(WvvError, match="stack overflow"):
        stack(deepest + 1)


STRAY = {
    "nothing": lambda board: 0x9000_0000,
    "below RAM": lambda board: board.region("ram").origin - 4,
    "behind RAM": lambda board: board.region("ram").end,
    "code": lambda board: board.region("code").origin + 0x100,
}


@pytest.mark.parametrize("place", STRAY)
def test_a_stray_write_is_a_fault_that_names_the_function(any_board, tmp_path, place):
    helpers = (
        "void touch_nothing(void); __attribute__((noinline)) void touch_nothing(void)"
        f" {{ static volatile uint32_t at = {STRAY[place](any_board):#x}u; *(volatile int32_t *)at = 1; }}"
    )
    message = error_on(any_board, model("touch_nothing(); return 0;", helpers=helpers), tmp_path)
    assert re.fullmatch(
        rf"{any_board.name}: processor fault "
        r"\(fault: exception 0x00000003 pc 0x\w+ lr 0x\w+ cfsr 0x\w+\), in touch_nothing",
        message,
    )


def test_an_undefined_instruction_is_a_fault(any_board, tmp_path):
    assert ": processor fault (" in error_on(any_board, model("__builtin_trap(); return 0;"), tmp_path)


@pytest.mark.parametrize("use", [0, 1008, 2416])
def test_stack_use_is_seen_to_the_byte(board, tmp_path, use):
    """A frame of so many bytes more is reported as so many bytes more."""
    helpers = (
        "void dig(void); __attribute__((naked)) void dig(void)"
        ' { __asm__ volatile("sub sp, sp, #%d; str r0, [sp]; add sp, sp, #%d; bx lr"); }'
    )

    def stack(bytes_: int) -> int:
        files = model("dig(); return 0;", helpers=helpers % (bytes_, bytes_))
        found = run_on(board, files, tmp_path, examples(1)).stack_bytes
        assert found is not None
        return found

    assert stack(400 + use) - stack(400) == use


ROUNDS = [1, 2, 3, 4, 5, 6, 7, 100, 12345, 6_700_000]


def marked(rounds: list[int]) -> dict[str, str]:
    """A model whose layer k is `burn(rounds[k])`, 0 for an empty layer."""
    layers = ((f"burn({count});" if count else "") + f" wvv_layer_mark({layer});" for layer, count in enumerate(rounds))
    return model("wvv_layer_mark(WVV_LAYER_START);\n" + "\n".join(layers) + "\nreturn 0;", layers=len(rounds))


def test_counts_are_exact(any_board, tmp_path):
    """`burn(n)` is 2n + 1 instructions; its call is a bl and one (or two, for large n) that set r0."""
    rounds = [0, *ROUNDS, 0]
    files = marked(rounds)
    done = run_on(any_board, files, tmp_path, examples(2), profile=True, icount=True)
    # 12345 takes a movw, 6700000 a movw and a movt or a literal load, which is one instruction.
    disassembly = subprocess.run(
        ["arm-none-eabi-objdump", "-d", str(tmp_path / "firmware.elf")], capture_output=True, text=True, check=True
    ).stdout
    calls = instructions_of_calls(disassembly)
    wanted = [2 * count + 1 + calls.pop(0) if count else 0 for count in rounds]
    assert done.layer_instructions == tuple(wanted)
    # Beside the layers: push, the START mark's own call is not counted, movs r0 and pop.
    assert done.total_instructions == sum(wanted) + 3


def test_counts_are_exact_at_every_phase(any_board, tmp_path):
    """Ticks an instruction have 5, 25 or 125 as their denominator: 125 odd lengths meet each remainder once."""
    rounds = list(range(1, 126))
    done = run_on(any_board, marked(rounds), tmp_path, examples(1), profile=True, icount=True)
    # movs and bl before each burn.
    assert done.layer_instructions == tuple(2 * count + 1 + 2 for count in rounds)


def instructions_of_calls(disassembly: str) -> list[int]:
    """How many instructions precede each `bl burn` since the last `bl`, itself included."""
    text = disassembly.split("<tvmgen_t_run>:")[1].split("\n\n")[0]
    names = [line.split("\t")[2:] for line in text.splitlines() if line.count("\t") >= 3]
    counts, since = [], 0
    for parts in names:
        since += 1
        if parts[0].strip() == "bl":
            if "<burn>" in parts[1]:
                counts.append(since)
            since = 0
    return counts


def test_counts_are_the_same_in_two_runs(any_board, tmp_path):
    elf = build_firmware(marked(ROUNDS), any_board, tmp_path, profile=True)
    runs = [run_firmware(any_board, elf, examples(3), OUTPUT_BYTES, icount=True) for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0].layer_instructions is not None


def test_the_total_of_an_unmarked_build_is_exact(any_board, tmp_path):
    body = '__asm__ volatile("mov r0, #77; 1: subs r0, r0, #1; bne 1b" ::: "r0"); return 0;'
    done = run_on(any_board, model(body), tmp_path, examples(1), icount=True)
    assert done.layer_instructions is None
    # mov, 77 times subs and bne, movs r0, bx.
    assert done.total_instructions == 1 + 2 * 77 + 2


def test_without_icount_nothing_is_counted(board, tmp_path):
    done = run_on(board, marked([3]), tmp_path, examples(1), profile=True)
    assert (done.layer_instructions, done.total_instructions) == (None, None)


def test_without_a_timer_nothing_is_counted(board, tmp_path):
    done = run_on(replace(board, timer=None), marked([3]), tmp_path, examples(1), profile=True, icount=True)
    assert (done.layer_instructions, done.total_instructions) == (None, None)
    assert done.stack_bytes is not None


def test_a_write_past_the_end_is_found_on_the_host(tmp_path):
    require_tool("cc")
    program = build_host(model("output[5 + (input[0] & 1)] = 1; return 0;"), tmp_path, sanitize=True)
    with pytest.raises(CommandError, match=r"out of bounds|global-buffer-overflow"):
        run_host(program, examples(1), OUTPUT_BYTES)


def test_exit_codes_are_those_of_the_header():
    text = (deploy_dir() / "runtime" / "include" / "wvv_status.h").read_text()
    codes = {int(code) for code in re.findall(r"WVV_\w+ = (\d+)", text)}
    assert codes == {0, *STATUS}
