"""Whether a convolution is computed by Winograd, and by which algorithm: a decision on plain data.

A Choice is proved: no value of any stage leaves its integer type, for these weights and any input. A Refusal says why
not. Asked for by name, or by a recipe, an algorithm is taken wherever it is possible; under `auto` it must be exact and
save instructions. Arithmetic that rounds takes its stage quantizers from the recipe, else from the exact ranges; where
these show that 16 bits hold every operand, int16 has nothing to round and is computed as exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import ModuleType

from tvm_wvv.errors import WvvError
from tvm_wvv.passes import estimate, estimate_cmsis_nn, estimate_dsp, estimate_mve, estimate_x86
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.passes.estimate_x86 import X86Estimate
from tvm_wvv.passes.options import Direct
from tvm_wvv.passes.spec import Mode, Spec
from tvm_wvv.quant.default_stages import from_ranges
from tvm_wvv.quant.operators import Conv2d, DepthwiseConv2d
from tvm_wvv.quant.recipe import LayerRecipe
from tvm_wvv.quant.stage import Granularity, Stages
from tvm_wvv.quant.winograd_parameters import WinogradIntegers, winograd_integers
from tvm_wvv.reference.winograd import transform_weights, weight_sums
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import ALGORITHMS, ARITHMETICS, Variant
from tvm_wvv.transforms.ranges import INT8, StageRanges, stage_ranges

# How much the estimates of an algorithm must be below those of the direct kernel.
_MARGIN = 0.95
_ESTIMATES: dict[str, ModuleType | X86Estimate] = {
    "cortex_m_dsp": estimate_dsp,
    "cortex_m_mve": estimate_mve,
    **estimate_x86.ESTIMATES,
}
# Without data. Sums of int16 products are rescaled for each tap and channel anyway; scales of that kind cost nothing.
_GRANULARITY: dict[str, Granularity] = {"int16": "tap_channel", "int8": "tap"}


@dataclass(frozen=True)
class Choice:
    """`variant` computes the site; `multiplications` are of one run, whole tiles counted.

    `ranges` prove that nothing rounds before the end; what rounds in between has its proved `integers` instead.
    `reason` says why a faster form was given up, where one was, and on x86 what `auto` expects of the one it took.
    """

    variant: Variant
    multiplications: int
    ranges: StageRanges | None = None
    integers: WinogradIntegers | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Refusal:
    """Why the convolution stays direct, as a sentence for the report."""

    reason: str


Decisions = Mapping[str, Choice | Refusal]
"""What was decided of each convolution, by layer name."""


def choose(
    site: ConvSite,
    spec: Spec,
    recipe: LayerRecipe | None = None,
    target: str = "cortex_m",
    direct: Direct = "own",
) -> Choice | Refusal | None:
    """None where Winograd was not asked for. `auto` follows the layer's recipe, and so does its own algorithm.

    Without a recipe it takes what needs the fewest instructions on `target`, beside the `direct` kernels there, which
    may also be the name of x86 vectors.
    """
    if spec is Mode.OFF:
        return None
    if recipe is not None and spec in (Mode.AUTO, recipe.variant):
        return prove(site, recipe.variant, recipe.stages)
    return prove(site, spec) if isinstance(spec, Variant) else _cheapest(site, target, direct)


def prove(site: ConvSite, variant: Variant, stages: Stages | None = None) -> Choice | Refusal:
    """`variant` on this site, if it is possible and every range fits. `stages` are its quantizers, if any are known."""
    reason = _refused(site, variant.algorithm)
    if reason is not None:
        return Refusal(reason)
    if variant.arithmetic == "exact":
        return _exact(site, variant)
    exact = _exact(site, variant) if variant.arithmetic == "int16" and stages is None else None
    return exact if isinstance(exact, Choice) else _quantized(site, variant, stages)


def _exact(site: ConvSite, variant: Variant) -> Choice | Refusal:
    if "exact" not in ARITHMETICS[variant.algorithm.name]:
        return Refusal(f"{variant} is not exact: its operands may leave int16")
    u = transform_weights(site.weights, variant.algorithm)
    zero_point = site.op.input.zero_point
    cells = INT8[0] - zero_point, INT8[1] - zero_point
    ranges = stage_ranges(variant.algorithm, cells, weight_sums(u, variant.algorithm))
    overflow = ranges.overflow()
    if overflow is not None:
        return Refusal(f"{variant} is not exact here: {overflow}")
    return Choice(variant, _multiplications(site, variant), ranges=ranges)


def _quantized(site: ConvSite, variant: Variant, stages: Stages | None) -> Choice | Refusal:
    algorithm, op, weights = variant.algorithm, site.op, site.weights
    assert isinstance(op, Conv2d), f"{op} was refused before"
    try:
        quantizers = stages or from_ranges(algorithm, op, weights, variant.arithmetic, _GRANULARITY[variant.arithmetic])
        integers = winograd_integers(algorithm, op, weights, site.bias, quantizers)
    except WvvError as error:
        return Refusal(f"{variant} is not possible here: {error}")
    return Choice(variant, _multiplications(site, variant), integers=integers)


def _multiplications(site: ConvSite, variant: Variant) -> int:
    return site.grid(variant.algorithm).multiplications(site.outputs)


def _cheapest(site: ConvSite, target: str, direct: Direct) -> Choice | Refusal:
    """The cheapest exact algorithm that is possible, if it saves instructions; what costs more is not even proved."""
    algorithms = [one for name, one in ALGORITHMS.items() if "exact" in ARITHMETICS[name]]
    refusals = []
    for algorithm in sorted(algorithms, key=lambda one: _cost(site, one, target)):
        variant = Variant(algorithm, "exact")
        decision = _loss(site, variant, target, direct) or prove(site, variant)
        if isinstance(decision, Choice):
            return replace(decision, reason=_gain(site, variant, target, direct))
        refusals.append(decision)
    # The first reason is that of the algorithm which would have been best.
    return refusals[0]


@dataclass(frozen=True)
class ExactForms:
    """Estimated instructions of a site: by the direct kernel, and by each exact algorithm that is possible."""

    direct: float
    winograd: tuple[tuple[Choice, float], ...]


def exact_forms(site: ConvSite, target: str, direct: Direct) -> ExactForms:
    """Everything that `auto` may take."""
    variants = [Variant(one, "exact") for name, one in ALGORITHMS.items() if "exact" in ARITHMETICS[name]]
    choices = [one for one in (prove(site, variant) for variant in variants) if isinstance(one, Choice)]
    costs = [float(_estimates(target).winograd_instructions(site, one.variant.algorithm)) for one in choices]
    return ExactForms(_direct(site, target, direct), tuple(zip(choices, costs, strict=True)))


def _cost(site: ConvSite, algorithm: Algorithm, target: str) -> float:
    """Estimated instructions; where the shape is impossible all cost the same, and the first one says why."""
    return math.inf if _refused(site, algorithm) else _estimates(target).winograd_instructions(site, algorithm)


def _loss(site: ConvSite, variant: Variant, target: str, direct: Direct) -> Refusal | None:
    """That `variant`, though possible, does not save instructions."""
    if _refused(site, variant.algorithm):
        return None
    winograd = _estimates(target).winograd_instructions(site, variant.algorithm)
    beside = _direct(site, target, direct)
    if winograd < _MARGIN * beside:
        return None
    unit = getattr(_estimates(target), "unit", "instructions")
    if math.isinf(winograd):
        return Refusal(f"{variant} has no kernel for {site.x_shape[3]} input and {site.outputs} output channels here")
    return Refusal(
        f"does not pay with {site.x_shape[3]} input and {site.outputs} output channels on "
        f"{site.x_shape[1]}x{site.x_shape[2]}: about {winograd:,.0f} {unit} by {variant}, {beside:,.0f} direct"
    )


def _gain(site: ConvSite, variant: Variant, target: str, direct: Direct) -> str | None:
    """On x86, where the estimates are cycles: what `variant` was weighed against. Elsewhere its name says enough."""
    estimates = _estimates(target)
    if not isinstance(estimates, X86Estimate):
        return None
    winograd = estimates.winograd_instructions(site, variant.algorithm)
    return f"about {winograd:,.0f} {estimates.unit}, {_direct(site, target, direct):,.0f} direct"


def _direct(site: ConvSite, target: str, direct: Direct) -> float:
    """Estimated instructions of the kernel that computes the site without Winograd."""
    if direct == "cmsis-nn" and target.startswith("cortex_m"):
        return estimate_cmsis_nn.direct_instructions(site, target)
    return float(_estimates(target).direct_instructions(site))


def _estimates(target: str) -> ModuleType | X86Estimate:
    return _ESTIMATES.get(target, estimate)


def _refused(site: ConvSite, algorithm: Algorithm) -> str | None:
    """What about operator, kernel and window the algorithm cannot do."""
    if isinstance(site.op, DepthwiseConv2d):
        return "depthwise: each output sees one input channel, so transforms cost more than products save"
    if site.weights.shape[3] != site.x_shape[3]:
        return f"{site.x_shape[3] // site.weights.shape[3]} groups, need 1"
    kernel, window = site.weights.shape[1:3], site.op.window
    if kernel != algorithm.r:
        return f"kernel is {kernel}, need {algorithm.r}"
    if window.strides != (1, 1):
        return f"stride is {window.strides}, need (1, 1)"
    if window.dilation != (1, 1):
        return f"dilation is {window.dilation}, need (1, 1)"
    return None
