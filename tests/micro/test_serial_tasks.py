"""MLPerf Tiny's four tasks: what the bytes of `db` mean for each, and what `results` says."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from serial_device import build_program, say

from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.serial_model import SERIAL_MODEL, clock_words, firmware_id, serial_model_source, with_serial
from tvm_wvv.quant.operators import Affine

BOARD = load_board("mps2-an386")
# The outputs are the first bytes of the input, so that what was loaded can be seen.
_COPY = """
#include <string.h>
#include <stdio.h>
#include "wvv_model.h"
#include "wvv_serial_protocol.h"
static _Alignas(16) uint8_t in[%(inputs)d], out[%(outputs)d];
static const uint32_t input_bytes[] = {sizeof in}, output_bytes[] = {sizeof out};
static void *const inputs[] = {in};
static void *const outputs[] = {out};
static int32_t run(void) { memcpy(out, in, sizeof out); return 0; }
const struct wvv_model wvv_model = {"copy", 1, 1, 1, input_bytes, output_bytes, inputs, outputs, run};
static void put(char character) { putchar(character); }
static bool microseconds(uint64_t *at) { *at = 0; return false; }
static uint32_t ticks(int32_t *status) { *status = run(); return 0u; }
static uint32_t stack_bytes(void) { return 0u; }
static void reset(void) {}
int main(void) {
  static struct wvv_serial serial;
  static const struct wvv_serial_device device = {put, microseconds, ticks, stack_bytes, reset};
  wvv_serial_open(&serial, &device);
  for (int byte; (byte = getchar()) != EOF;) { wvv_serial_feed(&serial, (uint8_t)byte); }
  return 0;
}
"""


def tensor(shape: tuple[int, ...], scale: float = 1.0, zero_point: int = 0, dtype: str = "int8") -> TensorInfo:
    return TensorInfo("t", shape, dtype, Affine(scale, zero_point))


def program(folder: Path, given: TensorInfo, result: TensorInfo) -> Path:
    sizes = [math.prod(info.shape) * np.dtype(info.dtype).itemsize for info in (given, result)]
    files = {"main.c": _COPY % {"inputs": sizes[0], "outputs": sizes[1]}}
    return build_program(folder, with_serial(files, BOARD, "copy", (given,), (result,)))


def loaded(data: bytes) -> str:
    """As mlcommons/tiny's runner sends it: 31 bytes a line."""
    lines = [f"db {data[at : at + 31].hex()}%" for at in range(0, len(data), 31)]
    return f"db load {len(data)}%{''.join(lines)}infer 1 0%"


def results(lines: list[str]) -> list[str]:
    (line,) = (line for line in lines if line.startswith("m-results-["))
    return line.removeprefix("m-results-[").removesuffix("]").split(",")


def model_name(lines: list[str]) -> str:
    return next(line for line in lines if line.startswith("m-model"))


@pytest.mark.parametrize(("task", "shape", "classes"), [("ic01", (1, 32, 32, 3), 10), ("vww01", (1, 96, 96, 3), 2)])
def test_pixels_are_unsigned(tmp_path, task, shape, classes):
    device = program(tmp_path, tensor(shape), tensor((1, classes), 1.0, 0))
    pixels = np.random.default_rng(1).integers(0, 256, math.prod(shape)).astype(np.uint8)
    pixels[:2] = 0, 255
    lines = say(device, f"profile%{loaded(pixels.tobytes())}db print%")
    assert model_name(lines) == f"m-model-[{task}]"
    assert results(lines) == [f"{int(pixel) - 128}.000" for pixel in pixels[:classes]]
    assert f"m-buffer-{'-'.join(f'{pixel:02x}' for pixel in pixels[:8])}" in lines


