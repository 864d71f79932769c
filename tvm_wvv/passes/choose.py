"""Whether a convolution is computed by Winograd, and by which algorithm: a decision on plain data.

A Choice is proved: no value of any stage leaves its integer type, for these weights and any input. A Refusal says why
not. Asked for by name, an algorithm is taken wherever it is possible; under `auto` it must also save instructions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.passes.spec import Mode, Spec
from tvm_wvv.quant.operators import Conv2d, DepthwiseConv2d
from tvm_wvv.reference.winograd import transform_weights, weight_sums
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import ALGORITHMS, ARITHMETICS, Variant
from tvm_wvv.transforms.grid import Grid
from tvm_wvv.transforms.ranges import INT8, StageRanges, stage_ranges

# Instructions on a Cortex-M4, fitted to counts of our kernels on QEMU (GCC 12 at -O3; images of 4x4 to 32x32): within
# 5 % for 16 to 64 channels and even widths. On odd widths and few channels direct kernels need up to 40 % more than
# this, so that `auto` errs towards direct; with one or two input channels up to 15 % less, hence the margin.
_PER_MAC, _PER_DIRECT_OUTPUT = 1.91, 30.0
_PER_PRODUCT = 1.9
# Input transform: loads, additions and stores, half as much again for what spills and for padding.
_PER_INPUT_STEP = 1.5
# Output transform: each sum of products is zeroed, stored and loaded; each output is divided, requantized and stored.
_PER_OUTPUT_TAP, _PER_WINOGRAD_OUTPUT = 5.0, 15.0
_MARGIN = 0.95


@dataclass(frozen=True)
class ConvSite:
    """One convolution: operator, input shape NHWC, filters (OHWI; 1HWC where depthwise)."""

    op: Conv2d | DepthwiseConv2d
    x_shape: tuple[int, ...]
    weights: NDArray[np.int8]


@dataclass(frozen=True)
class Choice:
    """`variant` computes the site; `ranges` prove it. `multiplications` are of one run, whole tiles counted."""

    variant: Variant
    ranges: StageRanges
    multiplications: int


@dataclass(frozen=True)
class Refusal:
    """Why the convolution stays direct, as a sentence for the report."""

    reason: str


def choose(site: ConvSite, spec: Spec) -> Choice | Refusal | None:
    """None where Winograd was not asked for."""
    if spec is Mode.OFF:
        return None
    if isinstance(spec, Variant):
        return prove(site, spec)
    return _cheapest(site)


def prove(site: ConvSite, variant: Variant) -> Choice | Refusal:
    """`variant` on this site, if it is possible and every range fits."""
    if isinstance(site.op, DepthwiseConv2d):
        return Refusal("depthwise: each output sees one input channel, so transforms cost more than products save")
    if site.weights.shape[3] != site.x_shape[3]:
        return Refusal(f"{site.x_shape[3] // site.weights.shape[3]} groups, need 1")
    reason = _shape_reason(site, variant.algorithm)
    if reason is not None:
        return Refusal(reason)
    u = transform_weights(site.weights, variant.algorithm)
    zero_point = site.op.input.zero_point
    cells = INT8[0] - zero_point, INT8[1] - zero_point
    ranges = stage_ranges(variant.algorithm, cells, weight_sums(u, variant.algorithm))
    overflow = ranges.overflow()
    if overflow is not None:
        return Refusal(f"{variant} is not exact here: {overflow}")
    return Choice(variant, ranges, _grid(site, variant.algorithm).multiplications(site.weights.shape[0]))


def direct_instructions(site: ConvSite) -> float:
    """Estimate for the direct kernel on a Cortex-M4."""
    outputs = site.weights.shape[0]
    pixels = site.x_shape[0] * math.prod(_grid(site, next(iter(ALGORITHMS.values()))).output)
    return pixels * outputs * (_PER_MAC * math.prod(site.weights.shape[1:]) + _PER_DIRECT_OUTPUT)


def winograd_instructions(site: ConvSite, algorithm: Algorithm) -> float:
    """Estimate for all stages of `algorithm` on a Cortex-M4."""
    outputs, channels, taps = site.weights.shape[0], site.x_shape[3], algorithm.taps
    tiles = site.x_shape[0] * math.prod(_grid(site, algorithm).tiles)
    steps = math.prod(algorithm.tile) + algorithm.input_program.additions + taps
    per_output = _PER_OUTPUT_TAP * taps + algorithm.output_program.additions
    per_output += _PER_WINOGRAD_OUTPUT * math.prod(algorithm.m)
    products = _PER_PRODUCT * taps * channels * outputs
    return tiles * (products + _PER_INPUT_STEP * steps * channels + per_output * outputs)


def _cheapest(site: ConvSite) -> Choice | Refusal:
    variants = [Variant(one, "exact") for name, one in ALGORITHMS.items() if "exact" in ARITHMETICS[name]]
    decisions = [prove(site, variant) for variant in variants]
    choices = [decision for decision in decisions if isinstance(decision, Choice)]
    if not choices:
        return next(decision for decision in decisions if isinstance(decision, Refusal))
    best = min(choices, key=lambda choice: winograd_instructions(site, choice.variant.algorithm))
    return _if_it_pays(site, best)


def _if_it_pays(site: ConvSite, choice: Choice) -> Choice | Refusal:
    direct, winograd = direct_instructions(site), winograd_instructions(site, choice.variant.algorithm)
    if winograd < _MARGIN * direct:
        return choice
    outputs, _, _, inputs = site.weights.shape
    return Refusal(
        f"does not pay with {inputs} input and {outputs} output channels on {site.x_shape[1]}x{site.x_shape[2]}: "
        f"about {winograd:,.0f} instructions by {choice.variant}, {direct:,.0f} direct"
    )


def _shape_reason(site: ConvSite, algorithm: Algorithm) -> str | None:
    """What about kernel and window the algorithm cannot do."""
    kernel, window = site.weights.shape[1:3], site.op.window
    if kernel != algorithm.r:
        return f"kernel is {kernel}, need {algorithm.r}"
    if window.strides != (1, 1):
        return f"stride is {window.strides}, need (1, 1)"
    if window.dilation != (1, 1):
        return f"dilation is {window.dilation}, need (1, 1)"
    return None


def _grid(site: ConvSite, algorithm: Algorithm) -> Grid:
    return Grid(algorithm, site.x_shape, site.op.window.padding)
