"""Tiny hand-written models behind `wvv_model.h`, each with one property that a test of the firmware needs."""

from __future__ import annotations

import numpy as np

INPUT_BYTES = 5
OUTPUT_BYTES = 5

_FRAME = """
#include "wvv_model.h"
static int8_t input[5], output[5];
static const uint32_t input_bytes[] = {5}, output_bytes[] = {5};
static void *const inputs[] = {input};
static void *const outputs[] = {output};
int32_t tvmgen_t_run(void);
void burn(uint32_t count);
/* subs and bne once a round, then bx: 2 * count + 1 instructions. */
__attribute__((naked)) void burn(uint32_t count) {
  (void)count;
#ifdef __arm__
  __asm__ volatile("1: subs r0, r0, #1\\n\\t" "bne 1b\\n\\t" "bx lr");
#endif
}
%(helpers)s
int32_t tvmgen_t_run(void) {
%(body)s
}
const struct wvv_model wvv_model = {"t", 1, 1, %(layers)d, input_bytes, output_bytes, inputs, outputs, tvmgen_t_run};
"""

# Each output byte depends on its place too, so that a shifted or swapped byte shows.
_REVERSE = """
  for (int i = 0; i < 5; ++i) {
    output[i] = (int8_t)(uint8_t)((uint8_t)input[4 - i] + 3 + i);
  }
  return 0;
"""


def model(body: str = _REVERSE, *, helpers: str = "", layers: int = 0) -> dict[str, str]:
    """Generated files of a model; `body` is what `run` does."""
    frame = _FRAME if "burn(" in body else _FRAME.replace("__attribute__((naked)) ", "")
    return {"wvv_model.c": frame % {"helpers": helpers, "body": body, "layers": layers}}


def reversed_plus(data: np.ndarray) -> bytes:
    """What the default model gives for int8 examples of shape (n, 5)."""
    return (data[:, ::-1].astype(np.int64) + 3 + np.arange(5)).astype(np.int8).tobytes()


def examples(count: int) -> np.ndarray:
    """Int8 examples with both ends of the range among them."""
    data = np.random.default_rng(count).integers(-128, 128, (count, INPUT_BYTES), dtype=np.int8)
    data[0, 0], data[-1, -1] = -128, 127
    return data
