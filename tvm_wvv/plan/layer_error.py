"""How far a quantized Winograd layer is from its exact output, as a function of its stage scales: a model in floats.

    E[t] = sm[t] clip(rint(Vq Uq sv su / sm)) - M[t],   error = A E, in steps of the layer's output

Errors count where the exact output lies within its clamp (or half a step beyond) and within the image: a rectifier
hides the others. Squared and summed they split by output channel, and they are a quadratic form of one tap's E, so that
a tap is tried without computing the others anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.plan.tile_sample import TileSample
from tvm_wvv.quant.operators import Conv2d
from tvm_wvv.quant.winograd_ranges import transformed_weights
from tvm_wvv.transforms.bilinear import Algorithm

# Single precision holds a stage's values to 2^-24, where the errors in question are 2^-8.
Floats = NDArray[np.float32]
BITS = 8
LOW, HIGH = -(1 << (BITS - 1)), (1 << (BITS - 1)) - 1


@dataclass(frozen=True, eq=False)
class ExactLayer:
    """Exact V [t, tile, c], U [t, o, c] and M [t, tile, o]; `matrix` is A [output cell, t], and `weight` [output cell,
    tile, o] is what a squared error counts there.
    """

    matrix: Floats
    v: Floats
    u: Floats
    m: Floats
    weight: Floats


@dataclass(frozen=True, eq=False)
class TapScales:
    """Scales of one tap, in steps of the stages' integer grids; `u` and `m` have one for each output channel."""

    v: float
    zero_point: int
    u: Floats
    m: Floats


def exact_layer(
    sample: TileSample, algorithm: Algorithm, op: Conv2d, weights: NDArray[np.int8], bias: NDArray[np.int32] | None
) -> ExactLayer:
    """All stages of the sampled tiles without any rounding."""
    v = np.einsum("tk,nkc->tnc", np.array(algorithm.input_matrix, np.float64), sample.cells, optimize=True)
    u = transformed_weights(weights, algorithm).astype(np.float64)
    m = v @ u.transpose(0, 2, 1)
    matrix = np.array(algorithm.output_matrix, np.float64)
    step = np.array(op.weight_scales) * op.input.scale / op.output.scale
    outputs = (np.tensordot(matrix, m, 1) / algorithm.scale + (0 if bias is None else bias)) * step
    low, high = (end - op.output.zero_point for end in op.clamp)
    counts = (outputs >= low - 0.5) & (outputs <= high + 0.5) & sample.inside.T[:, :, None]
    weight = counts * (step / algorithm.scale) ** 2
    return ExactLayer(*(np.ascontiguousarray(one, np.float32) for one in (matrix, v, u, m, weight)))


def tap_error(layer: ExactLayer, t: int, tap: TapScales) -> Floats:
    """E[t] [tile, o] under these scales."""
    v = np.clip(np.rint(layer.v[t] / np.float32(tap.v)), LOW - tap.zero_point, HIGH - tap.zero_point)
    u = np.clip(np.rint(layer.u[t] / tap.u[:, None]), -HIGH, HIGH)
    products = v @ u.T
    return np.clip(np.rint(products * (tap.v * tap.u / tap.m)), LOW, HIGH) * tap.m - layer.m[t]


def errors(layer: ExactLayer, taps: Sequence[TapScales]) -> Floats:
    """E [t, tile, o]."""
    return np.stack([tap_error(layer, t, tap) for t, tap in enumerate(taps)])


def cost(layer: ExactLayer, error: Floats) -> float:
    """The squared error of the output, summed over the sample."""
    return float(np.sum(np.tensordot(layer.matrix, error, 1) ** 2 * layer.weight, dtype=np.float64))


def tap_form(layer: ExactLayer, t: int, others: Floats) -> tuple[Floats, Floats]:
    """(linear, square) [tile, o]: the sum over a channel of linear * E + square * E^2 is what E[t] adds to its cost.

    `others` [output cell, tile, o] is A E without tap t.
    """
    column = layer.matrix[:, t]
    weighted = layer.weight * column[:, None, None]
    return 2 * (weighted * others).sum(axis=0), np.tensordot(column**2, layer.weight, 1)
