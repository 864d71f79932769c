"""MLPerf Tiny's int8 networks and the packaged one: output bytes of firmware and x86 code are TFLite's kernels'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import require_data, require_tool

from tvm_wvv.data.images import load as load_images
from tvm_wvv.data.images import to_input
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.frontends.tflite import load
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.emit_c import emit
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.stand_in import qemu_names
from tvm_wvv.micro.toolchain import build_firmware
from tvm_wvv.models import packaged
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower
from tvm_wvv.reference.golden import Golden

MODELS = ("digits", "pretrainedResnet_quant", "kws_ref_model", "vww_96_int8", "ad01_int8")
COUNT = 100
IMAGES = {"pretrainedResnet_quant": "cifar10_test_lossless_subset.parquet", "digits": "digits"}
# The whole list runs on these two; on the others one network of many shapes and the packaged one.
FIRST_BOARDS = ("mps2-an386", "mps2-an500")
OTHER_BOARDS = [name for name in qemu_names() if name not in FIRST_BOARDS]


def path_of(name: str) -> Path:
    return packaged(name) or require_data(f"models/{name}.tflite")


def inputs_of(name: str, model: QuantModel) -> np.ndarray:
    """Real images for the networks that have them, random bytes with both ends among them for the others."""
    info = model.inputs[0]
    if name in IMAGES:
        source = str(require_data(IMAGES[name])) if IMAGES[name].endswith(".parquet") else IMAGES[name]
        images = load_images(source, COUNT).images
        assert info.affine is not None
        return to_input(images, info.shape, info.affine.scale, info.affine.zero_point).reshape(-1, *info.shape)
    x = np.random.default_rng(5).integers(-128, 128, (COUNT, *info.shape)).astype(np.int8)
    x[0], x[1] = -128, 127
    return x


@pytest.fixture(scope="module", params=MODELS)
def network(request: pytest.FixtureRequest) -> tuple[QuantModel, np.ndarray, np.ndarray]:
    """A model, inputs, and the reference kernels' outputs."""
    path = path_of(request.param)
    model = load(path)
    x = inputs_of(request.param, model)
    assert len(x) >= COUNT
    return model, x, Golden(path.read_bytes()).run(x)[model.outputs[0].name]


@pytest.mark.parametrize("winograd", ["off", "f2"])
@pytest.mark.parametrize("board", FIRST_BOARDS)
def test_firmware_gives_the_reference_bytes(network: tuple, winograd: str, board: str, tmp_path: Path):
    check_firmware(network, winograd, board, tmp_path)


@pytest.mark.parametrize("network", IMAGES, indirect=True)
@pytest.mark.parametrize("winograd", ["off", "f2"])
@pytest.mark.parametrize("board", OTHER_BOARDS)
def test_every_board_gives_the_reference_bytes(network: tuple, winograd: str, board: str, tmp_path: Path):
    check_firmware(network, winograd, board, tmp_path)


def check_firmware(network: tuple, winograd: str, board: str, tmp_path: Path) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    model, x, golden = network
    machine = load_board(board)
    program = build_firmware(emit(lower(model, Options(winograd=winograd), machine.target)).files, machine, tmp_path)
    result = run_firmware(machine, program, x.tobytes(), golden[0].nbytes)
    np.testing.assert_array_equal(np.frombuffer(result.outputs, np.int8).reshape(golden.shape), golden)


@pytest.mark.parametrize("winograd", ["off", "f2"])
def test_x86_gives_the_reference_bytes(network: tuple, winograd: str):
    model, x, golden = network
    compiled = InProcess(lower(model, Options(winograd=winograd), "x86"))
    np.testing.assert_array_equal(np.stack([compiled.run((one,))[0] for one in x]), golden)


@pytest.mark.parametrize("winograd", ["off", "f2"])
def test_every_layer_is_the_references(network: tuple, winograd: str):
    model, x, _ = network
    path = path_of(model.name)
    golden = Golden(path.read_bytes(), all_tensors=True).layers(x[:3])
    lowered = lower(model, Options(winograd=winograd, every_layer=True), "x86")
    compiled = InProcess(lowered)
    assert [info.name for info in lowered.outputs] == list(golden)
    for i in range(3):
        for info, value in zip(lowered.outputs, compiled.run((x[i],)), strict=True):
            np.testing.assert_array_equal(value, golden[info.name][i], err_msg=info.name)
