"""Print `wvv_serial_model.c`: what the serial protocol tells and needs of a model (see wvv_serial_model.h).

Takes a network's C files and tensors, and the board.
Gives the same files with that one more. Its `id` is made of the other files alone, so that every board's firmware of
one network has the same, and a host knows by it what a device holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.cache import key_of
from tvm_wvv.micro.toolchain import timer_kind

SERIAL_MODEL = "wvv_serial_model.c"
_ID_DIGITS = 16
_NAME_MOST = 32
# MLPerf Tiny's benchmarks by the shapes of their only input and output, and what their hosts send as input.
_TASKS = {
    ((1, 32, 32, 3), 10): ("ic01", "PIXELS"),
    ((1, 96, 96, 3), 2): ("vww01", "PIXELS"),
    ((1, 49, 10, 1), 12): ("kws01", "RAW"),
    ((1, 640), 640): ("ad01", "FLOATS"),
}
_CLOCKS = {
    "cmsdk": "CMSDK timer",
    "systick": "SysTick",
    "dwt": "DWT CYCCNT",
}


def with_serial(
    files: Mapping[str, str],
    board: Board,
    name: str,
    inputs: Sequence[TensorInfo],
    outputs: Sequence[TensorInfo],
    *,
    clock: str | None = None,
) -> dict[str, str]:
    """The files that `toolchain.build_firmware` makes firmware on a serial line of; `clock`: see below."""
    return {**files, SERIAL_MODEL: serial_model_source(firmware_id(files), board, name, inputs, outputs, clock=clock)}


def firmware_id(files: Mapping[str, str]) -> str:
    """Of a network's C files."""
    return key_of(part for item in sorted(files.items()) for part in item)[:_ID_DIGITS]


def clock_words(board: Board) -> str:
    """Where the firmware's time comes from, as `profile%` says it."""
    kind = timer_kind(board)
    if kind == "none":
        return "none"
    hertz = board.cpu.clock_hz if kind == "dwt" or board.timer is None else board.timer.clock_hz
    return f"{_CLOCKS[kind]}, {hertz} Hz"


def serial_model_source(
    identity: str,
    board: Board,
    name: str,
    inputs: Sequence[TensorInfo],
    outputs: Sequence[TensorInfo],
    *,
    clock: str | None = None,
) -> str:
    """The C text; `clock` says where time comes from on a system that has its own, in place of the board's timer."""
    task, db = _task(name, inputs, outputs)
    # A network that quantizes its input itself takes the real numbers as they are.
    quantizes = db == "FLOATS" and inputs[0].dtype != "float32"
    room = f"static float floats[{math.prod(inputs[0].shape)}];\n\n" if quantizes else ""
    return f"""#include "wvv_serial_model.h"

#include <stddef.h>

{room}{_tensors("inputs", inputs)}
{_tensors("outputs", outputs)}
const struct wvv_serial_model wvv_serial_model = {{
    .id = "{identity}",
    .task = "{task}",
    .board = "{board.name[:_NAME_MOST]}",
    .clock = "{clock or clock_words(board)}",
    .inputs = inputs,
    .outputs = outputs,
    .db = WVV_DB_{db if quantizes or db != "FLOATS" else "RAW"},
    .floats = {"floats" if quantizes else "NULL"},
    .distance = {"true" if task == "ad01" else "false"},
}};
"""


def _task(name: str, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> tuple[str, str]:
    if len(inputs) == len(outputs) == 1:
        found = _TASKS.get((inputs[0].shape, math.prod(outputs[0].shape)))
        # Pixels become codes by one flipped bit, which only an int8 input takes.
        if found is not None and (inputs[0].dtype == "int8" or found[1] == "FLOATS"):
            return found
    return name[:_NAME_MOST], "RAW"


def _tensors(kind: str, infos: Sequence[TensorInfo]) -> str:
    rows = "".join(f"    {_tensor(info)},\n" for info in infos)
    return f"static const struct wvv_tensor {kind}[] = {{\n{rows}}};\n"


def _tensor(info: TensorInfo) -> str:
    quantized = info.affine is not None and info.dtype != "float32"
    scale, zero_point = (info.affine.scale, info.affine.zero_point) if quantized and info.affine else (1.0, 0)
    # The shortest digits of the double that the float is: read as a float they give it back.
    return f"{{WVV_{info.dtype.upper()}, {math.prod(info.shape)}u, {float(np.float32(scale))!r}f, {zero_point}}}"
