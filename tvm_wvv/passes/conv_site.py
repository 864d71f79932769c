"""One convolution of a network as plain data: all that a decision about it may look at."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.quant.operators import Conv2d, DepthwiseConv2d
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid


@dataclass(frozen=True)
class ConvSite:
    """One convolution: operator, input shape NHWC, filters (OHWI; 1HWC where depthwise), bias where there is one."""

    op: Conv2d | DepthwiseConv2d
    x_shape: tuple[int, ...]
    weights: NDArray[np.int8]
    bias: NDArray[np.int32] | None = None

    @property
    def outputs(self) -> int:
        """Output channels of a convolution that is not depthwise."""
        return self.weights.shape[0]

    @property
    def macs(self) -> int:
        """Products of one output of direct convolution."""
        return math.prod(self.weights.shape[1:])

    def grid(self, algorithm: Algorithm) -> Grid:
        """How tiles of `algorithm` cover the image."""
        return Grid(algorithm, self.x_shape, self.op.window.padding)
