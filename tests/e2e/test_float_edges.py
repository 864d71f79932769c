"""Networks with float32 input and output: floats of the firmware, of x86 code and of TFLite's kernels, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import cache, wvv
from conftest import require_data, require_tool
from float_edges import INT8, with_float_edges

from tvm_wvv.data.images import load as load_images
from tvm_wvv.data.images import real, to_input
from tvm_wvv.frontends.tflite import from_bytes
from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.models import packaged
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower
from tvm_wvv.quant.operators import Affine
from tvm_wvv.reference.golden import Golden

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]

MODELS = ("digits", "pretrainedResnet_quant", "kws_ref_model", "vww_96_int8", "ad01_int8")
BOARDS = ("x86", "mps2-an386", "mps2-an500")


def original(name: str) -> bytes:
    return (packaged(name) or require_data(f"models/{name}.tflite")).read_bytes()


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("float") / "float_digits.tflite"
    path.write_bytes(with_float_edges(original("digits")))
    return path


@pytest.fixture(autouse=True)
def _tools(request: pytest.FixtureRequest):
    if "mps2" in request.node.name:
        require_tool("arm-none-eabi-gcc")
        require_tool("qemu-system-arm")


def bits(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).view(np.uint32)


@pytest.mark.parametrize("board", BOARDS)
def test_run_gives_the_floats_of_the_reference_bit_for_bit(tmp_path: Path, digits: Path, board: str):
    pixels = to_input(load_images("digits", 12).images, (1, 16, 16, 1), 1 / 255, -128, "float32")
    rng = np.random.default_rng(2)
    # Between the codes, on their halves, and far out of range, besides the images themselves.
    noise = rng.normal(0.5, 0.4, (4, 16, 16, 1)).astype(np.float32)
    halves = (np.float32(1 / 255) * (rng.integers(-260, 260, (4, 16, 16, 1)) + 0.5)).astype(np.float32)
    wide = rng.uniform(-1e6, 1e6, (2, 16, 16, 1)).astype(np.float32)
    x = np.concatenate([pixels, noise, halves, wide])
    np.save(tmp_path / "x.npy", x)
    paths = ("--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    value = wvv("run", digits, "--board", board, *paths, "--json").value
    assert value["outputs"]["probabilities"]["dtype"] == "float32"
    y = np.load(tmp_path / "y.npy")
    (golden,) = Golden(digits.read_bytes()).run(x[:, np.newaxis]).values()
    assert len(np.unique(golden)) > 20
    np.testing.assert_array_equal(bits(y), bits(golden.reshape(y.shape)))


@pytest.mark.parametrize("board", [*BOARDS, "reference"])
def test_eval_shows_the_network_the_same_codes(digits: Path, board: str):
    of_float, of_int8 = (
        wvv("eval", model, "--board", board, "--data", "digits", "--limit", "30", "--json").value
        for model in (digits, "digits")
    )
    assert of_float == of_int8
    assert (of_float["agreement"], of_float["identical"]) == (1.0, 1.0)


def test_an_archive_profile_and_sizes_on_mps2(tmp_path: Path, digits: Path):
    archive = tmp_path / "float.tar"
    assert wvv("compile", digits, "-o", archive, "--board", "mps2-an386").status == 0
    value = wvv("eval", archive, "--board", "x86", "--data", "digits", "--limit", "5", "--json").value
    assert (value["agreement"], value["identical"]) == (1.0, 1.0)
    layers = wvv("profile", archive, "--board", "mps2-an386", "--json").value["layers"]
    assert (layers[0]["op"], layers[-1]["op"]) == ("quantize", "dequantize")
    # A loop of one load, one division and one store for each of 256 pixels; a call of libm would show.
    assert 256 * 5 < layers[0]["instructions"] < 256 * 40


@pytest.mark.parametrize("target", ["x86", "cortex_m"])
@pytest.mark.parametrize("name", MODELS)
def test_every_layer_is_the_references(name: str, target: str):
    data = with_float_edges(original(name))
    model = from_bytes(data, name, name)
    info = model.inputs[0]
    assert (info.dtype, model.outputs[0].dtype) == ("float32", "float32")
    assert info.affine is not None
    codes = np.random.default_rng(3).integers(-128, 128, (2, *info.shape), dtype=np.int8)
    x = real(codes, info.affine.scale, info.affine.zero_point)
    golden = Golden(data, all_tensors=True).layers(x)
    np.testing.assert_array_equal(golden[info.name + INT8], codes)
    lowered = lower(model, Options(winograd="f2", every_layer=True), target)  # type: ignore[arg-type]
    compiled = InProcess(lowered)
    assert [info.name for info in lowered.outputs] == list(golden)
    for i in range(2):
        for one, value in zip(lowered.outputs, compiled.run((x[i],)), strict=True):
            assert str(value.dtype) == one.dtype
            assert value.tobytes() == golden[one.name][i].tobytes(), one.name


def test_the_affine_of_a_float_tensor_is_that_of_its_codes():
    x, one, other = Tensor("x", (1, 3), "float32"), *(_codes(name, s) for name, s in (("a", 0.5), ("b", 0.25)))
    y, z = Tensor("y", (1, 3), "float32"), Tensor("z", (1, 3), "float32")
    quantize = [Operator("QUANTIZE", ("x",), ("a",)), Operator("QUANTIZE", ("x",), ("b",))]
    back = [Operator("DEQUANTIZE", ("a",), ("y",)), Operator("DEQUANTIZE", ("b",), ("z",))]
    data = write_model([x, one, other, y, z], [*quantize, *back], ["x"], ["y", "b", "z"])
    model = from_bytes(data, "m", "m")
    assert [info.affine for info in model.outputs] == [Affine(0.5, 3), Affine(0.25, 3), Affine(0.25, 3)]
    assert model.inputs[0].affine is None  # two quantizations of one input
    values = np.array([[0.25, -0.125, 100.0]], np.float32)
    golden = Golden(data).run(values[np.newaxis])
    for ours, name in zip(InProcess(lower(model, Options(), "x86")).run((values,)), "ybz", strict=True):
        assert ours.tobytes() == golden[name][0].tobytes()


def _codes(name: str, scale: float) -> Tensor:
    return Tensor(name, (1, 3), "int8", None, (scale,), (3,))
