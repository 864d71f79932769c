"""Read ResNet-20's torch state dict and fold batch normalization and the input's normalization into the weights.

The stem then takes (pixel - PIXEL_ZERO) / 255, which an int8 input holds exactly with one scale and one zero point.
Within the image nothing changes. Around it the network was trained with zeros, which are the pixel 255 * mean of each
channel (124, 116, 104); an int8 input pads all channels with one code, PIXEL_ZERO. What that costs: docs/resnet20.md.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tvm_wvv.errors import WvvError
from tvm_wvv.models.digits_quantize import Weights
from tvm_wvv.models.resnet20_graph import CLASSES, DEVIATION, KERNEL, LOGITS, MEAN, WIDTHS, Conv, convolutions

PIXEL_ZERO = round(255 * sum(MEAN) / len(MEAN))
"""The pixel that stands for zero in the stem's input: the nearest to all three means."""

TRAINED_BORDER = np.array([255 * mean - PIXEL_ZERO for mean in MEAN]) / 255
"""What the network was trained to see around the image, in the stem's input."""

_NORM_EPSILON = 1e-5  # torch's default for BatchNorm2d
_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")
State = Mapping[str, np.ndarray]


def load(path: Path) -> dict[str, Weights]:
    """Folded weights by layer name from a state dict that torch saved; WvvError where it is of another network."""
    return folded(read_state(path), str(path))


def read_state(path: Path) -> State:
    """The tensors of a state dict as float64 arrays. Needs torch (extra `train`)."""
    try:
        import torch
    except ImportError as error:
        raise WvvError(f"{path}: reading it needs torch; pip install 'tvm_wvv[train]'") from error
    try:
        # Tensors only: a pickle may otherwise run any program.
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise WvvError(f"{path}: no readable torch state dict ({type(error).__name__})") from error
    if not isinstance(state, Mapping) or not all(isinstance(one, torch.Tensor) for one in state.values()):
        raise WvvError(f"{path}: no plain state dict: need names and tensors, nothing around them")
    return {name: tensor.double().numpy() for name, tensor in state.items()}


def folded(state: State, where: str) -> dict[str, Weights]:
    """Convolutions OHWI and the classifier OI, each with its bias, under their layers' names."""
    weights = {layer.name: _folded_conv(state, layer, where) for layer in convolutions()}
    stem = convolutions()[0].name
    weights[stem] = _on_pixels(weights[stem])
    classifier = _part(state, f"{LOGITS}.weight", (CLASSES, WIDTHS[-1]), where)
    return {**weights, LOGITS: Weights(classifier, _part(state, f"{LOGITS}.bias", (CLASSES,), where))}


def _folded_conv(state: State, layer: Conv, where: str) -> Weights:
    name = layer.name.replace("/", ".")
    outputs = layer.channels_out
    kernel = _part(state, f"{name}.weight", (outputs, layer.channels_in, KERNEL, KERNEL), where)
    norm = name.replace("conv", "bn")
    gain, shift, mean, variance = (_part(state, f"{norm}.{part}", (outputs,), where) for part in _NORM_PARTS)
    gain = gain / np.sqrt(variance + _NORM_EPSILON)
    return Weights((kernel * gain[:, None, None, None]).transpose(0, 2, 3, 1), shift - mean * gain)


def _on_pixels(stem: Weights) -> Weights:
    """The stem for (pixel - PIXEL_ZERO) / 255 instead of (pixel / 255 - mean) / deviation."""
    weight = stem.weight / np.array(DEVIATION)
    return Weights(weight, stem.bias - (weight * TRAINED_BORDER).sum(axis=(1, 2, 3)))


def _part(state: State, name: str, shape: tuple[int, ...], where: str) -> np.ndarray:
    if name not in state:
        raise WvvError(f"{where}: no tensor {name!r}: need the state dict of ResNet-20 with option-A shortcuts")
    if state[name].shape != shape:
        raise WvvError(f"{where}: {name} is {state[name].shape}, need {shape}")
    return state[name]
