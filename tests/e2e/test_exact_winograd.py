"""Every exact algorithm through the whole flow: bytes of the firmware and of x86 code are the reference kernels'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import DATA, require_data, require_tool
from strategies import activation_tensor

from tvm_wvv.data.images import load as load_images
from tvm_wvv.data.images import to_input
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.frontends.tflite import from_bytes, load
from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.emit_c import emit
from tvm_wvv.micro.host import run_host
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.stand_in import qemu_names
from tvm_wvv.micro.toolchain import build_firmware, build_host
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower
from tvm_wvv.quant.fixed_point import to_float32
from tvm_wvv.quant.operators import Affine
from tvm_wvv.reference.golden import Golden

BATCH, HEIGHT, WIDTH = 3, 15, 13
# Output channels, padding and algorithm of each layer; the first has 3 input channels.
LAYERS = (
    (6, "SAME", "f4c"),
    (9, "VALID", "f2"),
    (16, "SAME", "f6c"),
    (5, "SAME", "f4x1"),
    (20, "VALID", "f2x1"),
    (7, "SAME", "f4c"),
)
# Extreme ones among them: with these every input of a layer may be 255 away from its zero point.
ZERO_POINTS = (-128, 127, 0, -128, -1, 127, 5)


def chain() -> bytes:
    """Six 3x3 convolutions, one after the other; weights of -128 in the first one."""
    rng = np.random.default_rng(11)
    affines = [Affine(0.5, point) for point in ZERO_POINTS]
    shape = (BATCH, HEIGHT, WIDTH, 3)
    tensors, operators = [activation_tensor("x", shape, affines[0])], []
    for number, (outputs, padding, _) in enumerate(LAYERS):
        weights = rng.integers(-128, 128, (outputs, 3, 3, shape[3]), dtype=np.int8)
        if number == 0:
            weights[:] = -128
        # Sums of random inputs then fill the output's range.
        scales = tuple(to_float32(s) for s in rng.uniform(0.8, 1.3, outputs) / (40 * (9 * shape[3]) ** 0.5))
        bias = rng.integers(-9999, 9999, outputs, dtype=np.int32)
        trimmed = 2 * (padding == "VALID")
        shape = (BATCH, shape[1] - trimmed, shape[2] - trimmed, outputs)
        source, result, w, b = "x" if number == 0 else f"y{number - 1}", f"y{number}", f"w{number}", f"b{number}"
        bias_scales = tuple(to_float32(0.5 * one) for one in scales)
        tensors += [
            Tensor(w, weights.shape, "int8", weights, scales, (0,) * outputs),
            Tensor(b, bias.shape, "int32", bias, bias_scales, (0,) * outputs),
            activation_tensor(result, shape, affines[number + 1]),
        ]
        options = {"padding": padding, "strides": (1, 1), "dilation": (1, 1), "activation": "NONE"}
        operators.append(Operator("CONV_2D", (source, w, b), (result,), options))
    return write_model(tensors, operators, ["x"], [f"y{len(LAYERS) - 1}"])


def chain_inputs() -> np.ndarray:
    x = np.random.default_rng(12).integers(-128, 128, (20, BATCH, HEIGHT, WIDTH, 3)).astype(np.int8)
    x[0], x[1] = -128, 127
    return x


def chain_options() -> Options:
    return Options(winograd="off", layers=tuple((f"y{k}", name) for k, (_, _, name) in enumerate(LAYERS)))


def on_qemu(
    model: QuantModel, options: Options, x: np.ndarray, golden: np.ndarray, folder: Path, name: str = "mps2-an386"
) -> np.ndarray:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    board = load_board(name)
    program = build_firmware(emit(lower(model, options, board.target)).files, board, folder)
    result = run_firmware(board, program, x.tobytes(), golden[0].nbytes)
    return np.frombuffer(result.outputs, np.int8).reshape(golden.shape)


@pytest.mark.parametrize("name", qemu_names())
def test_a_chain_of_all_algorithms_on_qemu(name: str, tmp_path: Path):
    model, x = chain(), chain_inputs()
    golden = next(iter(Golden(model).run(x).values()))
    assert len(np.unique(golden)) > 100
    read = from_bytes(model, "chain", "chain.tflite")
    algorithms = [layer.algorithm for layer in lower(read, chain_options(), "cortex_m").layers]
    assert algorithms == [f"{name}:exact" for _, _, name in LAYERS]
    np.testing.assert_array_equal(on_qemu(read, chain_options(), x, golden, tmp_path, name), golden)


def test_a_chain_of_microkernels_as_portable_c(tmp_path: Path):
    """The firmware of a core with DSP, compiled for the host with every microkernel's twin and with sanitizers."""
    require_tool("cc")
    model, x = chain(), chain_inputs()
    golden = next(iter(Golden(model).run(x).values()))
    files = emit(lower(from_bytes(model, "chain", "chain.tflite"), chain_options(), "cortex_m_dsp")).files
    assert "wvv_winograd_f4c.c" in files
    made = run_host(build_host(files, tmp_path, sanitize=True), x, golden[0].nbytes).outputs
    np.testing.assert_array_equal(np.frombuffer(made, np.int8).reshape(golden.shape), golden)


def test_a_chain_of_all_algorithms_on_x86():
    model, x = chain(), chain_inputs()
    golden = next(iter(Golden(model).run(x).values()))
    compiled = InProcess(lower(from_bytes(model, "chain", "chain.tflite"), chain_options(), "x86"))
    np.testing.assert_array_equal(np.stack([compiled.run((one,))[0] for one in x]), golden)


def test_complex_points_on_a_trained_network(tmp_path: Path):
    """The first 100 of the 1,468 images on which `wvv eval` finds no byte that differs."""
    path = require_data("models/pretrainedResnet_quant.tflite")
    require_data("cifar10_test_lossless_subset.parquet")
    model = load(path)
    info = model.inputs[0]
    assert info.affine is not None
    images = load_images(str(DATA / "cifar10_test_lossless_subset.parquet"), 100).images
    x = to_input(images, info.shape, info.affine.scale, info.affine.zero_point).reshape(-1, *info.shape)
    golden = Golden(path.read_bytes()).run(x)[model.outputs[0].name]
    np.testing.assert_array_equal(on_qemu(model, Options(winograd="f4c:exact"), x, golden, tmp_path), golden)
