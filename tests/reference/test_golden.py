"""The golden wrapper: shapes it takes, names it gives, and its refusals."""

from __future__ import annotations

import importlib.metadata

import numpy as np
import pytest
from conftest import require_data
from strategies import activation_tensor, single, weight_tensor

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.tflite_write import Operator, write_model
from tvm_wvv.models import packaged
from tvm_wvv.quant.operators import Affine
from tvm_wvv.reference import golden
from tvm_wvv.reference.golden import Golden

SAME = Affine(0.5, 3)
# Operators of the MLPerf Tiny models, counted in their files.
LAYERS = {"kws_ref_model": 13, "vww_96_int8": 31, "ad01_int8": 10, "pretrainedResnet_quant": 16}


def two_relus() -> bytes:
    tensors = [activation_tensor(name, (1, 2, 3), SAME) for name in ("input", "first", "second")]
    chain = [Operator("RELU", ("input",), ("first",)), Operator("RELU6", ("first",), ("second",))]
    return write_model(tensors, chain, ["input"], ["second"])


@pytest.mark.parametrize("shape", [(5, 1, 2, 3), (5, 2, 3)], ids=["with-batch", "without-batch"])
@pytest.mark.parametrize("threads", [1, 2, 9])
def test_samples_come_back_in_order(shape: tuple[int, ...], threads: int) -> None:
    x = np.random.default_rng(0).integers(-128, 128, shape, dtype=np.int8)
    result = Golden(two_relus(), num_threads=threads).run(x)
    np.testing.assert_array_equal(result["second"], x.clip(3, 15).reshape(5, 1, 2, 3))


def test_one_sample_and_none() -> None:
    model = Golden(two_relus())
    assert model.run(np.full((1, 2, 3), -128, np.int8))["second"].tolist() == [[[[3] * 3] * 2]]
    assert model.run(np.zeros((0, 1, 2, 3), np.int8))["second"].shape == (0, 1, 2, 3)


def test_layers_are_the_operators_outputs_in_order() -> None:
    x = np.arange(-3, 3, dtype=np.int8).reshape(1, 2, 3) * 40
    values = Golden(two_relus(), all_tensors=True).layers(x)
    assert list(values) == ["first", "second"]
    np.testing.assert_array_equal(values["first"][0], x.clip(3, 127))


def test_details_hold_the_quantization() -> None:
    (info,) = Golden(two_relus()).inputs
    assert (info.name, info.shape, info.dtype, info.scale, info.zero_point) == ("input", (1, 2, 3), np.int8, 0.5, 3)


def test_every_layer_has_its_own_quantization() -> None:
    path = packaged("digits")
    assert path is not None
    model = Golden(path.read_bytes(), all_tensors=True)
    infos, layers = model.layer_infos(), model.layers(np.zeros((1, 16, 16, 1), np.int8))
    assert {name: (1, *info.shape) for name, info in infos.items()} == {n: layers[n].shape for n in layers}
    assert (infos["probabilities"].scale, infos["probabilities"].zero_point) == (1 / 256, -128)
    assert infos["pool"].scale == infos["block3/add"].scale != infos["logits"].scale


def test_layers_of_one_name_are_refused() -> None:
    # Names are stored with their length before them.
    data = two_relus().replace(b"\6\0\0\0second", b"\5\0\0\0first\0")
    model = Golden(data, all_tensors=True)
    with pytest.raises(WvvError, match="several tensors are called 'first': layers can be told apart by their names"):
        model.layer_infos()


@pytest.mark.parametrize(("shape", "dtype"), [((5, 3, 2), np.int8), ((5, 2, 3), np.float32)], ids=["shape", "dtype"])
def test_an_input_that_does_not_fit_is_refused(shape: tuple[int, ...], dtype: type) -> None:
    with pytest.raises(WvvError, match=r"input input: got .* need int8 of shape \(1, 2, 3\), or N of them"):
        Golden(two_relus()).run(np.zeros(shape, dtype))


def test_without_an_interpreter_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "_INTERPRETERS", (("no_such_interpreter", "none"),))
    with pytest.raises(WvvError, match="no TFLite interpreter is installed; do: pip install tflite-runtime"):
        Golden(two_relus())


def test_an_interpreter_that_rounds_dense_layers_once_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    installed, _ = golden.interpreter_module()
    monkeypatch.setattr(golden, "interpreter_module", lambda: (installed, "ai-edge-litert"))
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.3.0")
    tensors = [
        activation_tensor("input", (1, 1), SAME), weight_tensor(np.ones((1, 1), np.int8), (1.0,), 0),
        activation_tensor("output", (1, 1), SAME),
    ]  # fmt: skip
    with pytest.raises(WvvError, match=r"ai-edge-litert 1\.3\.0 rounds fully connected layers once"):
        Golden(single("FULLY_CONNECTED", tensors, ("input", "weights", None)))
    Golden(two_relus())


@pytest.mark.parametrize("name", LAYERS)
def test_whole_models_run_with_all_their_layers(name: str) -> None:
    model = Golden(require_data(f"models/{name}.tflite").read_bytes(), all_tensors=True)
    x = np.random.default_rng(1).integers(-128, 128, (3, *model.inputs[0].shape), dtype=np.int8)
    layers, outputs = model.layers(x), model.run(x)
    assert len(layers) == LAYERS[name]
    for output, values in outputs.items():
        np.testing.assert_array_equal(layers[output], values)


def test_layers_are_not_overwritten_by_additions_that_work_in_place():
    path = packaged("digits")
    assert path is not None
    images = np.random.default_rng(3).integers(-128, 128, (2, 16, 16, 1)).astype(np.int8)
    layers = Golden(path.read_bytes(), all_tensors=True).layers(images)
    # Were the first operand of the addition written over, both would hold the same bytes.
    assert (layers["block1/conv2"] != layers["block1/add"]).any()
    assert list(layers)[-1] == "probabilities"
