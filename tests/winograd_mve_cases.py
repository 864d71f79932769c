"""Winograd layers for the vector microkernels: exact ones as the DSP cores have them, and layers in int8."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
from direct_cases import Case
from quantized_cases import QuantizedCase, quantized
from winograd_cases import WinogradCase
from winograd_dsp_cases import IN_8_BITS, cases

from tvm_wvv.errors import WvvError
from tvm_wvv.kernels import winograd, winograd_mve, winograd_mve_int8
from tvm_wvv.quant.default_stages import from_ranges
from tvm_wvv.quant.stage import GRANULARITIES, StageQuantizer, Stages
from tvm_wvv.quant.winograd_parameters import MultiplierArray
from tvm_wvv.reference.conv import conv2d
from tvm_wvv.reference.winograd import transform_weights


def exact_cases(seed: int) -> Iterator[Case]:
    """Every variant that the vector kernels have, where their way of rounding fits."""
    for case in cases(seed, IN_8_BITS):
        u = transform_weights(case.weights, case.algorithm)
        stage = winograd.exact_output_stage(case.op, case.algorithm, u, case.bias)
        if not winograd_mve.fits(case.algorithm, stage):
            continue
        made = winograd_mve.winograd_conv2d(case.algorithm, case.op.window, case.zero_point, case.x.shape, u, stage)
        expected = conv2d(case.x, case.weights, case.bias, case.op)
        yield Case(f"wvv_mve_winograd_{case.algorithm.name}", made, (case.x,), expected)


def int8_cases(seed: int) -> Iterator[Case]:
    """The same layers, each with scales of another kind."""
    rng = np.random.default_rng(seed)
    for number, case in enumerate(cases(seed, IN_8_BITS)):
        given = stages(case, number, rng)
        with suppress(WvvError):  # a step of the worst-case sums may be thousands of output steps: rightly refused
            made = quantized(case, given)
            made = rounded_twice(made) if number % 5 < 2 else made
            assert winograd_mve_int8.fits(case.algorithm, made.parts), f"no kernel for {case}"
            yield int8_case(made)


def int8_case(one: QuantizedCase) -> Case:
    case = one.case
    kernel = winograd_mve_int8.winograd_conv2d(
        case.algorithm, case.op.window, case.zero_point, case.x.shape, one.parts
    )
    return Case(f"wvv_mve_winograd_{case.algorithm.name}_int8", kernel, (case.x,), one.expected())


def rounded_twice(one: QuantizedCase) -> QuantizedCase:
    """M's multipliers with fuller mantissas and a shift to the right instead."""
    given = one.integers.m_multipliers
    assert given is not None and given.shift == 0
    places = 30 - int(given.mantissa.max()).bit_length()
    wider = MultiplierArray(given.mantissa << places, -places)
    return replace(one, integers=replace(one.integers, m_multipliers=wider))


def stages(case: WinogradCase, number: int, rng: np.random.Generator) -> Stages:
    """Tensor, tap or tap and channel; powers of two or not; clips from none to a third of the values; zero points."""
    given = from_ranges(
        case.algorithm, case.op, case.weights, "int8", GRANULARITIES[number % 3], power_of_two=bool(number // 3 % 2)
    )
    assert given.v is not None and given.m is not None
    taps, outputs = case.algorithm.taps, case.weights.shape[0]
    shares = 2.0 ** -rng.integers(0, 6, 2)
    v = finer(given.v, float(shares[0]), 1.0)
    if number % 4 == 2:
        v = replace(v, zero_point=tuple(rng.integers(-128, 128, taps).tolist()))
    # No finer than the sums' own step, which would be refused.
    least = (v.scales(taps) * given.u.scales(taps, outputs)).max()
    m = finer(given.m, float(shares[1]), least)
    return Stages(given.u, v, replace(m, bits=5) if number % 5 == 4 else m)


def finer(stage: StageQuantizer, share: float, least: float) -> StageQuantizer:
    return replace(stage, scale=tuple(max(least, one * share) for one in stage.scale))
