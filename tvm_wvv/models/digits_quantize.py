"""Turn the trained digits network into an int8 `.tflite`: post-training quantization, pure NumPy.

Takes folded float weights and the range of each activation over the training images; gives the file's bytes, the same
ones each time. The rules are TFLite's int8 specification: weights symmetric in -127..127 with a scale for each output
channel, biases int32 at input scale * weight scale, activations int8 with a zero point, ranges that contain zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model
from tvm_wvv.models.digits_graph import (
    BODY,
    CLASSES,
    FEATURE_SIDE,
    INPUT,
    INPUT_SHAPE,
    LOGITS,
    POOL,
    PROBABILITIES,
    VECTOR,
    Add,
    Conv,
    Layer,
)

_LEAST_SPAN = 1e-6  # keeps the scale of a dead channel or activation above zero


@dataclass(frozen=True)
class Affine:
    """real = scale * (code - zero_point); the scale is a float32 value, as the file holds it."""

    scale: float
    zero_point: int


INPUT_AFFINE = Affine(float(np.float32(1 / 255)), -128)  # the network sees pixel / 255, its codes are pixel - 128
_SOFTMAX_AFFINE = Affine(1 / 256, -128)  # the int8 specification fixes this one


@dataclass(frozen=True)
class Weights:
    """`weight` float OHWI (for the logits: OI), `bias` float (O,)."""

    weight: np.ndarray
    bias: np.ndarray


Range = tuple[float, float]


def affine(low: float, high: float) -> Affine:
    """Codes -128..127 over a range that is widened to contain zero, so that zero is a code."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float32(max(high - low, _LEAST_SPAN) / 255))
    return Affine(scale, int(np.clip(round(-128 - low / scale), -128, 127)))


def to_tflite(weights: Mapping[str, Weights], ranges: Mapping[str, Range]) -> bytes:
    """The int8 model; `weights` for each Conv of the body and the logits, `ranges` for each layer and the logits."""
    affines = {INPUT: INPUT_AFFINE, **{name: affine(*ranges[name]) for name in ranges}}
    tensors = [_activation(INPUT, INPUT_SHAPE, INPUT_AFFINE)]
    operators: list[Operator] = []
    shapes: dict[str, tuple[int, ...]] = {INPUT: INPUT_SHAPE}
    for layer in BODY:
        shapes[layer.name] = _shape_after(layer, shapes)
        if isinstance(layer, Conv):
            tensors += _parameters(layer.name, weights[layer.name], affines[layer.source])
        tensors.append(_activation(layer.name, shapes[layer.name], affines[layer.name]))
        operators.append(_operator(layer))
    head_tensors, head_operators = _head(weights[LOGITS], affines[BODY[-1].name], affines[LOGITS])
    description = "tvm_wvv digits: int8 residual network on scikit-learn's handwritten digits"
    return write_model(tensors + head_tensors, operators + head_operators, [INPUT], [PROBABILITIES], description)


def _shape_after(layer: Layer, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    if isinstance(layer, Add):
        return shapes[layer.left]
    h, w, _ = shapes[layer.source]
    return -(-h // layer.stride), -(-w // layer.stride), layer.channels_out


def _activation(name: str, shape: tuple[int, ...], at: Affine) -> Tensor:
    return Tensor(name, (1, *shape), "int8", scales=(at.scale,), zero_points=(at.zero_point,))


def _parameters(name: str, at: Weights, source: Affine) -> list[Tensor]:
    """The weight and bias tensors of one layer, quantized for each output channel."""
    axes = tuple(range(1, at.weight.ndim))
    spans = np.maximum(np.abs(at.weight).max(axis=axes), _LEAST_SPAN)
    scales = (spans / 127).astype(np.float32).astype(np.float64)
    codes = np.clip(np.rint(at.weight / scales.reshape(-1, *[1] * len(axes))), -127, 127).astype(np.int8)
    bias_scales = scales * source.scale
    biases = np.rint(at.bias / bias_scales)
    assert np.abs(biases).max() < 2**31, f"{name}: a bias does not fit int32 at its scale"
    return [
        _constant(f"{name}/weight", codes, scales),
        _constant(f"{name}/bias", biases.astype(np.int32), bias_scales),
    ]


def _constant(name: str, codes: np.ndarray, scales: np.ndarray) -> Tensor:
    zeros = (0,) * len(scales)
    return Tensor(name, codes.shape, str(codes.dtype), codes, tuple(scales.tolist()), zeros, quantized_dimension=0)


def _operator(layer: Layer) -> Operator:
    if isinstance(layer, Add):
        return Operator("ADD", (layer.left, layer.right), (layer.name,), {"activation": "RELU"})
    inputs = (layer.source, f"{layer.name}/weight", f"{layer.name}/bias")
    activation = "RELU" if layer.relu else "NONE"
    options = {"padding": "SAME", "strides": (layer.stride, layer.stride), "activation": activation}
    return Operator("CONV_2D", inputs, (layer.name,), options)


def _head(logits: Weights, feature: Affine, logit: Affine) -> tuple[list[Tensor], list[Operator]]:
    """Pool and reshape keep their input's quantization: the kernels do not rescale there."""
    channels = logits.weight.shape[1]
    # One scale for all classes: tflite-runtime 2.14 knows fully connected weights only with one scale.
    parameters = _parameters_per_tensor(LOGITS, logits, feature)
    shape = np.array([1, channels], np.int32)
    tensors = [
        _activation(POOL, (1, 1, channels), feature),
        Tensor(f"{VECTOR}/shape", (2,), "int32", shape),
        _activation(VECTOR, (channels,), feature),
        *parameters,
        _activation(LOGITS, (CLASSES,), logit),
        _activation(PROBABILITIES, (CLASSES,), _SOFTMAX_AFFINE),
    ]
    window = (FEATURE_SIDE, FEATURE_SIDE)
    whole = {"padding": "VALID", "filter": window, "strides": window}
    operators = [
        Operator("AVERAGE_POOL_2D", (BODY[-1].name,), (POOL,), whole),
        Operator("RESHAPE", (POOL, f"{VECTOR}/shape"), (VECTOR,), {"new_shape": (1, channels)}),
        Operator("FULLY_CONNECTED", (VECTOR, f"{LOGITS}/weight", f"{LOGITS}/bias"), (LOGITS,), {}),
        Operator("SOFTMAX", (LOGITS,), (PROBABILITIES,), {"beta": 1.0}),
    ]
    return tensors, operators


def _parameters_per_tensor(name: str, at: Weights, source: Affine) -> list[Tensor]:
    """The same as `_parameters` on a single channel that holds all the weights."""
    flat = Weights(at.weight.reshape(1, -1), at.bias)
    weight, bias = _parameters(name, flat, source)
    assert weight.data is not None, "parameters are constants"
    return [
        Tensor(weight.name, at.weight.shape, "int8", weight.data.reshape(at.weight.shape), weight.scales, (0,)),
        bias,
    ]
