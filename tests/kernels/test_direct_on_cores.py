"""The direct microkernels give the oracle's bytes on each core and, as portable C under sanitizers, on the host.

One firmware takes any layer as bytes: a header of word offsets, inputs, constants. Beside the output it tells whether
the words behind its scratch survived.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import require_tool
from direct_cases import Case, cases
from tvm import tirx
from winograd_mve_cases import exact_cases, int8_cases

from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.host import run_host
from tvm_wvv.micro.microkernels import microkernel_files
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.stand_in import qemu_names
from tvm_wvv.micro.toolchain import build_firmware, build_host

WORDS, SCRATCH_WORDS, Y_BYTES = 20480, 6656, 4096
STALE = 85
FUNCTIONS = (
    "wvv_conv2d", "wvv_depthwise", "wvv_dense", "wvv_add", "wvv_mve_conv2d", "wvv_mve_depthwise", "wvv_pool",
    "wvv_softmax", "wvv_lookup",
)  # fmt: skip
VARIANTS = tuple(f"wvv_mve_winograd_{name}" for name in ("f2", "f4", "f4c"))
ROUNDED = tuple(f"{name}_int8" for name in VARIANTS)
HEADERS = (*FUNCTIONS, "wvv_mve_winograd")

SIZES = f"enum {{ WORDS = {WORDS}, SCRATCH_WORDS = {SCRATCH_WORDS}, Y_BYTES = {Y_BYTES}, STALE = {STALE} }};\n"
DRIVER = """
#include <string.h>
#include "wvv_model.h"
#include "wvv_add.h"
#include "wvv_conv2d.h"
#include "wvv_dense.h"
#include "wvv_depthwise.h"
#include "wvv_lookup.h"
#include "wvv_mve_conv2d.h"
#include "wvv_mve_depthwise.h"
#include "wvv_mve_winograd.h"
#include "wvv_pool.h"
#include "wvv_softmax.h"

static _Alignas(16) int32_t given[WORDS];
static _Alignas(16) int8_t output[Y_BYTES + 4];
static _Alignas(16) int32_t scratch[SCRATCH_WORDS];
static const uint32_t input_bytes[] = {sizeof given}, output_bytes[] = {sizeof output};
static void *const inputs[] = {given};
static void *const outputs[] = {output};

/* function, words of scratch, then the place of each argument in words. */
static int32_t run(void) {
  const int32_t *a = given + given[2], *b = given + given[3], *c = given + given[4], *d = given + given[5];
  const int32_t *e = given + given[6];
  const int8_t *x = (const int8_t *)a;
  memset(output, STALE, sizeof output);
  memset(scratch, STALE, sizeof scratch);
  switch (given[0]) {
    case 0: wvv_conv2d(x, b, c, output, scratch); break;
    case 1: wvv_depthwise(x, b, c, output, scratch); break;
    case 2: wvv_dense(x, (const int8_t *)b, c, d, output, scratch); break;
    case 3: wvv_add(x, (const int8_t *)b, c, d, output); break;
    case 4: wvv_mve_conv2d(x, b, c, output, scratch); break;
    case 5: wvv_mve_depthwise(x, b, c, output, scratch); break;
    case 6: wvv_pool(x, b, output); break;
    case 7: wvv_softmax(x, b, c, output); break;
    case 8: wvv_lookup(x, (const int8_t *)b, c, output); break;
    case 9: wvv_mve_winograd_f2(x, b, c, d, output, scratch); break;
    case 10: wvv_mve_winograd_f4(x, b, c, d, output, scratch); break;
    case 11: wvv_mve_winograd_f4c(x, b, c, d, output, scratch); break;
    case 12: wvv_mve_winograd_f2_int8(x, b, c, d, e, output, scratch); break;
    case 13: wvv_mve_winograd_f4_int8(x, b, c, d, e, output, scratch); break;
    default: wvv_mve_winograd_f4c_int8(x, b, c, d, e, output, scratch); break;
  }
  for (int32_t n = 4 * given[1]; n < 4 * SCRATCH_WORDS; ++n) {
    output[Y_BYTES] = (int8_t)(((const int8_t *)scratch)[n] == STALE ? output[Y_BYTES] : 0);
  }
  return 0;
}
const struct wvv_model wvv_model = {"t", 1, 1, 0, input_bytes, output_bytes, inputs, outputs, run};
"""


def files() -> dict[str, str]:
    return {"wvv_model.c": SIZES + DRIVER, **microkernel_files(f'"{name}.h"' for name in HEADERS)}


def scratch_words(func: tirx.PrimFunc) -> int:
    return sum(int(buffer.shape[0]) for buffer in func.body.block.alloc_buffers)


def packed(case: Case) -> np.ndarray:
    """The example that the firmware takes."""
    arrays = [np.ascontiguousarray(one).view(np.int8).reshape(-1) for one in (*case.inputs, *case.kernel.constants)]
    words = np.zeros(WORDS, np.int32)
    words[:2] = (*FUNCTIONS, *VARIANTS, *ROUNDED).index(case.function), scratch_words(case.kernel.func)
    place = 8
    for number, one in enumerate(arrays):
        words[2 + number] = place
        words.view(np.int8)[4 * place : 4 * place + one.size] = one
        place += -(-one.size // 16) * 4
    return words


def check(outputs: bytes, given: list[Case]) -> None:
    rows = np.frombuffer(outputs, np.int8).reshape(len(given), -1)
    for number, (row, case) in enumerate(zip(rows, given, strict=True)):
        size = case.expected.size
        got = row[:size].reshape(case.expected.shape)
        np.testing.assert_array_equal(got, case.expected, err_msg=f"{number} {case}")
        assert (row[size:] == STALE).all(), f"{number} {case}: wrote behind its output or its scratch"


def given_cases() -> list[Case]:
    made = [*cases(seed=7, each=40), *exact_cases(seed=5), *exact_cases(seed=6), *int8_cases(seed=5)]
    made += int8_cases(seed=6)
    assert {case.function for case in made} == {*FUNCTIONS, *VARIANTS, *ROUNDED}
    # Scales of M by tap, with mantissas and with factors of channels; rounded once and twice; with and without offsets.
    ways = {(*case.kernel.constants[-1][-4:-2].tolist(), case.kernel.constants[-1][-2] < 0)
            for case in made if case.function in ROUNDED}  # fmt: skip
    assert {way[1:] for way in ways} == {(way, twice) for way in range(3) for twice in (False, True)}
    assert {way[0] for way in ways} == {0, 1}
    assert max(case.expected.size for case in made) <= Y_BYTES
    return made


@pytest.mark.parametrize("name", qemu_names())
def test_on_cores(name: str, tmp_path: Path):
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    board, given = load_board(name), given_cases()
    elf = build_firmware(files(), board, tmp_path)
    data = np.stack([packed(case) for case in given])
    check(run_firmware(board, elf, data, Y_BYTES + 4, timeout_s=60).outputs, given)


def test_portable_c_under_sanitizers(tmp_path: Path):
    require_tool("cc")
    given = given_cases()
    program = build_host(files(), tmp_path, sanitize=True)
    check(run_host(program, np.stack([packed(case) for case in given]), Y_BYTES + 4).outputs, given)
