"""The Winograd microkernels give the bytes of direct convolution, or of the oracle in 8 bits, on each core and, as
portable C under sanitizers, on the host.

One firmware takes any layer as words: its numbers, then x, U, stages and what V is rounded by. It runs the loops that
`winograd_dsp_calls` writes as TensorIR, once more in C.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import require_tool
from winograd_dsp_cases import VARIANTS, Layer, layers

from tvm_wvv.micro import bare_c
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.host import run_host
from tvm_wvv.micro.microkernels import microkernel_files
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.stand_in import qemu_names
from tvm_wvv.micro.toolchain import build_firmware, build_host

NUMBERS, WORDS, Y_BYTES, STALE = 28, 16384, 2048, 85

SIZES = f"enum {{ NUMBERS = {NUMBERS}, WORDS = {WORDS}, Y_BYTES = {Y_BYTES}, STALE = {STALE} }};"
DRIVER = """
#include <string.h>
#include "wvv_model.h"
#include "wvv_winograd.h"

static _Alignas(16) int32_t given[WORDS];
static _Alignas(16) int8_t output[Y_BYTES];
static const uint32_t input_bytes[] = {sizeof given}, output_bytes[] = {sizeof output};
static void *const inputs[] = {given};
static void *const outputs[] = {output};
static uint32_t v[46 * 4 * 34], m[46 * 4];

typedef void product(const uint32_t*, const int32_t*, uint32_t*, int32_t);
typedef void rounds(const uint32_t*, const int32_t*, uint32_t*, int32_t, int32_t);
typedef void input(const int8_t*, uint32_t*, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t);
typedef void result(const uint32_t*, const int32_t*, int8_t*, int32_t, int32_t, int32_t, int32_t, int32_t);
#define ONE(quads) wvv_product_##quads,
#define MANY(quads) wvv_product_##quads##n,
#define ONE8(quads) wvv_product8_##quads,
#define MANY8(quads) wvv_product8_##quads##n,
static product *const products[][16] = {{WVV_EACH_COUNT_OF_QUADS(ONE)}, {WVV_EACH_COUNT_OF_QUADS(ONE8)}};
static rounds *const in_rounds[][16] = {{WVV_EACH_COUNT_OF_QUADS(MANY)}, {WVV_EACH_COUNT_OF_QUADS(MANY8)}};
static input *const into[] = {wvv_f2_input, wvv_f4_input, wvv_f4c_input, wvv_f2x1_input, wvv_f4x1_input};
static result *const back[][5][2] = {
    {{wvv_f2_output, wvv_f2_output_positive}, {wvv_f4_output, wvv_f4_output_positive},
     {wvv_f4c_output, wvv_f4c_output_positive}, {wvv_f2x1_output, wvv_f2x1_output_positive},
     {wvv_f4x1_output, wvv_f4x1_output_positive}},
    {{wvv_f2_output8, wvv_f2_output8_positive}, {wvv_f4_output8, wvv_f4_output8_positive},
     {wvv_f4c_output8, wvv_f4c_output8_positive}}};

/* On the host the image stands by itself, so that a sanitizer sees who reads behind it. */
#ifdef __arm__
#define own(x, bytes) (x)
#define give_back(x) ((void)(x))
#else
#include <stdlib.h>
static int8_t *own(const int8_t *x, int32_t bytes) { return memcpy(malloc((size_t)bytes), x, (size_t)bytes); }
#define give_back(x) free((void *)(x))
#endif

