"""How far a quantized Winograd layer is from its exact output, as a function of its stage scales: a model in floats.

    E[t] = sm[t] clip(round(Vq Uq sv su / sm)) - M[t],   error = A E, in steps of the layer's output

V and M round halves up, as the integers do: in scales that are powers of two many values are halves.

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
    tile, o] is what a squared error counts there. `balance` [t], powers of two, is what scales of V and of M are to one
    another where taps share them.
    """

    matrix: Floats
    v: Floats
    u: Floats
    m: Floats
    weight: Floats
    balance: Floats


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
    """All stages of the sampled tiles without any rounding of theirs."""
    matrix, u = np.array(algorithm.output_matrix, np.float32), transformed_weights(weights, algorithm)
    by_tap, cells = np.array(algorithm.input_matrix, np.float32), sample.cells.astype(np.float32)
    v = np.einsum("tk,nkc->tnc", by_tap, cells, optimize=True)
    m = v @ u.astype(np.float32).transpose(0, 2, 1)
    step = np.array(op.weight_scales) * op.input.scale / op.output.scale
    outputs = (np.tensordot(matrix, m, 1) / algorithm.scale + (0 if bias is None else bias)) * step
    low, high = (end - op.output.zero_point for end in op.clamp)
    counts = (outputs >= low - 0.5) & (outputs <= high + 0.5) & sample.inside.T[:, :, None]
    weight = np.where(counts, np.square(step / algorithm.scale), 0).astype(np.float32)
    balance = np.exp2(np.array(algorithm.constant_axes, np.float32))
    return ExactLayer(matrix, v, u.astype(np.float32), m, weight, balance)


def products(layer: ExactLayer, t: int, tap: TapScales) -> Floats:
    """M of a tap [tile, o] as it comes from V and U on their few bits."""
    v = _rounded(layer.v[t] / np.float32(tap.v))
    np.clip(v, LOW - tap.zero_point, HIGH - tap.zero_point, out=v)
    u = np.clip(np.rint(layer.u[t] / tap.u[:, None]), -HIGH, HIGH)
    return v @ (u * (tap.v * tap.u)[:, None].astype(np.float32)).T


def rounding_error(layer: ExactLayer, t: int, tap: TapScales, made: Floats) -> Floats:
    """E[t] [tile, o] where `made` are the tap's products."""
    error = _rounded(made / tap.m)
    np.clip(error, LOW, HIGH, out=error)
    error *= tap.m
    error -= layer.m[t]
    return error


def _rounded(values: Floats) -> Floats:
    values += np.float32(0.5)
    return np.floor(values, out=values)


def tap_error(layer: ExactLayer, t: int, tap: TapScales) -> Floats:
    """E[t] [tile, o] under these scales."""
    return rounding_error(layer, t, tap, products(layer, t, tap))


def errors(layer: ExactLayer, taps: Sequence[TapScales]) -> Floats:
    """E [t, tile, o]."""
    return np.stack([tap_error(layer, t, tap) for t, tap in enumerate(taps)])


def cost(layer: ExactLayer, error: Floats) -> NDArray[np.float64]:
    """The squared error of each output channel, summed over the sample."""
    at_output = np.tensordot(layer.matrix, error, 1)
    return np.sum(layer.weight * at_output**2, axis=(0, 1), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class TapForm:
    """What E[t] adds to the cost: the sum over tiles of linear * E + square * E^2, both [tile, o]."""

    linear: Floats
    square: Floats

    def cost(self, error: Floats) -> NDArray[np.float32]:
        """Of each output channel."""
        return np.einsum("no,no->o", self.linear + self.square * error, error)


def tap_form(layer: ExactLayer, t: int, others: Floats) -> TapForm:
    """The form of tap t where `others` [output cell, tile, o] is A E without it."""
    cells = np.flatnonzero(layer.matrix[:, t])
    column, weight = layer.matrix[cells, t], layer.weight[cells]
    linear = np.einsum("i,ino,ino->no", 2 * column, weight, others[cells])
    return TapForm(linear, np.tensordot(column**2, weight, 1))
