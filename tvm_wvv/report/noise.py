"""How much noise the roundings of a quantized Winograd layer leave in its output, by the integer oracle, in decibels.

The layer: normal weights, int8 for each output channel; normal activations after a ReLU, int8; 24x24 pixels, padded by
one. Signal and noise are those of the sums that reach the last rounding, so that the output's own int8 is left out.
Scales hold what the data reach, times a share that leaves the least noise at the output: one share for V, one for M.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.errors import WvvError
from tvm_wvv.quant.default_stages import (
    from_ranges,
    input_granularity,
    product_step,
    weight_granularity,
    weight_quantizer,
)
from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.quant.stage import Granularity, StageQuantizer, Stages, by_clip, by_range
from tvm_wvv.quant.winograd_parameters import winograd_integers
from tvm_wvv.quant.winograd_ranges import transformed_weights
from tvm_wvv.reference import winograd_quantized as oracle
from tvm_wvv.reference.conv import conv2d_sums
from tvm_wvv.transforms.bilinear import Algorithm

FloatArray = NDArray[np.float64]
CHANNELS, OUTPUTS, SIZE = 64, 32, 24
SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
# Beyond, what is left are the multipliers' last bits: no stage rounds.
EXACT_DB = 140.0


@dataclass(frozen=True)
class Scheme:
    """Bits of each stage. `u` None: as wide as sums in int32 allow; `v` 16: as it is, if it fits; `m` None: wide.

    With `zero_points`, each tap of V has one that uses all steps where its values have mostly one sign.
    """

    u: int | None
    v: int
    m: int | None = None
    power_of_two: bool = False
    zero_points: bool = False

    def __str__(self) -> str:
        if self.u is None:
            return "int16"
        return f"U{self.u} V{self.v}" + ("" if self.m is None else f" M{self.m}")


SCHEMES = (Scheme(8, 8), Scheme(8, 8, 8), Scheme(8, 16), Scheme(12, 16), Scheme(16, 16), Scheme(None, 16))


@dataclass(frozen=True, eq=False)
class NoiseLayer:
    """One layer with one input; `sums` are those of direct convolution."""

    op: Conv2d
    weights: NDArray[np.int8]
    x: NDArray[np.int8]
    sums: FloatArray


def noise_layer(seed: int = 0) -> NoiseLayer:
    """The same seed, the same layer."""
    random = np.random.default_rng(seed)
    real = random.normal(size=(OUTPUTS, 3, 3, CHANNELS))
    scales = np.abs(real).max(axis=(1, 2, 3)) / 127
    weights = np.rint(real / scales[:, None, None, None]).astype(np.int8)
    image = np.maximum(random.normal(size=(1, SIZE, SIZE, CHANNELS)), 0)
    scale = float(image.max() / 255)
    x = (np.rint(image / scale) - 128).astype(np.int8)
    op = Conv2d(Affine(scale, -128), Affine(1.0, 0), tuple(scales.tolist()), Window(padding=(1, 1, 1, 1)))
    sums = conv2d_sums(x, weights, None, op).astype(np.float64)
    largest = float(np.abs(sums * scale * scales).max())
    return NoiseLayer(replace(op, output=Affine(largest / 127, 0)), weights, x, sums)


def signal_to_noise_db(
    algorithm: Algorithm, granularity: Granularity, scheme: Scheme, layers: Sequence[NoiseLayer]
) -> float | None:
    """Over all layers together; infinite where no stage rounds, None where sums may not fit int32."""
    try:
        noise = sum(noise_of(algorithm, layer, fitted(algorithm, layer, granularity, scheme)) for layer in layers)
    except WvvError:
        return None
    signal = sum(float(np.square(_steps(layer, layer.sums)).sum()) for layer in layers)
    decibels = 10 * math.log10(signal / noise) if noise else math.inf
    return decibels if decibels < EXACT_DB else math.inf


def fitted(algorithm: Algorithm, layer: NoiseLayer, granularity: Granularity, scheme: Scheme) -> Stages:
    """Quantizers of this scheme with the clips that leave the least noise."""
    u = transformed_weights(layer.weights, algorithm)
    v, m = _reached(algorithm, layer, u)
    stages = from_ranges(algorithm, layer.op, layer.weights, "int16", granularity)
    if scheme.u is not None:
        stages = replace(stages, u=weight_quantizer(u, scheme.u, weight_granularity(granularity), scheme.power_of_two))
    if scheme.v < 16:
        clips = [_input_quantizer(v * share, granularity, scheme) for share in SHARES]
        stages = _quietest(algorithm, layer, [replace(stages, v=clip) for clip in clips])
    if scheme.m is not None and stages.v is not None:
        step = product_step(stages.v, stages.u, u.shape[:2])
        clips = [
            by_clip(m * share, scheme.m, granularity, power_of_two=scheme.power_of_two, least=step) for share in SHARES
        ]
        stages = _quietest(algorithm, layer, [replace(stages, m=clip) for clip in clips])
    return stages


def noise_of(algorithm: Algorithm, layer: NoiseLayer, stages: Stages) -> float:
    """Squared error of the output before its rounding, summed over all pixels, in output steps."""
    integers = winograd_integers(algorithm, layer.op, layer.weights, None, stages)
    y = oracle.trace(layer.x, layer.op, algorithm, integers).y
    scales = np.array([one.mantissa * 2.0 ** (one.shift - 31) for one in integers.out_multipliers])
    return float(np.square(y * scales - _steps(layer, layer.sums)).sum())


def _input_quantizer(reached: FloatArray, granularity: Granularity, scheme: Scheme) -> StageQuantizer:
    """For V within `reached` [low or high, t]."""
    shared = input_granularity(granularity)
    if scheme.zero_points:
        return by_range(reached[0], reached[1], scheme.v, shared, power_of_two=scheme.power_of_two)
    return by_clip(np.abs(reached).max(axis=0), scheme.v, shared, power_of_two=scheme.power_of_two)


def _quietest(algorithm: Algorithm, layer: NoiseLayer, candidates: Sequence[Stages]) -> Stages:
    return min(candidates, key=lambda one: noise_of(algorithm, layer, one))


def _steps(layer: NoiseLayer, sums: FloatArray) -> FloatArray:
    """Sums of direct convolution as steps of the output's scale."""
    return sums * (layer.op.input.scale * np.array(layer.op.weight_scales) / layer.op.output.scale)


def _reached(algorithm: Algorithm, layer: NoiseLayer, u: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Least and greatest V [2, t], and the greatest magnitudes of M [t, o]."""
    v = oracle.input_transform(layer.x, algorithm, layer.op.input.zero_point, layer.op.window.padding)
    m = np.einsum("nabtc,toc->nabto", v.astype(np.float64), u.astype(np.float64), optimize=True)
    ends = np.stack([v.min(axis=(0, 1, 2, 4)), v.max(axis=(0, 1, 2, 4))])
    return ends.astype(np.float64), np.abs(m).max(axis=(0, 1, 2))
