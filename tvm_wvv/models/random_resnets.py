"""Residual networks of random int8 weights, for measuring time: their shapes are real, what they compute means nothing.

ResNet-20 takes 32x32x3 and ResNet-18 224x224x3; where the image halves, the shortcut is a 1x1 convolution. One image of
noise goes through the network as it is drawn, and each convolution gets the bias and the weight scales that batch
normalization would have given it: activations are neither saturated nor dead, however deep the network.
The same seed gives the same bytes on every machine: sums are of integers, exact in float64 whatever their order.

    python -m tvm_wvv.models.random_resnets FOLDER [NAME...]
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model
from tvm_wvv.models.digits_graph import same_padding

INPUT, POOL, VECTOR, LOGITS = "image", "pool", "pool/vector", "logits"

Affine = tuple[float, int]
"""Scale (a float32's value) and zero point."""

# A normalized activation has a deviation of one: four of them go into the range, as calibration would choose.
_REACH = 4.0
# What eight bits make of an image whose channels are normalized as ImageNet's are.
_INPUT: Affine = (float(np.float32(0.0186)), -14)


@dataclass(frozen=True)
class Shape:
    """A stem (with a pool behind it where it is large) and stages of residual blocks of two 3x3 convolutions."""

    side: int
    stem_kernel: int
    widths: tuple[int, ...]
    blocks: int
    classes: int

    @property
    def is_large(self) -> bool:
        """Whether the stem and a pool halve the image once each."""
        return self.stem_kernel > 3


RESNET20 = Shape(32, 3, (16, 32, 64), 3, 10)
RESNET18 = Shape(224, 7, (64, 128, 256, 512), 2, 1000)


def resnet20(seed: int = 0) -> bytes:
    """The `.tflite` file of ResNet-20 as for CIFAR-10: 41 million multiplications."""
    return network(RESNET20, "ResNet-20", seed)


def resnet18(seed: int = 0) -> bytes:
    """The `.tflite` file of ResNet-18 as for ImageNet: 1.8 billion multiplications."""
    return network(RESNET18, "ResNet-18", seed)


NETWORKS: dict[str, Callable[[], bytes]] = {"resnet20": resnet20, "resnet18": resnet18}


def network(shape: Shape, title: str, seed: int) -> bytes:
    """The bytes of the file."""
    net = _Network(np.random.RandomState(seed), shape.side)
    stride = 2 if shape.is_large else 1
    last = net.conv("stem/conv", INPUT, shape.widths[0], shape.stem_kernel, stride, relu=True)
    if shape.is_large:
        last = net.halve("stem/pool", last)
    for stage, width in enumerate(shape.widths, start=1):
        for block in range(shape.blocks):
            last = net.block(f"stage{stage}/{block}", last, width, 2 if stage > 1 and block == 0 else 1)
    net.head(last, shape.classes)
    return write_model(net.tensors, net.operators, [INPUT], [LOGITS], f"{title}, random int8 weights, seed {seed}")


@dataclass
class _Network:
    """What is written so far, and of every activation its codes for one image of noise."""

    # The old generator: its streams are frozen, while NumPy may change those of default_rng.
    random: np.random.RandomState
    side: int
    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    codes: dict[str, np.ndarray] = field(default_factory=dict)
    affines: dict[str, Affine] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._activation(INPUT, self.random.randint(-128, 128, (self.side, self.side, 3)).astype(np.float64), _INPUT)

    def conv(self, name: str, source: str, channels: int, kernel: int, stride: int, relu: bool) -> str:
        """A SAME convolution whose outputs have a mean near zero and a deviation near one before ReLU."""
        scale, zero_point = self.affines[source]
        windows = _windows(self.codes[source] - zero_point, kernel, stride)
        weights = self._weights((channels, kernel, kernel, self.codes[source].shape[2]))
        sums = windows @ weights.reshape(channels, -1).T.astype(np.float64)
        means, deviations = _means(sums)
        bias = self._around(means, deviations)
        # A normal distribution's deviation is 1.25 times its mean distance from the mean.
        spread = self.random.randint(70, 131, channels) / 100
        weight_scales = (spread / (scale * 1.25 * deviations)).astype(np.float32)
        self._constants(name, weights, bias, weight_scales, scale)
        real = (sums + bias) * (np.float64(weight_scales) * scale)
        affine = _affine(_REACH, relu)
        height, width = (-(-side // stride) for side in self.codes[source].shape[:2])
        self._activation(name, _quantized(real, affine).reshape(height, width, channels), affine)
        options = {"padding": "SAME", "strides": (stride, stride), "activation": "RELU" if relu else "NONE"}
        return self._operator("CONV_2D", name, (source, f"{name}/weights", f"{name}/bias"), options)

    def block(self, name: str, source: str, channels: int, stride: int) -> str:
        """A residual block; the greater sum needs a wider range with every block."""
        first = self.conv(f"{name}/conv1", source, channels, 3, stride, relu=True)
        second = self.conv(f"{name}/conv2", first, channels, 3, 1, relu=False)
        shortcut = source
        if stride > 1:
            shortcut = self.conv(f"{name}/shortcut", source, channels, 1, stride, relu=False)
        left, right = (_real(self.codes[one], self.affines[one]) for one in (second, shortcut))
        affine = _affine(math.hypot(*(_greatest(self.affines[one]) for one in (second, shortcut))), relu=True)
        self._activation(f"{name}/add", _quantized(left + right, affine), affine)
        return self._operator("ADD", f"{name}/add", (second, shortcut), {"activation": "RELU"})

    def halve(self, name: str, source: str) -> str:
        """The greatest of 3x3, every second pixel."""
        codes = self.codes[source]
        height, width, channels = (codes.shape[0] + 1) // 2, (codes.shape[1] + 1) // 2, codes.shape[2]
        # After ReLU nothing lies below the zero point, so that zeros around the image change no maximum.
        zero_point = self.affines[source][1]
        windows = _windows(codes - zero_point, 3, 2).reshape(height, width, 9, channels)
        self._activation(name, windows.max(axis=2) + zero_point, self.affines[source])
        options = {"padding": "SAME", "strides": (2, 2), "filter": (3, 3), "activation": "NONE"}
        return self._operator("MAX_POOL_2D", name, (source,), options)

    def head(self, source: str, classes: int) -> None:
        """The mean over the image, then a fully connected layer."""
        codes, (scale, zero_point) = self.codes[source], self.affines[source]
        height, width, channels = codes.shape
        self._activation(POOL, np.rint(codes.mean(axis=(0, 1), keepdims=True)), self.affines[source])
        window = {"padding": "VALID", "strides": (height, width), "filter": (height, width), "activation": "NONE"}
        self._operator("AVERAGE_POOL_2D", POOL, (source,), window)
        self.tensors.append(Tensor(VECTOR, (1, channels), "int8", None, (scale,), (zero_point,)))
        self.tensors.append(Tensor(f"{VECTOR}/shape", (2,), "int32", np.array([-1, channels], np.int32)))
        self._operator("RESHAPE", VECTOR, (POOL, f"{VECTOR}/shape"), {"new_shape": (-1, channels)})
        weights = self._weights((classes, channels))
        sums = weights.astype(np.float64) @ (self.codes[POOL].reshape(-1) - zero_point)
        bias = np.full(classes, -(sums.sum() // classes)).astype(np.int32)
        weight_scale = np.float32(1 / 512)
        self._constants(LOGITS, weights, bias, np.array([weight_scale]), scale)
        greatest = float(np.abs(sums + bias).max()) * scale * float(weight_scale)
        self.tensors.append(Tensor(LOGITS, (1, classes), "int8", None, (float(np.float32(greatest / 96)),), (5,)))
        inputs = (VECTOR, f"{LOGITS}/weights", f"{LOGITS}/bias")
        self._operator("FULLY_CONNECTED", LOGITS, inputs, {"activation": "NONE"})

    def _weights(self, shape: tuple[int, ...]) -> np.ndarray:
        """Nearly normal: the sum of three uniform numbers, so that no machine's logarithm has a part in it."""
        draws = self.random.randint(-42, 43, (3, *shape), dtype=np.int8)
        return draws.sum(axis=0, dtype=np.int8)

    def _around(self, means: np.ndarray, deviations: np.ndarray) -> np.ndarray:
        """A bias that moves each channel's mean to within a quarter of its deviation of zero."""
        quarters = self.random.randint(-25, 26, len(means)) / 100
        return np.rint(quarters * deviations - means).astype(np.int32)

    def _constants(
        self, name: str, weights: np.ndarray, bias: np.ndarray, weight_scales: np.ndarray, input_scale: float
    ) -> None:
        zeros = (0,) * len(weight_scales)
        bias_scales = tuple(float(one) for one in weight_scales * np.float32(input_scale))
        scales = tuple(float(one) for one in weight_scales)
        self.tensors += [
            Tensor(f"{name}/weights", weights.shape, "int8", weights, scales, zeros),
            Tensor(f"{name}/bias", bias.shape, "int32", bias, bias_scales, zeros),
        ]

    def _activation(self, name: str, codes: np.ndarray, affine: Affine) -> None:
        self.codes[name], self.affines[name] = codes, affine
        self.tensors.append(Tensor(name, (1, *codes.shape), "int8", None, (affine[0],), (affine[1],)))

    def _operator(self, kind: str, name: str, inputs: Sequence[str], options: Mapping[str, object]) -> str:
        self.operators.append(Operator(kind, tuple(inputs), (name,), options))
        return name


def _windows(values: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    """One row for each output pixel: its window of (kernel, kernel, channels) with zeros outside the image."""
    pads = [same_padding(side, kernel, stride) for side in values.shape[:2]]
    padded = np.pad(values, [*pads, (0, 0)])
    # NumPy's stubs know no window over some of the axes.
    view: Any = np.lib.stride_tricks.sliding_window_view
    windows = view(padded, (kernel, kernel), axis=(0, 1))[::stride, ::stride]
    return windows.transpose(0, 1, 3, 4, 2).reshape(-1, kernel * kernel * values.shape[2])


def _means(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each column, in whole numbers: the mean, and the mean distance from it."""
    means = sums.sum(axis=0) // len(sums)
    return means, np.maximum(np.abs(sums - means).sum(axis=0) // len(sums), 1)


def _affine(reach: float, relu: bool) -> Affine:
    """The range [0, reach], or about [-reach, reach]."""
    return (float(np.float32(reach / 255)), -128) if relu else (float(np.float32(2 * reach / 255)), 3)


def _greatest(affine: Affine) -> float:
    """The greatest value that an activation can have."""
    return affine[0] * (127 - affine[1])


def _real(codes: np.ndarray, affine: Affine) -> np.ndarray:
    return (codes - affine[1]) * affine[0]


def _quantized(real: np.ndarray, affine: Affine) -> np.ndarray:
    """Codes, near enough to what a kernel gives; with a zero point of -128 this is a ReLU as well."""
    return np.clip(np.rint(real / affine[0]) + affine[1], -128, 127)


def main(arguments: Sequence[str]) -> int:
    """Write the networks named, or all."""
    try:
        folder, names = Path(arguments[0]), arguments[1:] or list(NETWORKS)
        unknown = [name for name in names if name not in NETWORKS]
        if unknown:
            raise WvvError(f"no network {unknown[0]!r}; known: {', '.join(NETWORKS)}")
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / f"{name}.tflite").write_bytes(NETWORKS[name]())
    except IndexError:
        print("usage: python -m tvm_wvv.models.random_resnets FOLDER [NAME...]", file=sys.stderr)
        return 2
    except (WvvError, OSError) as error:
        print(f"random_resnets: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
