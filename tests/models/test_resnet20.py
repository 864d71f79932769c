"""ResNet-20: folding and the float network by their definitions, the int8 file by TFLite's reference kernels."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import require_data
from resnet20_random import random_images, random_state

from tvm_wvv.data.images import load, to_input
from tvm_wvv.errors import WvvError
from tvm_wvv.models import resnet20_weights
from tvm_wvv.models.resnet20_float import activation_ranges, activations, logits
from tvm_wvv.models.resnet20_graph import (
    BODY,
    DEVIATION,
    INPUT,
    INPUT_SHAPE,
    LOGITS,
    MEAN,
    Add,
    Conv,
    Shortcut,
    convolutions,
)
from tvm_wvv.models.resnet20_quantize import INPUT_AFFINE, to_tflite
from tvm_wvv.models.resnet20_weights import PIXEL_ZERO, folded
from tvm_wvv.reference.golden import Golden

STATE, IMAGES = random_state(), random_images(6)
WEIGHTS = folded(STATE, "random")
NO_BORDER = np.zeros(INPUT_SHAPE[2])


def quantized() -> bytes:
    return to_tflite(WEIGHTS, activation_ranges(WEIGHTS, IMAGES))


def by_definition(name: str, x: np.ndarray, stride: int, y: int, column: int) -> np.ndarray:
    """One pixel of a convolution and its batch normalization, unfolded; x NHWC (1, h, w, c) with zeros around it."""
    norm = name.replace("conv", "bn")
    window = np.pad(x[0], ((1, 1), (1, 1), (0, 0)))[y * stride :, column * stride :][:3, :3]
    total = np.einsum("hwc,ochw->o", window, STATE[f"{name}.weight"])
    centred = (total - STATE[f"{norm}.running_mean"]) / np.sqrt(STATE[f"{norm}.running_var"] + 1e-5)
    return centred * STATE[f"{norm}.weight"] + STATE[f"{norm}.bias"]


@pytest.mark.parametrize(("y", "column"), [(0, 0), (0, 31), (31, 12), (7, 20)])
def test_the_stem_sees_normalized_pixels_within_zeros(y: int, column: int) -> None:
    values = activations(WEIGHTS, IMAGES[:1])
    normalized = (IMAGES[:1] / 255 - np.array(MEAN)) / np.array(DEVIATION)
    expected = np.maximum(by_definition("conv1", normalized, 1, y, column), 0)
    np.testing.assert_allclose(values["conv1"][0, y, column], expected, atol=1e-4)  # single precision


@pytest.mark.parametrize(("y", "column"), [(0, 0), (15, 15), (3, 8)])
def test_stride_two_keeps_torchs_padding(y: int, column: int) -> None:
    values = activations(WEIGHTS, IMAGES[:1])
    expected = np.maximum(by_definition("layer2.0.conv1", values["layer1/2/add"], 2, y, column), 0)
    np.testing.assert_allclose(values["layer2/0/conv1"][0, y, column], expected, atol=1e-4)


def test_only_the_border_of_the_stem_depends_on_what_lies_outside() -> None:
    trained, single = activations(WEIGHTS, IMAGES)["conv1"], activations(WEIGHTS, IMAGES, NO_BORDER)["conv1"]
    np.testing.assert_array_equal(trained[:, 1:-1, 1:-1], single[:, 1:-1, 1:-1])
    assert (trained[:, 0] != single[:, 0]).any()


def test_the_float_network_equals_torch() -> None:
    torch = pytest.importorskip("torch", reason="the network in torch's own operators needs torch")
    functional = torch.nn.functional
    state = {name: torch.from_numpy(value) for name, value in STATE.items()}

    def convolve(x: object, name: str, stride: int) -> object:
        y = functional.conv2d(x, state[f"{name}.weight"], stride=stride, padding=1)
        norm = name.replace("conv", "bn")
        mean, variance, gain, shift = (
            state[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(y, mean, variance, gain, shift)

    pixels = torch.from_numpy((IMAGES / 255 - np.array(MEAN)) / np.array(DEVIATION)).permute(0, 3, 1, 2)
    x = functional.relu(convolve(pixels, "conv1", 1))
    for stage, width in ((1, 16), (2, 32), (3, 64)):
        for block in range(3):
            stride, name = 1 + (stage > 1 and block == 0), f"layer{stage}.{block}"
            y = convolve(functional.relu(convolve(x, f"{name}.conv1", stride)), f"{name}.conv2", 1)
            if stride == 2:
                x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, width // 4, width // 4))
            x = functional.relu(x + y)
    expected = functional.linear(x.mean((2, 3)), state["linear.weight"], state["linear.bias"])
    np.testing.assert_allclose(logits(WEIGHTS, IMAGES), expected.numpy(), rtol=1e-4, atol=1e-4)


def test_the_graph_is_sound() -> None:
    """Nineteen convolutions, two shortcuts; each layer reads layers before it, and an Add joins equal shapes."""
    shapes = {INPUT: (32, 3)}
    for layer in BODY:
        if isinstance(layer, Add):
            assert shapes[layer.left] == shapes[layer.right]
            shapes[layer.name] = shapes[layer.left]
        else:
            side, channels = shapes[layer.source]
            assert channels == layer.channels_in
            stride = layer.stride if isinstance(layer, Conv) else 2
            shapes[layer.name] = (side // stride, layer.channels_out)
    assert shapes[BODY[-1].name] == (8, 64)
    assert len(convolutions()) == 19
    assert sum(isinstance(layer, Shortcut) for layer in BODY) == 2


def test_the_int8_network_follows_the_float_one() -> None:
    model = Golden(quantized(), all_tensors=True)
    info = model.inputs[0]
    assert (info.scale, info.zero_point) == (INPUT_AFFINE.scale, PIXEL_ZERO - 128)
    layers = model.layers(to_input(IMAGES, info.shape, info.scale, info.zero_point))
    expected = activations(WEIGHTS, IMAGES, NO_BORDER)
    scale, zero_point = model.outputs[0].scale, model.outputs[0].zero_point
    got = (layers[LOGITS].reshape(len(IMAGES), -1).astype(np.float64) - zero_point) * scale
    noise = np.mean((got - expected[LOGITS]) ** 2) / np.mean(expected[LOGITS] ** 2)
    assert noise < 10**-2.5  # 25 dB; a window one pixel off leaves below 10 dB
    assert {layer.name for layer in BODY} <= set(layers)


@pytest.mark.parametrize("layer", [layer for layer in BODY if isinstance(layer, Shortcut)], ids=lambda one: one.name)
def test_a_shortcut_moves_bytes(layer: Shortcut) -> None:
    model = quantized()
    layers = Golden(model, all_tensors=True).layers(to_input(IMAGES, (1, *INPUT_SHAPE), 1 / 255, PIXEL_ZERO - 128))
    source, output = layers[layer.source][:, 0], layers[layer.name][:, 0]
    margin = (layer.channels_out - layer.channels_in) // 2
    np.testing.assert_array_equal(output[..., margin:-margin], source[:, ::2, ::2])
    # After a ReLU zero is the least code.
    assert (output[..., :margin] == -128).all() and (output[..., -margin:] == -128).all()


def test_packaging_repeats_and_every_parameter_counts() -> None:
    ranges = activation_ranges(WEIGHTS, IMAGES)
    first = to_tflite(WEIGHTS, ranges)
    assert first == to_tflite(WEIGHTS, ranges)
    for name, at in WEIGHTS.items():
        assert to_tflite({**WEIGHTS, name: type(at)(-at.weight, at.bias)}, ranges) != first


def test_ranges_hold_every_value() -> None:
    ranges = activation_ranges(WEIGHTS, IMAGES)
    values = activations(WEIGHTS, IMAGES, NO_BORDER)
    assert set(ranges) == set(values) - {INPUT}
    for name, (low, high) in ranges.items():
        assert low <= values[name].min() and values[name].max() <= high


def test_another_network_is_refused() -> None:
    short = {name: value for name, value in STATE.items() if name != "layer3.2.bn2.weight"}
    with pytest.raises(WvvError, match=r"net\.pt: no tensor 'layer3\.2\.bn2\.weight': need the state dict of Res"):
        folded(short, "net.pt")
    wide = {**STATE, "linear.weight": np.zeros((100, 64))}
    with pytest.raises(WvvError, match=r"net\.pt: linear\.weight is \(100, 64\), need \(10, 64\)"):
        folded(wide, "net.pt")


def test_without_torch_the_reader_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(WvvError, match=r"net\.pt: reading it needs torch; pip install 'tvm_wvv\[train\]'"):
        resnet20_weights.load(Path("net.pt"))


@pytest.mark.parametrize("content", [None, b"", b"no pickle"])
def test_what_is_no_state_dict_is_refused(content: bytes | None, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="reading a state dict needs torch")
    path = tmp_path / "net.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WvvError, match=r"net\.pt: no readable torch state dict \("):
        resnet20_weights.load(path)


def test_what_is_wrapped_around_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="writing a state dict needs torch")
    torch.save({"state_dict": {}}, tmp_path / "net.pt")
    with pytest.raises(WvvError, match=r"net\.pt: no plain state dict: need names and tensors"):
        resnet20_weights.load(tmp_path / "net.pt")


def test_trained_weights_survive_quantization() -> None:
    """On a few images; docs/resnet20.md has all of them."""
    pytest.importorskip("torch", reason="reading the trained weights needs torch")
    weights = resnet20_weights.load(require_data("models/resnet20_mixed.pt"))
    train = load(str(require_data("cifar10_train_lossless_subset.parquet")), 64)
    test = load(str(require_data("cifar10_test_lossless_subset.parquet")), 200)
    model = Golden(to_tflite(weights, activation_ranges(weights, train.images)))
    info = model.inputs[0]
    codes = model.run(to_input(test.images, info.shape, info.scale, info.zero_point))[LOGITS].reshape(200, -1)
    classes = logits(weights, test.images).argmax(axis=1)
    assert np.mean(classes == test.labels) >= 0.88
    assert np.mean(codes.argmax(axis=1) == classes) >= 0.97
