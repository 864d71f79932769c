"""Which shapes `wvv run` takes and gives back, and what it says about the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.samples import check_output, read_inputs, stacked, unstacked, write_outputs

IMAGE = TensorInfo("image", (1, 4, 3, 2), "int8", None)
PAIR = TensorInfo("pair", (2, 5), "int8", None)


def _array(shape: tuple[int, ...], dtype: str = "int8") -> np.ndarray:
    return (np.arange(int(np.prod(shape))) % 251 - 125).astype(dtype).reshape(shape)


@pytest.mark.parametrize(
    ("info", "shape", "n", "output_shape"),
    [
        (IMAGE, (4, 3, 2), 1, (1, 10)),
        (IMAGE, (1, 4, 3, 2), 1, (1, 10)),
        (IMAGE, (7, 4, 3, 2), 7, (7, 10)),
        (IMAGE, (7, 1, 4, 3, 2), 7, (7, 1, 10)),
        (IMAGE, (1, 1, 4, 3, 2), 1, (1, 1, 10)),
    ],
)
def test_shapes_taken_and_given_back(info, shape, n, output_shape):
    array = _array(shape)
    (inputs,), form = stacked((array,), (info,))
    assert inputs.shape == (n, *info.shape)
    assert inputs.tobytes() == array.tobytes()
    output = _array((n, 1, 10))
    assert unstacked(output, form).shape == output_shape
    assert unstacked(output, form).tobytes() == output.tobytes()


@pytest.mark.parametrize(("shape", "n", "output_shape"), [((2, 5), 1, (2, 3)), ((4, 2, 5), 4, (4, 2, 3))])
def test_a_model_without_batch_of_one(shape, n, output_shape):
    (inputs,), form = stacked((_array(shape),), (PAIR,))
    assert inputs.shape == (n, 2, 5)
    assert unstacked(_array((n, 2, 3)), form).shape == output_shape


@pytest.mark.parametrize("shape", [(4, 3), (3, 4, 2), (2, 4, 3, 3), (1, 2, 4, 3, 2), (24,), ()])
def test_wrong_shape_is_refused_with_both(shape):
    with pytest.raises(WvvError, match=r"image: got int8 of shape .*, need int8 of shape \(1, 4, 3, 2\)") as caught:
        stacked((_array(shape),), (IMAGE,))
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "int16"])
def test_wrong_type_is_refused_not_converted(dtype):
    with pytest.raises(WvvError, match=rf"got {dtype} of shape \(4, 3, 2\), need int8"):
        stacked((_array((4, 3, 2), dtype),), (IMAGE,))


def test_no_inference_is_refused():
    with pytest.raises(WvvError, match="holds no inference"):
        stacked((np.empty((0, 4, 3, 2), np.int8),), (IMAGE,))


def test_inputs_must_agree_in_number():
    other = TensorInfo("other", (1, 6), "int8", None)
    with pytest.raises(WvvError, match="differ in their number"):
        stacked((_array((3, 4, 3, 2)), _array((2, 6))), (IMAGE, other))


def test_several_inputs_come_from_an_npz_by_name(tmp_path: Path):
    other = TensorInfo("other", (1, 6), "int8", None)
    np.savez(tmp_path / "both.npz", other=_array((1, 6)), image=_array((4, 3, 2)))
    image, second = read_inputs(tmp_path / "both.npz", (IMAGE, other))
    assert (image.shape, second.shape) == ((4, 3, 2), (1, 6))
    with pytest.raises(WvvError, match="holds image, other; need image"):
        read_inputs(tmp_path / "both.npz", (IMAGE,))
    np.save(tmp_path / "one.npy", _array((4, 3, 2)))
    with pytest.raises(WvvError, match="holds one array, the model has 2 inputs"):
        read_inputs(tmp_path / "one.npy", (IMAGE, other))


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("empty.npy", b""),
        ("text.npy", b"hello"),
        ("cut.npy", b"\x93NUMPY\x01\x00v\x00{'descr'"),
        ("zip.npz", b"PK\x03\x04"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, name: str, contents: bytes):
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(WvvError, match=r"not a readable \.npy or \.npz file"):
        read_inputs(tmp_path / name, (IMAGE,))


def test_a_pickle_is_never_loaded(tmp_path: Path):
    np.save(tmp_path / "object.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(WvvError, match="not a readable"):
        read_inputs(tmp_path / "object.npy", (IMAGE,))


def test_missing_file_and_folder(tmp_path: Path):
    with pytest.raises(WvvError, match="no such file"):
        read_inputs(tmp_path / "none.npy", (IMAGE,))
    with pytest.raises(WvvError, match="not a readable"):
        read_inputs(tmp_path, (IMAGE,))


def test_outputs_are_written_as_npy_or_npz(tmp_path: Path):
    outputs = {"a": _array((2, 3)), "b": _array((2, 1))}
    check_output(tmp_path / "y.npz", (IMAGE, PAIR))
    with pytest.raises(WvvError, match=r"2 outputs; name an \.npz"):
        check_output(tmp_path / "y.npy", (IMAGE, PAIR))
    with (tmp_path / "y.npz").open("wb") as file:
        write_outputs(file, outputs, ".npz")
    with (tmp_path / "y.npy").open("wb") as file:
        write_outputs(file, {"a": outputs["a"]}, ".npy")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npz")["b"], outputs["b"])
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), outputs["a"])
