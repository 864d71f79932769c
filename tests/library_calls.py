"""Many calls of a library in one firmware: each with its own operands, scratch of the very size, and a guard behind it.

The program's outputs are those of all calls in order; its last bytes say for each call whether the guard was kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tvm_wvv.kernels.cmsis_nn import SHIM
from tvm_wvv.kernels.library_call import LibraryCall

Arrays = Sequence[np.ndarray]
GUARD = 64  # bytes

_FRAME = """
#include <string.h>

#include "wvv_cmsis_nn.h"
#include "wvv_model.h"

static uint8_t ask[1];
%(arrays)s
static int8_t output[%(bytes)d];
static uint8_t kept[%(count)d];
static _Alignas(16) uint8_t scratch[%(scratch)d];
static const uint32_t input_bytes[] = {1}, output_bytes[] = {sizeof output, sizeof kept};
static void *const inputs[] = {ask};
static void *const outputs[] = {output, kept};

static uint8_t guarded(uint32_t from) {
  for (uint32_t i = from; i < sizeof scratch; ++i) {
    if (scratch[i] != 0x5a) {
      return 0;
    }
  }
  return 1;
}

static int32_t run(void) {
%(body)s
  return wvv_cmsis_nn_take_status();
}

const struct wvv_model wvv_model = {"t", 1, 2, 0, input_bytes, output_bytes, inputs, outputs, run};
"""


@dataclass(frozen=True)
class Fed:
    """A call with its inputs and the scratch that the library asked for."""

    call: LibraryCall
    inputs: Arrays
    scratch_bytes: int

    @property
    def operands(self) -> Arrays:
        """In the order of the shim's pointers, up to the output."""
        return (*self.inputs, *(array for _, array in self.call.constants), np.array(self.call.parameters, np.int32))


def program(fed: Sequence[Fed]) -> str:
    """`wvv_model.c` of a firmware that makes all calls."""
    sizes = [int(np.prod(one.call.output)) for one in fed]
    starts = np.cumsum([0, *sizes]).tolist()
    arrays = [_array(f"a{i}_{j}", array) for i, one in enumerate(fed) for j, array in enumerate(one.operands)]
    body = [_call(i, one, start) for i, (one, start) in enumerate(zip(fed, starts, strict=False))]
    return _FRAME % {
        "arrays": "".join(arrays), "bytes": starts[-1], "count": len(fed), "body": "".join(body),
        "scratch": max(one.scratch_bytes for one in fed) + GUARD,
    }  # fmt: skip


def _call(number: int, one: Fed, start: int) -> str:
    pointers = [f"a{number}_{j}" for j in range(len(one.operands))]
    arguments = (*pointers, f"output + {start}", "(int32_t *)(void *)scratch", str(one.scratch_bytes))
    return (
        "  memset(scratch, 0x5a, sizeof scratch);\n"
        f"  {SHIM.prefix}{one.call.operator}({', '.join(arguments)});\n"
        f"  kept[{number}] = guarded({one.scratch_bytes}u);\n"
    )


def _array(name: str, array: np.ndarray) -> str:
    values = ", ".join(map(str, array.ravel().tolist())) or "0"
    return f"static const {array.dtype}_t {name}[] = {{{values}}};\n"
