"""Winograd layers of microkernels: a `WinogradCase` with its kernel and the bytes that it must give.

Exact ones give those of direct convolution, those in 8 bits the oracle's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from quantized_cases import QuantizedCase, quantized
from winograd_cases import WinogradCase

from tvm_wvv.kernels import winograd, winograd_dsp, winograd_dsp_int8
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.quant.default_stages import from_ranges
from tvm_wvv.quant.fixed_point import to_float32
from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.quant.stage import GRANULARITIES, StageQuantizer, Stages
from tvm_wvv.reference.conv import conv2d
from tvm_wvv.reference.winograd import transform_weights
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import F2, F2X1, F4, F4C, F4X1

VARIANTS = (F2, F4, F4C, F2X1, F4X1)
IN_8_BITS = (F2, F4, F4C)
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
    expected: np.ndarray
    in_8_bits: bool = False


def layer(case: WinogradCase) -> Layer:
    """With the stage's proof that there is a kernel."""
    u = transform_weights(case.weights, case.algorithm)
    stage = winograd.exact_output_stage(case.op, case.algorithm, u, case.bias)
    assert winograd_dsp.fits(case.algorithm, stage), f"no kernel for {case.algorithm} on {case.op}"
    made = winograd_dsp.winograd_conv2d(case.algorithm, case.op.window, case.zero_point, case.x.shape, u, stage)
    return Layer(case, made, stage.positive, conv2d(case.x, case.weights, case.bias, case.op))


def layer8(one: QuantizedCase) -> Layer:
    """The same in 8 bits."""
    case, parts = one.case, one.parts
    assert winograd_dsp_int8.fits(case.algorithm, parts), f"no kernel for {case.algorithm} on {case.op}"
    shape = case.x.shape
    made = winograd_dsp_int8.winograd_conv2d(case.algorithm, case.op.window, case.zero_point, shape, parts)
    return Layer(case, made, parts.output.positive, one.expected(), in_8_bits=True)


def layers(seed: int) -> Iterator[Layer]:
    """Every exact variant, and those in 8 bits."""
    yield from map(layer, cases(seed, VARIANTS))
    for number, case in enumerate(cases(seed, IN_8_BITS)):
        yield layer8(quantized(case, _stages(case, number)))


def _stages(case: WinogradCase, number: int) -> Stages:
    """Every granularity, powers of two, clips that are met, and zero points of V: one, one for each tap, none."""
    granularity = GRANULARITIES[number % 3]
    stages = from_ranges(case.algorithm, case.op, case.weights, "int8", granularity, power_of_two=number % 5 == 4)
    assert stages.v is not None and stages.m is not None
    taps, outputs, share = case.algorithm.taps, case.weights.shape[0], (2.0**-3, 1.0, 2.0**-9, 2.0**-6)[number % 4]
    v = _finer(stages.v, share, 1.0)
    step = float((v.scales(taps) * stages.u.scales(taps, outputs)).max())
    zero_points: tuple[tuple[int, ...], ...] = ((0,), (-128,), tuple(range(90, 90 - taps, -1)))
    return Stages(stages.u, replace(v, zero_point=zero_points[number // 2 % 3]), _finer(stages.m, share, step))


def _finer(stage: StageQuantizer, share: float, least: float) -> StageQuantizer:
    return replace(stage, scale=tuple(max(least, one * share) for one in stage.scale))


def cases(seed: int, algorithms: tuple[Algorithm, ...]) -> Iterator[WinogradCase]:
    """With every pair of channels, at sizes, paddings, zero points and clamps of all kinds."""
    rng = np.random.default_rng(seed)
    for algorithm in algorithms:
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
            yield WinogradCase(algorithm, op, x, weights, bias)


def open_case(algorithm: Algorithm, channels: int) -> WinogradCase:
    """The first one of so many channels on more than a few pixels whose clamp cuts nothing off."""
    made = (case for seed in range(20) for case in cases(seed, (algorithm,)) if case.x.shape[3] == channels)
    return next(case for case in made if case.op.clamp == CLAMPS[0] and min(case.x.shape[1:3]) > 5)
