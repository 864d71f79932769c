"""Reading `.tflite` files: names and quantization of good ones, one clear line for every bad one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import require_data
from hypothesis import given, settings
from hypothesis import strategies as st

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.tflite import from_bytes, identifier, load
from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model
from tvm_wvv.models import packaged
from tvm_wvv.quant.operators import Affine

MODELS = ("pretrainedResnet_quant", "kws_ref_model", "vww_96_int8", "ad01_int8")


def digits() -> bytes:
    path = packaged("digits")
    assert path is not None
    return path.read_bytes()


def tensor(name: str, shape: tuple[int, ...], dtype: str) -> Tensor:
    """A computed tensor; int8 ones are quantized."""
    return Tensor(name, shape, dtype, None, (0.5,), (3,)) if dtype == "int8" else Tensor(name, shape, dtype)


def model_of(kind: str, dtype: str = "int8", shape: tuple[int, ...] = (1, 4, 4, 2), **options: object) -> bytes:
    """One operator of one input."""
    x, y = tensor("x", shape, dtype), tensor("y", shape, dtype)
    return write_model([x, y], [Operator(kind, ("x",), ("y",), options)], ["x"], ["y"])


def convolution(activations: str, weights: str, weight_zero_point: int = 0, channels: int = 2) -> bytes:
    data = np.ones((3, 1, 1, channels), np.dtype(weights))
    bias = np.zeros(3, np.int32 if activations == "int8" else np.float32)
    tensors = [
        tensor("x", (1, 4, 4, 2), activations),
        Tensor("w", data.shape, weights, data, (0.1,), (weight_zero_point,)),
        Tensor("b", (3,), str(bias.dtype), bias),
        tensor("conv/out", (1, 4, 4, 3), activations),
    ]
    return write_model(tensors, [Operator("CONV_2D", ("x", "w", "b"), ("conv/out",))], ["x"], ["conv/out"])


@pytest.mark.parametrize("name", MODELS)
def test_mlperf_tiny_models_load_with_every_operator_named(name: str):
    model = load(require_data(f"models/{name}.tflite"))
    layers = model.module["main"].attrs["layers"]
    operators = {"pretrainedResnet_quant": 16, "kws_ref_model": 13, "vww_96_int8": 31, "ad01_int8": 10}
    assert len(layers) == operators[name]
    assert model.name == name
    assert all(info.affine is not None and info.dtype == "int8" for info in (*model.inputs, *model.outputs))


def test_names_and_quantization_are_the_files():
    model = from_bytes(digits(), "digits", "digits.tflite")
    assert [info.name for info in model.inputs] == ["image"]
    assert model.inputs[0].shape == (1, 16, 16, 1)
    assert model.outputs[0].affine == Affine(1 / 256, -128)
    assert "block1/add" in {str(name) for name in model.module["main"].attrs["layers"].values()}


@pytest.mark.parametrize(("text", "expected"), [("vww-96 int8", "vww_96_int8"), ("2nd", "_2nd"), ("é", "model")])
def test_identifier(text: str, expected: str):
    assert identifier(text) == expected


def chain(*steps: tuple[str, str], dtype: str = "float32", outputs: tuple[str, ...] = ()) -> bytes:
    """Operators one after the other, each with the type of its result; tensors are x, t0, t1..."""
    names = ["x", *(f"t{i}" for i in range(len(steps)))]
    tensors = [tensor(name, (1, 4), one) for name, one in zip(names, (dtype, *(d for _, d in steps)), strict=True)]
    operators = [Operator(kind, (names[i],), (names[i + 1],)) for i, (kind, _) in enumerate(steps)]
    return write_model(tensors, operators, ["x"], outputs or names[-1:])


QUANTIZE, DEQUANTIZE = ("QUANTIZE", "int8"), ("DEQUANTIZE", "float32")


def test_float_input_and_output_are_taken():
    model = from_bytes(chain(QUANTIZE, ("RELU", "int8"), DEQUANTIZE), "m", "m.tflite")
    assert [(info.dtype, info.affine) for info in (*model.inputs, *model.outputs)] == [("float32", Affine(0.5, 3))] * 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (chain(("RELU", "float32"), QUANTIZE), "RELU at 't0' computes in float32"),
        (chain(DEQUANTIZE, ("SOFTMAX", "float32"), dtype="int8"), "SOFTMAX at 't1' computes in float32"),
        (chain(DEQUANTIZE, ("LOGISTIC", "float32"), dtype="int8"), "operator LOGISTIC at 't1' is not supported"),
        (chain(DEQUANTIZE, QUANTIZE, dtype="int8"), "QUANTIZE at 't1' computes in float32"),
        (chain(DEQUANTIZE, QUANTIZE, dtype="int8", outputs=("t0", "t1")), "QUANTIZE at 't1' computes in float32"),
        (chain(("RELU", "int8"), DEQUANTIZE, dtype="int8", outputs=("t0",)), "tensor 't1' is float32, need int8"),
        (chain(("QUANTIZE", "uint8"),), "tensor 't0' is uint8, need int8"),
        (chain(DEQUANTIZE, dtype="uint8"), "DEQUANTIZE at 't0': input 0 is uint8, need int8"),
    ],
)
def test_float_anywhere_else_is_refused_in_one_line(data: bytes, message: str):
    with pytest.raises(WvvError) as caught:
        from_bytes(data, "m", "m.tflite")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_operator_that_lacks_an_input_is_refused():
    x, y = tensor("x", (1, 4, 4, 2), "int8"), tensor("y", (1, 4, 4, 2), "int8")
    data = write_model([x, y], [Operator("CONV_2D", ("x",), ("y",))], ["x"], ["y"])
    with pytest.raises(WvvError, match="CONV_2D at 'y' lacks an input, need 2"):
        from_bytes(data, "m", "m.tflite")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"layers:\n  - conv\n", "not a TensorFlow Lite model"),
        (model_of("RELU", "float32"), "RELU at 'y' computes in float32"),
        (model_of("LOGISTIC"), "operator LOGISTIC at 'y' is not supported"),
        (model_of("RELU", shape=(1, 0, 4, 2)), "dynamic or empty shape"),
        (model_of("RELU", "uint8"), "need int8"),
        (convolution("float32", "int8"), "is hybrid"),
        (convolution("int8", "int8", weight_zero_point=5), "weight zero point is 5, need 0"),
        (convolution("int8", "int8", channels=1), "is grouped: filters have 1 input channels, the input has 2"),
    ],
)
def test_what_is_refused_is_refused_in_one_line(data: bytes, message: str):
    with pytest.raises(WvvError) as caught:
        from_bytes(data, "m", "some/model.tflite")
    assert message in str(caught.value)
    assert str(caught.value).startswith("some/model.tflite: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(WvvError, match=r"nowhere\.tflite: cannot be read: No such file"):
        load(tmp_path / "nowhere.tflite")


@pytest.mark.parametrize("kept", [8, 20, 100, 1000, 0.5, 0.9, 0.99])
def test_a_file_cut_short_is_called_damaged(kept: float):
    data = digits()
    size = int(kept if kept > 1 else kept * len(data))
    with pytest.raises(WvvError, match="damaged or cut short"):
        from_bytes(data[:size], "m", "cut.tflite")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=8), st.integers(0, 3000))
def test_damaged_bytes_give_a_model_or_a_clear_error(changes: list[tuple[int, int]], near: int):
    data = bytearray(digits())
    for position, value in changes:
        # Tables lie at both ends of the file, weights between them.
        place = position % near if near else position % len(data)
        data[-1 - place] = value
    message = ""
    try:
        from_bytes(bytes(data), "m", "m.tflite")
    except WvvError as error:
        message = str(error)
    assert "\n" not in message
