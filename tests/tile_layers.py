"""Layers for calibration: one convolution as plain data with heavy-tailed inputs, as activations have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvm_wvv.plan.layer_error import ExactLayer, exact_layer
from tvm_wvv.plan.tile_sample import TileSample, sample_tiles
from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import by_name


@dataclass(frozen=True, eq=False)
class TileLayer:
    """int8 input (n, h, w, c), and the layer that reads it."""

    algorithm: Algorithm
    op: Conv2d
    x: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def sample(self, count: int = 200, seed: int = 0) -> TileSample:
        random = np.random.default_rng(seed)
        zero_point, padding = self.op.input.zero_point, self.op.window.padding
        return sample_tiles(self.x, self.algorithm, zero_point, padding, count, random)

    def exact(self, sample: TileSample) -> ExactLayer:
        return exact_layer(sample, self.algorithm, self.op, self.weights, self.bias)


def tile_layer(name: str = "f4c", seed: int = 0, channels: tuple[int, int] = (5, 3), images: int = 4) -> TileLayer:
    """Activations after a rectifier, rare ones far above the others, and -128 among them; 7x10 pixels, padded."""
    random, (inputs, outputs) = np.random.default_rng(seed), channels
    x = np.minimum(random.exponential(12, (images, 7, 10, inputs)) ** 1.3, 255).astype(np.int64) - 128
    weights = np.clip(np.rint(random.normal(0, 30, (outputs, 3, 3, inputs))), -127, 127)
    scales = tuple((random.uniform(0.5, 2, outputs) / 100).astype(np.float32).tolist())
    op = Conv2d(Affine(0.02, -128), Affine(0.11, -5), scales, Window(padding=(1, 1, 1, 1)), (-100, 127))
    bias = random.integers(-300, 300, outputs, dtype=np.int32)
    return TileLayer(by_name(name), op, x.astype(np.int8), weights.astype(np.int8), bias)
