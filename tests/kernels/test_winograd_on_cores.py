"""The Winograd microkernels give the bytes of direct convolution on each core and, as portable C under sanitizers, on
the host.

One firmware takes any layer as words: its numbers, then x, U and stages. It runs the loops that `winograd_dsp` writes
as TensorIR, once more in C.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import require_tool
from winograd_dsp_cases import VARIANTS, Layer, layers

from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.host import run_host
from tvm_wvv.micro.microkernels import microkernel_files
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.stand_in import qemu_names
from tvm_wvv.micro.toolchain import build_firmware, build_host

NUMBERS, WORDS, Y_BYTES, STALE = 24, 16384, 2048, 85

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
static product *const products[] = {WVV_EACH_COUNT_OF_QUADS(ONE)};
static rounds *const in_rounds[] = {WVV_EACH_COUNT_OF_QUADS(MANY)};
static input *const into[] = {wvv_f2_input, wvv_f4_input, wvv_f4c_input};
static result *const back[][2] = {{wvv_f2_output, wvv_f2_output_positive}, {wvv_f4_output, wvv_f4_output_positive},
                                  {wvv_f4c_output, wvv_f4c_output_positive}};

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
  const int32_t count = g[7], top = g[8], left = g[9], zero_point = g[10], positive = g[11], size = g[14], taps = g[15];
  const int32_t unrolled = g[16], many = g[17], rows = (out_h + size - 1) / size, columns = (out_w + size - 1) / size;
  const int8_t *x = own((const int8_t *)(g + NUMBERS), batch * height * width * channels);
  const int32_t *u = g + g[18], *stage = g + g[19], tiles = batch * rows * columns;
  memset(output, STALE, sizeof output);
  memset(v, STALE, sizeof v);
  for (int32_t first = 0; first < tiles; first += 2) {
    const int32_t last = first + 1 < tiles ? first + 1 : first;
    for (int32_t tile = first; tile <= last; ++tile) {
      const int32_t n = tile / (rows * columns), row = tile / columns % rows, column = tile % columns;
      into[variant](x + n * height * width * channels, v + (tile - first), row * size - top, column * size - left,
                    height, width, channels, zero_point);
    }
    for (int32_t o = 0; o < count; o += 2) {
      const int32_t *weights = u + o / 2 * taps * 4 * unrolled * many;
      if (many == 1) {
        products[unrolled - 1](v, weights, m, taps);
      } else {
        in_rounds[unrolled - 1](v, weights, m, taps, many);
      }
      for (int32_t tile = first; tile <= last; ++tile) {
        const int32_t n = tile / (rows * columns), h = tile / columns % rows * size, w = tile % columns * size;
        int8_t *to = output + ((n * out_h + h) * out_w + w) * count + o;
        back[variant][positive](m + 2 * (tile - first), stage + 4 * o, to, out_h - h, out_w - w,
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
    case, (u, stage) = one.case, one.kernel.constants
    quads = u.shape[2]
    unrolled = max(count for count in range(1, 17) if quads % count == 0)
    words = np.zeros(WORDS, np.int32)
    place_of_u = NUMBERS + -(-case.x.size // 4)
    place_of_stage = place_of_u + u.size
    out_h, out_w = case.grid.output
    words[:20] = [
        VARIANTS.index(case.algorithm), *case.x.shape, out_h, out_w, case.weights.shape[0], *case.padding[:2],
        case.zero_point, one.positive, *case.op.clamp, case.algorithm.m[0], case.algorithm.taps, unrolled,
        quads // unrolled, place_of_u, place_of_stage,
    ]  # fmt: skip
    words.view(np.int8)[4 * NUMBERS : 4 * NUMBERS + case.x.size] = case.x.reshape(-1)
    words[place_of_u:place_of_stage] = u.reshape(-1)
    words[place_of_stage : place_of_stage + stage.size] = stage.reshape(-1)
    return words


def check(outputs: bytes, given: list[Layer]) -> None:
    rows = np.frombuffer(outputs, np.int8).reshape(len(given), -1)
    for number, (row, one) in enumerate(zip(rows, given, strict=True)):
        expected = one.expected
        made = row[: expected.size].reshape(expected.shape)
        np.testing.assert_array_equal(made, expected, err_msg=f"{number} {one.case.algorithm} {one.case.op}")
        assert (row[expected.size :] == STALE).all(), f"{number}: wrote behind its output"


def given_layers() -> list[Layer]:
    made = [one for one in layers(seed=5) if one.expected.size <= Y_BYTES]
    assert len(made) > 25
    assert {one.positive for one in made} == {False, True}
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
