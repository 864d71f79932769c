"""Winograd layers of microkernels: a `WinogradCase` with its kernel and the bytes that direct convolution gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from winograd_cases import WinogradCase

from tvm_wvv.kernels import winograd, winograd_dsp
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.quant.fixed_point import to_float32
from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.reference.conv import conv2d
from tvm_wvv.reference.winograd import transform_weights
from tvm_wvv.transforms.catalog import F2, F4, F4C

VARIANTS = (F2, F4, F4C)
# Channels in and out: fewer than a word, odd ones, whole quads, more than one round of the product loop.
CHANNELS = ((1, 1), (3, 5), (4, 2), (7, 3), (8, 8), (16, 4), (22, 3), (36, 2), (64, 6), (68, 2), (136, 1))
SIZES = ((1, 1), (2, 5), (3, 4), (7, 6), (8, 9), (9, 13))
CLAMPS = ((-128, 127), (-100, 27), (3, 127))


@dataclass(frozen=True)
class Layer:
    """`case` as microkernels compute it."""

    case: WinogradCase
    kernel: Kernel
    positive: bool

    @property
    def expected(self) -> np.ndarray:
        return conv2d(self.case.x, self.case.weights, self.case.bias, self.case.op)


def layer(case: WinogradCase) -> Layer:
    """With the stage's proof that there is a kernel."""
    u = transform_weights(case.weights, case.algorithm)
    stage = winograd.exact_output_stage(case.op, case.algorithm, u, case.bias)
    assert winograd_dsp.fits(case.algorithm, stage), f"no kernel for {case}"
    made = winograd_dsp.winograd_conv2d(case.algorithm, case.op.window, case.zero_point, case.x.shape, u, stage)
    return Layer(case, made, stage.positive)


def layers(seed: int) -> Iterator[Layer]:
    """Every variant with every pair of channels, at sizes, paddings, zero points and clamps of all kinds."""
    rng = np.random.default_rng(seed)
    for algorithm in VARIANTS:
        for number, (inputs, outputs) in enumerate(CHANNELS):
            height, width = SIZES[int(rng.integers(len(SIZES)))]
            padding = tuple(int(p) for p in rng.integers(0, 3, 4)) if height > 2 else (1, 1, 1, 1)
            shape = (int(rng.integers(1, 3)), height, width, inputs)
            x = rng.integers(-128, 128, shape, dtype=np.int8)
            weights = rng.integers(-128, 128, (outputs, 3, 3, inputs), dtype=np.int8)
            if number % 4 == 1:
                x, weights = np.where(x < 0, -128, 127).astype(np.int8), np.full_like(weights, -128)
            zero_points = [int(rng.choice([-128, -5, 0, 127])) for _ in range(2)]
            scales = tuple(to_float32(s) for s in rng.uniform(0.3, 1.7, outputs))
            output = Affine(to_float32(40 * (9 * inputs) ** 0.5), zero_points[1])
            clamp = CLAMPS[int(rng.integers(len(CLAMPS)))]
            op = Conv2d(Affine(1.0, zero_points[0]), output, scales, Window(padding=padding), clamp)  # type: ignore[arg-type]
            bias = rng.integers(-20000, 20000, outputs, dtype=np.int32)
            yield layer(WinogradCase(algorithm, op, x, weights, bias))
