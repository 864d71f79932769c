"""What microkernels stand on: which files travel with a kernel, and the instructions of `wvv_simd.h` on every core."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import require_tool

from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.host import run_host
from tvm_wvv.micro.microkernels import microkernel_files
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.stand_in import qemu_names
from tvm_wvv.micro.toolchain import build_firmware, build_host
from tvm_wvv.quant.requantize import requantize

# Of each group of four words: three operands, and a shift of 1 to 22 with a zero point in the byte above it.
DRIVER = """
#include <string.h>
#include "wvv_model.h"
#include "wvv_requantize.h"

static uint32_t given[4];
static uint32_t made[16];
static const uint32_t input_bytes[] = {sizeof given}, output_bytes[] = {sizeof made};
static void *const inputs[] = {given};
static void *const outputs[] = {made};

static int32_t run(void) {
  const uint32_t a = given[0], b = given[1], c = given[2];
  const int32_t places = given[3] & 31, zero_point = (int8_t)(uint8_t)(given[3] >> 8);
  const int32_t sum = (int32_t)a / 4, rounding = (1 << (places - 1)) + zero_point * (1 << places);
  const int32_t stage[] = {0, (int32_t)(b >> 2 | 0x40000000u), rounding, places};
  uint32_t *to = made;
  *to++ = wvv_smlad(a, b, c);
  *to++ = wvv_smladx(a, b, c);
  *to++ = wvv_smuad(a, b);
  *to++ = wvv_sadd16(a, b);
  *to++ = wvv_ssub16(a, b);
  *to++ = wvv_sxtb16(a);
  *to++ = wvv_sxtb16_ror8(a);
  *to++ = wvv_sxtab16(a, b);
  *to++ = wvv_sxtab16_ror8(a, b);
  *to++ = wvv_lows(a, b);
  *to++ = wvv_highs(a, b);
  *to++ = (uint32_t)wvv_smmulr((int32_t)a, (int32_t)b);
  *to++ = (uint32_t)wvv_ssat8((int32_t)a >> (c & 31));
  *to++ = (uint32_t)wvv_rescaled(2 * sum, stage);
  *to++ = (uint32_t)wvv_rescaled_positive(2 * sum, stage);
  *to++ = wvv_load4((const uint8_t *)given + 3);
  return 0;
}
const struct wvv_model wvv_model = {"t", 1, 1, 0, input_bytes, output_bytes, inputs, outputs, run};
"""


def halves(word: np.ndarray) -> list[np.ndarray]:
    return [(word >> shift).astype(np.uint16).view(np.int16).astype(np.int64) for shift in (0, 16)]


def pair(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return (low & 0xFFFF) | ((high & 0xFFFF) << 16)


def octets(word: np.ndarray, first: int) -> list[np.ndarray]:
    return [(word >> 8 * k).astype(np.uint8).view(np.int8).astype(np.int64) for k in (first, first + 2)]


def expected(words: np.ndarray) -> np.ndarray:
    """The same in NumPy, in 64 bits."""
    a, b, c, last = words.astype(np.int64).T
    (a0, a1), (b0, b1) = halves(a), halves(b)
    signed = [one.astype(np.uint32).view(np.int32).astype(np.int64) for one in (a, b)]
    places, zero_point = last & 31, (last >> 8).astype(np.uint8).view(np.int8).astype(np.int64)
    # C's division leaves the sign out of the rest.
    total = np.sign(signed[0]) * (np.abs(signed[0]) // 4)
    rescaled = requantize(total, (b >> 2) | 0x40000000, -places) + zero_point
    positive = (((total * 2 * ((b >> 2) | 0x40000000) + (1 << 31)) >> 32) + (1 << (places - 1)) >> places) + zero_point
    columns = [
        c + a0 * b0 + a1 * b1, c + a0 * b1 + a1 * b0, a0 * b0 + a1 * b1, pair(a0 + b0, a1 + b1), pair(a0 - b0, a1 - b1),
        pair(*octets(a, 0)), pair(*octets(a, 1)),
        pair(*(half + octet for half, octet in zip((a0, a1), octets(b, 0), strict=True))),
        pair(*(half + octet for half, octet in zip((a0, a1), octets(b, 1), strict=True))),
        pair(a0, b0), pair(a1, b1), (signed[0] * signed[1] + (1 << 31)) >> 32,
        np.clip(signed[0] >> (c & 31), -128, 127), rescaled, positive, (a >> 24) | (b << 8),
    ]  # fmt: skip
    return np.stack([column & 0xFFFFFFFF for column in columns], axis=1).astype(np.uint32)


def operands() -> np.ndarray:
    """Ends of halves and bytes, random words, and sums whose second rounding is a tie on either side of zero."""
    rng = np.random.default_rng(3)
    ends = np.array(
        [0, 1, 0xFFFFFFFF, 0x80008000, 0x7FFF7FFF, 0x80007FFF, 0x7F80807F, 0x80000001, 0x7FFFFFFF], np.uint32
    )
    words = rng.integers(0, 1 << 32, (900, 4), dtype=np.uint32)
    words[:600, :3] = np.where(rng.random((600, 3)) < 0.5, rng.choice(ends, (600, 3)), words[:600, :3])
    words[600:, 0] = (rng.integers(-9, 10, 300) * (1 << rng.integers(2, 12, 300))).astype(np.uint32)
    words[600:, 1] = 0
    words[:, 3] = rng.integers(1, 23, 900) | (rng.integers(0, 256, 900) << 8)
    return words


def files() -> dict[str, str]:
    return {"wvv_model.c": DRIVER, **microkernel_files(['"wvv_requantize.h"'])}


def check(outputs: bytes) -> None:
    np.testing.assert_array_equal(np.frombuffer(outputs, np.uint32).reshape(-1, 16), expected(operands()))


@pytest.mark.parametrize("name", qemu_names())
def test_instructions_on_cores(name: str, tmp_path: Path):
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    board = load_board(name)
    check(run_firmware(board, build_firmware(files(), board, tmp_path), operands().view(np.int8), 64).outputs)


def test_portable_instructions_under_sanitizers(tmp_path: Path):
    require_tool("cc")
    check(run_host(build_host(files(), tmp_path, sanitize=True), operands().view(np.int8), 64).outputs)


def test_files_are_headers_what_they_include_and_their_sources():
    made = microkernel_files(['"wvv_winograd.h"', "<math.h>"])
    assert {"wvv_winograd.h", "wvv_winograd_product.c", "wvv_winograd_f4_input.c", "wvv_simd.h"} <= set(made)
    assert not [name for name in made if not name.startswith("wvv_")]
    assert microkernel_files(["<math.h>"]) == {}


def test_a_header_that_is_not_ours_is_left_to_the_compiler():
    assert microkernel_files(['"kernels_of_a_model.h"']) == {}
