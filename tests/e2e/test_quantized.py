"""Whole networks in arithmetic that rounds: the bytes of Cortex-M4 firmware, of x86 code and of the NumPy oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import DATA, require_data, require_tool
from integer_network import run_layers

from tvm_wvv.data.images import load as load_images
from tvm_wvv.data.images import to_input
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.frontends.tflite import load
from tvm_wvv.micro.board import Board, load_board
from tvm_wvv.micro.emit_c import emit
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.toolchain import build_firmware
from tvm_wvv.models import packaged
from tvm_wvv.passes.fuse_qdq import FuseQdq
from tvm_wvv.passes.options import Options, Target
from tvm_wvv.passes.pipeline import decide, lower

BOARD = load_board("mps2-an386")


def oracle(model: QuantModel, options: Options, x: np.ndarray) -> np.ndarray:
    integer = FuseQdq()(model.module)  # type: ignore[operator]
    decisions = decide(integer, options)
    outputs = [list(run_layers(integer, {model.inputs[0].name: one}, decisions).values())[-1] for one in x]
    return np.stack(outputs)


def on_qemu(
    model: QuantModel, options: Options, x: np.ndarray, folder: Path, board: Board = BOARD, target: Target = "cortex_m"
) -> np.ndarray:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    program = build_firmware(emit(lower(model, options, target)).files, board, folder)
    shape = model.outputs[0].shape
    made = run_firmware(board, program, x.tobytes(), int(np.prod(shape))).outputs
    return np.frombuffer(made, np.int8).reshape(len(x), *shape)


def on_x86(model: QuantModel, options: Options, x: np.ndarray) -> np.ndarray:
    compiled = InProcess(lower(model, options, "x86"))
    return np.stack([compiled.run((one,))[0] for one in x])


def random_inputs(model: QuantModel, count: int) -> np.ndarray:
    """All least, all greatest, random bytes."""
    x = np.random.default_rng(5).integers(-128, 128, (count, *model.inputs[0].shape)).astype(np.int8)
    x[0], x[1] = -128, 127
    return x


# Both forms of each stage: V as it is and requantized on 16 and on 8 bits, sums wide, narrow and as they are.
@pytest.mark.parametrize("winograd", ["f4c:int8", "f6:int16", "f4x1:int8", "f2x1:int16"])
def test_digits_on_the_emulated_m4_give_the_oracles_bytes(winograd: str, tmp_path: Path) -> None:
    path = packaged("digits")
    assert path is not None
    model, options = load(path), Options(winograd=winograd)
    x = random_inputs(model, 12)
    np.testing.assert_array_equal(on_qemu(model, options, x, tmp_path), oracle(model, options, x))


@pytest.mark.parametrize("winograd", ["f2:int8", "f4:int8", "f4c:int8", "f4c:exact"])
def test_digits_on_the_emulated_m55_give_the_oracles_bytes(winograd: str, tmp_path: Path) -> None:
    path = packaged("digits")
    assert path is not None
    model, options, board = load(path), Options(winograd=winograd), load_board("mps3-an547")
    x = random_inputs(model, 5)
    made = on_qemu(model, options, x, tmp_path, board, board.target)
    np.testing.assert_array_equal(made, oracle(model, options, x))


@pytest.mark.parametrize("winograd", ["f4h:int16", "f4c:int8"])
def test_resnet8_gives_the_oracles_bytes_on_x86_and_the_emulated_m4(winograd: str, tmp_path: Path) -> None:
    model, options = load(require_data("models/pretrainedResnet_quant.tflite")), Options(winograd=winograd)
    require_data("cifar10_test_lossless_subset.parquet")
    info = model.inputs[0]
    assert info.affine is not None
    images = load_images(str(DATA / "cifar10_test_lossless_subset.parquet"), 14).images
    real = to_input(images, info.shape, info.affine.scale, info.affine.zero_point).reshape(-1, *info.shape)
    x = np.concatenate([random_inputs(model, 4), real])
    expected = oracle(model, options, x)
    np.testing.assert_array_equal(on_x86(model, options, x), expected)
    np.testing.assert_array_equal(on_qemu(model, options, x, tmp_path), expected)
