"""Turn float ResNet-20 into an int8 `.tflite`: post-training quantization by TFLite's int8 specification, pure NumPy.

Takes folded float weights and the range of each activation; gives the file's bytes, the same ones each time. The input
is pixel - 128 at scale 1/255, its zero point the code of PIXEL_ZERO. The output are the logits.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model
from tvm_wvv.models.digits_quantize import Affine, Range, Weights, affine
from tvm_wvv.models.resnet20_graph import (
    BODY,
    CLASSES,
    FEATURE_SIDE,
    INPUT,
    INPUT_SHAPE,
    KERNEL,
    LOGITS,
    POOL,
    VECTOR,
    Add,
    Conv,
    Shortcut,
)
from tvm_wvv.models.resnet20_weights import PIXEL_ZERO

INPUT_AFFINE = Affine(float(np.float32(1 / 255)), PIXEL_ZERO - 128)
_LEAST_SPAN = 1e-6  # keeps the scale of a dead channel above zero
Parts = tuple[list[Tensor], list[Operator]]


def to_tflite(weights: Mapping[str, Weights], ranges: Mapping[str, Range]) -> bytes:
    """The int8 model; `weights` for each Conv of the body and the logits, `ranges` for each layer and the logits."""
    description = "ResNet-20 for CIFAR-10, int8 by post-training quantization"
    return with_affines(weights, _affines(ranges), description)


def with_affines(weights: Mapping[str, Weights], affines: Mapping[str, Affine], description: str) -> bytes:
    """The int8 model whose activations have these quantizations, each layer's under its name."""
    tensors, operators = [_activation(INPUT, INPUT_SHAPE, INPUT_AFFINE)], list[Operator]()
    shapes: dict[str, tuple[int, ...]] = {INPUT: INPUT_SHAPE}
    for layer in BODY:
        match layer:
            case Conv():
                parts = _conv(layer, weights[layer.name], shapes[layer.source], affines)
            case Shortcut():
                parts = _shortcut(layer, shapes[layer.source], affines[layer.source])
            case Add():
                operator = Operator("ADD", (layer.left, layer.right), (layer.name,), {"activation": "RELU"})
                parts = [_activation(layer.name, shapes[layer.left], affines[layer.name])], [operator]
        tensors, operators = tensors + parts[0], operators + parts[1]
        shapes[layer.name] = tensors[-1].shape[1:]
    head = _head(weights[LOGITS], affines[BODY[-1].name], affines[LOGITS])
    return write_model(tensors + head[0], operators + head[1], [INPUT], [LOGITS], description)


def _affines(ranges: Mapping[str, Range]) -> dict[str, Affine]:
    """A shortcut only moves bytes, so that it keeps what its source has."""
    affines = {INPUT: INPUT_AFFINE, LOGITS: affine(*ranges[LOGITS])}
    for layer in BODY:
        affines[layer.name] = affines[layer.source] if isinstance(layer, Shortcut) else affine(*ranges[layer.name])
    return affines


