"""Random quantized Winograd layers: any algorithm, both arithmetics, clips from far too narrow to none, zero points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from winograd_cases import WinogradCase, winograd_cases

from tvm_wvv.errors import WvvError
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.kernels.winograd_quantized import Parts, winograd_conv2d
from tvm_wvv.quant.default_stages import from_ranges
from tvm_wvv.quant.stage import GRANULARITIES, StageQuantizer, Stages
from tvm_wvv.quant.winograd_parameters import WinogradIntegers, winograd_integers
from tvm_wvv.reference import winograd_quantized as oracle
from tvm_wvv.transforms.catalog import ALGORITHMS, Variant

VARIANTS = tuple(Variant(one, arithmetic) for one in ALGORITHMS.values() for arithmetic in ("int16", "int8"))


@dataclass(frozen=True, eq=False)
class QuantizedCase:
    """A convolution with its input and the integers of its stages."""

    case: WinogradCase
    integers: WinogradIntegers

    @property
    def parts(self) -> Parts:
        return Parts.of(self.integers, self.case.op, self.case.algorithm)

    def kernel(self) -> Kernel:
        """All stages in one function."""
        return winograd_conv2d(self.case.op, self.case.algorithm, self.case.x.shape, self.parts)

    def expected(self) -> np.ndarray:
        return oracle.winograd_conv2d(self.case.x, self.case.op, self.case.algorithm, self.integers)


def quantized(case: WinogradCase, stages: Stages) -> QuantizedCase:
    integers = winograd_integers(case.algorithm, case.op, case.weights, case.bias, stages)
    return QuantizedCase(case, integers)


def by_ranges(case: WinogradCase, arithmetic: str) -> QuantizedCase:
    return quantized(case, from_ranges(case.algorithm, case.op, case.weights, arithmetic))


@st.composite
def quantized_cases(
    draw: st.DrawFn, variants: Sequence[Variant] = VARIANTS, channels: int = 9, largest: tuple[int, int] = (8, 8),
    batch: int = 2,
) -> QuantizedCase:  # fmt: skip
    variant = draw(st.sampled_from(variants))
    case = draw(winograd_cases(variant.algorithm, channels, largest, batch))
    granularity, powers = draw(st.sampled_from(GRANULARITIES)), draw(st.booleans())
    stages = from_ranges(case.algorithm, case.op, case.weights, variant.arithmetic, granularity, powers)
    if variant.arithmetic == "int8":
        stages = _clipped(draw, case, stages)
    try:
        return quantized(case, stages)
    except WvvError as error:
        # A step of the worst-case sums may be thousands of output steps; such layers are rightly refused.
        assume("is so fine that it raises the sums" not in str(error))
        raise


def _clipped(draw: st.DrawFn, case: WinogradCase, stages: Stages) -> Stages:
    """8 bits or fewer, finer scales, so that values clip, and zero points of V for each tap or all."""
    assert stages.v is not None and stages.m is not None
    taps, outputs = case.algorithm.taps, case.weights.shape[0]
    bits = {name: draw(st.sampled_from((8, 8, 8, 5))) for name in "uvm"}
    shares = {name: 2.0 ** draw(st.integers(-5, 8 - bits[name])) for name in "vm"}
    v = replace(_finer(stages.v, shares["v"], 1.0), bits=bits["v"])
    ends = st.integers(*v.limits)
    zero_point = draw(st.one_of(st.just((0,)), ends.map(lambda z: (z,)), st.lists(ends, min_size=taps, max_size=taps)))
    u = replace(stages.u, bits=bits["u"], scale=tuple(one * 2.0 ** (8 - bits["u"]) for one in stages.u.scale))
    # No finer than the sums' own step, which would be refused.
    step = (v.scales(taps) * u.scales(taps, outputs)).max()
    m = replace(_finer(stages.m, shares["m"], step), bits=bits["m"])
    return Stages(u, replace(v, zero_point=tuple(zero_point)), m)


def _finer(stage: StageQuantizer, share: float, least: float) -> StageQuantizer:
    return replace(stage, scale=tuple(max(least, one * share) for one in stage.scale))
