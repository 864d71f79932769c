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