def _conv(layer: Conv, at: Weights, shape: tuple[int, ...], affines: Mapping[str, Affine]) -> Parts:
    """With stride 2, padding is an operator of its own: TFLite's SAME would lay the windows one pixel further."""
    source = affines[layer.source]
    parameters = _parameters(layer.name, at, source, len(at.bias))
    size = tuple(-(-side // layer.stride) for side in shape[:2])
    output = _activation(layer.name, (*size, layer.channels_out), affines[layer.name])
    activation = "RELU" if layer.relu else "NONE"
    options = {"padding": "SAME", "strides": (layer.stride, layer.stride), "activation": activation}
    names = (f"{layer.name}/weight", f"{layer.name}/bias")
    if layer.stride == 1:
        return [*parameters, output], [Operator("CONV_2D", (layer.source, *names), (layer.name,), options)]
    border = KERNEL // 2
    tensors, operators = _pad(f"{layer.name}/padded", layer.source, shape, (border, border, 0), source)
    convolution = Operator("CONV_2D", (tensors[-1].name, *names), (layer.name,), {**options, "padding": "VALID"})
    return [*tensors, *parameters, output], [*operators, convolution]


def _shortcut(layer: Shortcut, shape: tuple[int, ...], at: Affine) -> Parts:
    """A pool over single pixels drops every second one; a pad writes the zero point into the new channels."""
    half, pixels = (shape[0] // 2, shape[1] // 2, shape[2]), f"{layer.name}/pixels"
    options = {"padding": "VALID", "filter": (1, 1), "strides": (2, 2)}
    tensors, operators = _pad(layer.name, pixels, half, (0, 0, layer.margin), at)
    pool = Operator("MAX_POOL_2D", (layer.source,), (pixels,), options)
    return [_activation(pixels, half, at), *tensors], [pool, *operators]


def _pad(name: str, source: str, shape: tuple[int, ...], margin: tuple[int, ...], at: Affine) -> Parts:
    """`source` with `margin` zeros on both sides of each axis, as the tensor `name`, which comes last."""
    widths = np.array([(0, 0), *((each, each) for each in margin)], np.int32)
    wider = tuple(side + 2 * each for side, each in zip(shape, margin, strict=True))
    margins = Tensor(f"{name}/margins", widths.shape, "int32", widths)
    return [margins, _activation(name, wider, at)], [Operator("PAD", (source, margins.name), (name,))]


def _head(logits: Weights, feature: Affine, logit: Affine) -> Parts:
    """Pool and reshape keep their input's quantization: the kernels do not rescale there."""
    channels = logits.weight.shape[1]
    shape = Tensor(f"{VECTOR}/shape", (2,), "int32", np.array([1, channels], np.int32))
    tensors = [
        _activation(POOL, (1, 1, channels), feature),
        shape,
        _activation(VECTOR, (channels,), feature),
        # One scale for all classes: tflite-runtime 2.14 knows fully connected weights only with one scale.
        *_parameters(LOGITS, logits, feature, scales=1),
        _activation(LOGITS, (CLASSES,), logit),
    ]
    window = (FEATURE_SIDE, FEATURE_SIDE)
    whole = {"padding": "VALID", "filter": window, "strides": window}
    operators = [
        Operator("AVERAGE_POOL_2D", (BODY[-1].name,), (POOL,), whole),
        Operator("RESHAPE", (POOL, shape.name), (VECTOR,), {"new_shape": (1, channels)}),
        Operator("FULLY_CONNECTED", (VECTOR, f"{LOGITS}/weight", f"{LOGITS}/bias"), (LOGITS,)),
    ]
    return tensors, operators


def _activation(name: str, shape: tuple[int, ...], at: Affine) -> Tensor:
    return Tensor(name, (1, *shape), "int8", scales=(at.scale,), zero_points=(at.zero_point,))


def _parameters(name: str, at: Weights, source: Affine, scales: int) -> list[Tensor]:
    """The weight and bias tensors, with one scale for each output channel or a single one."""
    rows = at.weight.reshape(scales, -1)
    steps = (np.maximum(np.abs(rows).max(axis=1), _LEAST_SPAN) / 127).astype(np.float32).astype(np.float64)
    codes = np.clip(np.rint(rows / steps[:, None]), -127, 127).astype(np.int8).reshape(at.weight.shape)
    bias = np.rint(at.bias / (steps * source.scale))
    assert np.abs(bias).max() < 2**31, f"{name}: a bias does not fit int32 at its scale"
    return [
        _constant(f"{name}/weight", codes, steps),
        _constant(f"{name}/bias", bias.astype(np.int32), steps * source.scale),
    ]


def _constant(name: str, codes: np.ndarray, scales: np.ndarray) -> Tensor:
    return Tensor(name, codes.shape, str(codes.dtype), codes, tuple(scales.tolist()), (0,) * len(scales))
