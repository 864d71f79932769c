"""Multiplications of whole networks by algorithm: what Winograd saves once strides, borders and other layers count.

An algorithm takes every 3x3 convolution with stride 1, the first layer included; whole tiles count, also where they
hang over the edge. All other layers stay as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid


@dataclass(frozen=True)
class ConvShape:
    """`times` equal convolutions with square kernels and "same" padding on a square image of `size` pixels a side."""

    size: int
    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1
    times: int = 1

    @property
    def macs(self) -> int:
        """Of one direct convolution."""
        return math.ceil(self.size / self.stride) ** 2 * self.kernel**2 * self.inputs * self.outputs


@dataclass(frozen=True)
class NetworkShape:
    """`dense` are the products of the fully connected layer at the end."""

    name: str
    data: str
    convolutions: tuple[ConvShape, ...]
    dense: int


# MLPerf Tiny's: one block in each of three stages, projections as 1x1 convolutions.
RESNET8 = NetworkShape(
    "ResNet-8",
    "CIFAR-10",
    (
        ConvShape(32, 3, 16),
        ConvShape(32, 16, 16, times=2),
        ConvShape(32, 16, 32, stride=2),
        ConvShape(16, 32, 32),
        ConvShape(32, 16, 32, kernel=1, stride=2),
        ConvShape(16, 32, 64, stride=2),
        ConvShape(8, 64, 64),
        ConvShape(16, 32, 64, kernel=1, stride=2),
    ),
    dense=64 * 10,
)
# He et al. 2015, section 4.2: three stages of three blocks, shortcuts without parameters.
RESNET20 = NetworkShape(
    "ResNet-20",
    "CIFAR-10",
    (
        ConvShape(32, 3, 16),
        ConvShape(32, 16, 16, times=6),
        ConvShape(32, 16, 32, stride=2),
        ConvShape(16, 32, 32, times=5),
        ConvShape(16, 32, 64, stride=2),
        ConvShape(8, 64, 64, times=5),
    ),
    dense=64 * 10,
)
# He et al. 2015, table 1: four stages of two blocks, projections as 1x1 convolutions.
RESNET18 = NetworkShape(
    "ResNet-18",
    "ImageNet",
    (
        ConvShape(224, 3, 64, kernel=7, stride=2),
        ConvShape(56, 64, 64, times=4),
        ConvShape(56, 64, 128, stride=2),
        ConvShape(56, 64, 128, kernel=1, stride=2),
        ConvShape(28, 128, 128, times=3),
        ConvShape(28, 128, 256, stride=2),
        ConvShape(28, 128, 256, kernel=1, stride=2),
        ConvShape(14, 256, 256, times=3),
        ConvShape(14, 256, 512, stride=2),
        ConvShape(14, 256, 512, kernel=1, stride=2),
        ConvShape(7, 512, 512, times=3),
    ),
    dense=512 * 1000,
)
NETWORKS = (RESNET8, RESNET20, RESNET18)


def direct_multiplications(network: NetworkShape) -> int:
    """With every layer direct."""
    return network.dense + sum(one.times * one.macs for one in network.convolutions)


def multiplications(network: NetworkShape, algorithm: Algorithm) -> int:
    """With `algorithm` wherever it can be."""
    return network.dense + sum(one.times * _of_layer(one, algorithm) for one in network.convolutions)


def saving(network: NetworkShape, algorithm: Algorithm) -> float:
    """How many times fewer multiplications the whole network has."""
    return direct_multiplications(network) / multiplications(network, algorithm)


def _of_layer(layer: ConvShape, algorithm: Algorithm) -> int:
    if (layer.kernel, layer.kernel) != algorithm.r or layer.stride != 1:
        return layer.macs
    border = layer.kernel // 2
    grid = Grid(algorithm, (1, layer.size, layer.size, layer.inputs), (border,) * 4)
    return grid.multiplications(layer.outputs)
