"""The firmware's serial protocol as a program of this host: the same C files, on a model and a device of our own.

Every buffer stands between canaries, and the program ends with a message where one of them has changed.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from conftest import require_tool

from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.serial_model import with_serial
from tvm_wvv.micro.toolchain import SERIAL_PROTOCOL
from tvm_wvv.quant.operators import Affine
from tvm_wvv.resources import deploy_dir

# 7 + 6 and 5 + 8 bytes: odd sizes, so that a byte in the wrong tensor shows.
INPUTS = (
    TensorInfo("a", (7,), "int8", Affine(0.5, -3)),
    TensorInfo("b", (3,), "int16", Affine(0.25, 0)),
)
OUTPUTS = (
    TensorInfo("p", (5,), "int8", Affine(0.0625, 7)),
    TensorInfo("q", (2,), "float32", None),
)
INPUT_BYTES, OUTPUT_BYTES = 13, 13
SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

_MODEL = """
#include <string.h>
#include "wvv_model.h"
#include "canaries.h"
struct guarded_bytes wvv_test_a = GUARDED, wvv_test_b = GUARDED, wvv_test_p = GUARDED, wvv_test_q = GUARDED;
static const uint32_t input_bytes[] = {7, 6}, output_bytes[] = {5, 8};
static void *const inputs[] = {wvv_test_a.bytes, wvv_test_b.bytes};
static void *const outputs[] = {wvv_test_p.bytes, wvv_test_q.bytes};
static int32_t run(void) {
  int16_t half[3];
  float real[2];
  memcpy(half, wvv_test_b.bytes, sizeof half);
  for (int i = 0; i < 5; ++i) { wvv_test_p.bytes[i] = (uint8_t)(wvv_test_a.bytes[6 - i] + i); }
  real[0] = (float)half[0] / 3.0f;
  real[1] = (float)(half[1] - half[2]) * 1.5f;
  memcpy(wvv_test_q.bytes, real, sizeof real);
  return wvv_test_a.bytes[0] == 0x7f ? -1 : 0;
}
const struct wvv_model wvv_model = {"odd", 2, 2, 1, input_bytes, output_bytes, inputs, outputs, run};
"""

_CANARIES = """
#include <stdint.h>
#define GUARD 64
#define GUARDED {.bytes = {0}}
struct guarded_bytes { uint8_t before[GUARD]; uint8_t bytes[8]; uint8_t after[GUARD]; };
extern struct guarded_bytes wvv_test_a, wvv_test_b, wvv_test_p, wvv_test_q;
"""

# What a program has: `take(byte)` feeds one, `check()` ends it where a canary changed; `say` is for the program.
_DEVICE = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "canaries.h"
#include "wvv_model.h"
#include "wvv_serial_protocol.h"

static struct { uint8_t before[GUARD]; struct wvv_serial serial; uint8_t after[GUARD]; } it;
static uint64_t now;
static int runs;
static void say(char character);
static bool microseconds(uint64_t *at) { *at = now += 1000u; return now < UINT64_C(1) << 40; }
static uint32_t ticks(int32_t *status) { *status = wvv_model.run(); return 40u + (uint32_t)++runs; }
static uint32_t stack_bytes(void) { return 1234u; }
static void start(void);
static const struct wvv_serial_device device = {say, microseconds, ticks, stack_bytes, start};

/* As after a power-up: nothing of the inputs is left. */
static void start(void) {
  memset(wvv_test_a.bytes, 0, 7);
  memset(wvv_test_b.bytes, 0, 6);
  wvv_serial_open(&it.serial, &device);
}
static void paint(struct guarded_bytes *one) { memset(one->before, 0x5a, GUARD); memset(one->after, 0x5a, GUARD); }
static void open_device(void) {
  paint(&wvv_test_a); paint(&wvv_test_b); paint(&wvv_test_p); paint(&wvv_test_q);
  memset(it.before, 0x5a, GUARD);
  memset(it.after, 0x5a, GUARD);
  start();
}
static void check_guard(const uint8_t *bytes) {
  for (int i = 0; i < GUARD; ++i) { if (bytes[i] != 0x5a) { fputs("a canary changed\\n", stderr); exit(9); } }
}
static void check_one(const struct guarded_bytes *one) { check_guard(one->before); check_guard(one->after); }
static void check(void) {
  check_one(&wvv_test_a); check_one(&wvv_test_b); check_one(&wvv_test_p); check_one(&wvv_test_q);
  check_guard(it.before);
  check_guard(it.after);
}
static void take(uint8_t byte) { wvv_serial_feed(&it.serial, byte); }
"""

ON_STDIO = """
static void say(char character) { putchar(character); }
int main(void) {
  open_device();
  fflush(stdout);
  for (int byte; (byte = getchar()) != EOF; fflush(stdout)) { take((uint8_t)byte); check(); }
  return 0;
}
"""


def build_device(
    folder: Path, main: str = ON_STDIO, *, compiler: str = "cc", flags: tuple[str, ...] = SANITIZERS
) -> Path:
    """The program; `main` is C text that uses `_DEVICE`."""
    model = with_serial({"wvv_model.c": _MODEL}, load_board("mps2-an386"), "odd", INPUTS, OUTPUTS)
    return build_program(folder, {**model, "canaries.h": _CANARIES, "main.c": _DEVICE + main}, compiler, flags)


def build_program(
    folder: Path, files: dict[str, str], compiler: str = "cc", flags: tuple[str, ...] = SANITIZERS
) -> Path:
    """A program of these files and the protocol's."""
    require_tool(compiler)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="ascii")
    runtime = deploy_dir() / "runtime"
    own = [folder / name for name in files if name.endswith(".c")]
    sources = [*own, *(runtime / name for name in SERIAL_PROTOCOL)]
    places = [f"-I{folder}", f"-I{runtime}", f"-I{runtime / 'include'}"]
    command = [compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", *flags, *places, *map(str, sources)]
    subprocess.run([*command, "-o", str(folder / "device")], check=True)
    return folder / "device"


def say(program: Path, sent: str | bytes) -> list[str]:
    """What a device that just started answers to all of it, line by line."""
    data = sent.encode("latin-1") if isinstance(sent, str) else sent
    done = subprocess.run([program], input=data, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    return done.stdout.decode("ascii").replace("\r\n", "\n").splitlines()


def oracle(data: bytes) -> bytes:
    """The outputs of the model for 13 bytes of input, in NumPy."""
    a = np.frombuffer(data[:7], np.uint8).astype(np.int64)
    b = np.frombuffer(data[7:], "<i2").astype(np.float32)
    p = (a[6:1:-1] + np.arange(5)).astype(np.uint8)
    q = np.array([b[0] / np.float32(3), (b[1] - b[2]) * np.float32(1.5)], np.float32)
    return p.tobytes() + q.tobytes()