def test_keywords_are_codes_already(tmp_path):
    device = program(tmp_path, tensor((1, 49, 10, 1)), tensor((1, 12), 1 / 256, -128))
    codes = np.random.default_rng(2).integers(-128, 128, 490).astype(np.int8)
    codes[0] = -128
    lines = say(device, f"profile%{loaded(codes.tobytes())}")
    assert model_name(lines) == "m-model-[kws01]"
    assert results(lines) == [f"{(int(code) + 128) / 256:0.3f}" for code in codes[:12]]


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_a_machine_s_sound_is_real_numbers_and_its_result_a_distance(tmp_path, dtype):
    scale, zero_point = 0.3910152316093445, 92
    given = tensor((1, 640), scale, zero_point, dtype)
    device = program(tmp_path, given, tensor((1, 640), 0.36449846625328064, 96, dtype))
    sound = np.random.default_rng(3).normal(-10, 15, 640).astype(np.float32)
    sound[:4] = 1000, -1000, 0, np.float32(scale) * np.float32(2.5)
    lines = say(device, f"profile%{loaded(sound.tobytes())}")
    assert model_name(lines) == "m-model-[ad01]"
    if dtype == "float32":
        assert results(lines) == ["0.000"]
        return
    steps = sound / np.float32(scale)
    # Halves go away from 0, unlike NumPy's own rounding.
    codes = np.clip(np.trunc(steps + np.copysign(np.float32(0.5), steps)) + zero_point, -128, 127)
    back = (codes.astype(np.float32) - 96) * np.float32(0.36449846625328064)
    (found,) = results(lines)
    # The device sums 640 floats one after the other, NumPy in pairs.
    assert float(found) == pytest.approx(float(np.mean((back - sound) ** 2, dtype=np.float64)), rel=1e-5)


def test_what_is_no_number_is_the_least_code(tmp_path):
    device = program(tmp_path, tensor((1, 640), 0.5, 3), tensor((1, 640), 0.5, 3))
    sound = np.zeros(640, np.float32)
    sound[:3] = np.nan, np.inf, -np.inf
    assert "m-wvv-000000-807f80" in say(device, f"{loaded(sound.tobytes())}wvv-get 000000 000003%")[-2]


def test_real_outputs_are_printed_as_they_are(tmp_path):
    device = program(tmp_path, tensor((3,), dtype="float32"), tensor((3,), dtype="float32"))
    lines = say(device, f"profile%{loaded(np.array([1.5, -0.25, 1e-9], '<f4').tobytes())}")
    assert (model_name(lines), results(lines)) == ("m-model-[copy]", ["1.500", "-0.250", "0.000"])


@pytest.mark.parametrize(("dtype", "codes"), [("uint8", [0, 200, 255]), ("int16", [-32768, 5]), ("int32", [2**31 - 1])])
def test_codes_of_every_type_are_read(tmp_path, dtype, codes):
    info = tensor((len(codes),), 0.5, 1, dtype)
    lines = say(program(tmp_path, info, info), loaded(np.array(codes, dtype).tobytes()))
    wanted = [f"{float(np.float32(code - 1) * np.float32(0.5)):0.3f}" for code in codes]
    assert results(lines) == wanted


def test_without_a_clock_there_is_no_time(tmp_path):
    lines = say(program(tmp_path, tensor((1,)), tensor((1,))), f"{loaded(b'0')}timestamp%")
    assert lines.count("e-[No clock, or it ran over]") == 3
    assert not any(line.startswith("m-lap") for line in lines)


def test_the_firmware_s_id_is_of_the_model_alone():
    files = {"a.c": "int a;\n", "b.c": "int b;\n"}
    one, other = (with_serial(files, load_board(name), "m", (), ()) for name in ("mps2-an386", "netduinoplus2"))
    assert one[SERIAL_MODEL] != other[SERIAL_MODEL]
    assert firmware_id(files) in one[SERIAL_MODEL] and firmware_id(files) in other[SERIAL_MODEL]
    assert firmware_id({**files, "a.c": "int a; "}) != firmware_id(files)


def test_the_clock_is_named():
    assert clock_words(BOARD) == "CMSDK timer, 25000000 Hz"
    assert clock_words(load_board("netduinoplus2")) == "SysTick, 21000000 Hz"
    assert clock_words(load_board("nucleo-l4r5zi")) == "DWT CYCCNT, 16000000 Hz"


def test_a_long_name_is_cut_to_what_a_line_holds():
    text = serial_model_source("0" * 16, BOARD, "x" * 200, (tensor((2,)),), (tensor((2,)),))
    assert f'.task = "{"x" * 32}"' in text