static int32_t run(void) {
  const int32_t *g = given;
  const int32_t variant = g[0], batch = g[1], height = g[2], width = g[3], channels = g[4], out_h = g[5], out_w = g[6];
  const int32_t count = g[7], top = g[8], left = g[9], zero_point = g[10], positive = g[11], taps = g[15];
  const int32_t unrolled = g[16], many = g[17], m_h = g[20], m_w = g[14], eight = g[21], in_many = g[22];
  const int32_t rows = (out_h + m_h - 1) / m_h, columns = (out_w + m_w - 1) / m_w, pair_words = g[23];
  const int8_t *x = own((const int8_t *)(g + NUMBERS), batch * height * width * channels);
  const int32_t *u = g + g[18], *stage = g + g[19], tiles = batch * rows * columns;
  memset(output, STALE, sizeof output);
  memset(v, STALE, sizeof v);
  for (int32_t first = 0; first < tiles; first += 2) {
    const int32_t last = first + 1 < tiles ? first + 1 : first;
    for (int32_t tile = first; tile <= last; ++tile) {
      const int32_t n = tile / (rows * columns), row = tile / columns % rows, column = tile % columns;
      into[variant](x + n * height * width * channels, v + (tile - first), row * m_h - top, column * m_w - left,
                    height, width, channels, zero_point);
    }
    if (eight) {
      wvv_round8(v, g + g[24], taps, 4 * unrolled * many, g[25], g[26]);
    }
    for (int32_t o = 0; o < count; o += 2) {
      const int32_t *weights = u + o / 2 * pair_words;
      if (in_many) {
        in_rounds[eight][unrolled - 1](v, weights, m, taps, many);
      } else {
        products[eight][unrolled - 1](v, weights, m, taps);
      }
      for (int32_t tile = first; tile <= last; ++tile) {
        const int32_t n = tile / (rows * columns), h = tile / columns % rows * m_h, w = tile % columns * m_w;
        int8_t *to = output + ((n * out_h + h) * out_w + w) * count + o;
        back[eight][variant][positive](m + 2 * (tile - first), stage + 4 * o, to, out_h - h, out_w - w,
                                count - o < 2 ? count - o : 2, out_w, count);
      }
    }
  }
  give_back(x);
  wvv_clamp(output, batch * out_h * out_w * count, g[12], g[13]);
  return 0;
}
const struct wvv_model wvv_model = {"t", 1, 1, 0, input_bytes, output_bytes, inputs, outputs, run};
"""


def files() -> dict[str, str]:
    return {"wvv_model.c": SIZES + DRIVER, **microkernel_files(['"wvv_winograd.h"'])}


def packed(one: Layer) -> np.ndarray:
    """The example that the firmware takes; a prime count of quads above 16 has rounds of one."""
    case, constants, eight = one.case, one.kernel.constants, one.in_8_bits
    u, stage, of_v = constants[0], constants[-1], constants[1] if eight else np.zeros(0, np.int32)
    quads = -(-case.x.shape[3] // 4) if eight else u.shape[2]
    unrolled = max(count for count in range(1, 17) if quads % count == 0)
    # In 8 bits there are two words more where sums have starts of their own.
    in_rounds = u.shape[2] > 2 * quads + 3 if eight else unrolled < quads
    words = np.zeros(WORDS, np.int32)
    place_of_u = NUMBERS + -(-case.x.size // 4)
    place_of_stage = place_of_u + u.size
    place_of_v = place_of_stage + stage.size
    out_h, out_w = case.grid.output
    words[:27] = [
        VARIANTS.index(case.algorithm), *case.x.shape, out_h, out_w, case.weights.shape[0], *case.padding[:2],
        case.zero_point, one.positive, *case.op.clamp, case.algorithm.m[1], u.shape[1], unrolled, quads // unrolled,
        place_of_u, place_of_stage, case.algorithm.m[0], eight, in_rounds, u[0].size, place_of_v, *rounding(one),
    ]  # fmt: skip
    words.view(np.int8)[4 * NUMBERS : 4 * NUMBERS + case.x.size] = case.x.reshape(-1)
    for place, array in ((place_of_u, u), (place_of_stage, stage), (place_of_v, of_v)):
        words[place : place + array.size] = array.reshape(-1)
    return words


def rounding(one: Layer) -> tuple[int, int]:
    """Places and raise, as the generated text has them."""
    called = re.search(r"wvv_round8\(.*, (\d+), (\d+)\);", bare_c.build(one.kernel.func).body)
    return (int(called[1]), int(called[2])) if called else (0, 0)


def check(outputs: bytes, given: list[Layer]) -> None:
    rows = np.frombuffer(outputs, np.int8).reshape(len(given), -1)
    for number, (row, one) in enumerate(zip(rows, given, strict=True)):
        expected = one.expected
        made = row[: expected.size].reshape(expected.shape)
        np.testing.assert_array_equal(made, expected, err_msg=f"{number} {one.case.algorithm} {one.case.op}")
        assert (row[expected.size :] == STALE).all(), f"{number}: wrote behind its output"


def given_layers() -> list[Layer]:
    made = [one for one in layers(seed=5) if one.expected.size <= Y_BYTES]
    assert len(made) > 70
    assert {(one.positive, one.in_8_bits) for one in made} == {(p, e) for p in (False, True) for e in (False, True)}
    return made


@pytest.mark.parametrize("name", qemu_names())
def test_on_cores(name: str, tmp_path: Path):
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    board, given = load_board(name), given_layers()
    elf = build_firmware(files(), board, tmp_path)
    data = np.stack([packed(one) for one in given])
    check(run_firmware(board, elf, data, Y_BYTES, timeout_s=60).outputs, given)


def test_portable_c_under_sanitizers(tmp_path: Path):
    require_tool("cc")
    given = given_layers()
    program = build_host(files(), tmp_path, sanitize=True)
    check(run_host(program, np.stack([packed(one) for one in given]), Y_BYTES).outputs, given)
