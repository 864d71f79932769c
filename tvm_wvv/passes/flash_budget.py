"""Which form each convolution takes when the fastest ones together overfill the flash: a choice on plain numbers.

Takes:  for each layer the forms that are possible, each with its estimated instructions and bytes of weights.
Gives:  one form a layer, with the least instructions among all selections whose bytes stay within the budget.
Exact but for the grain: bytes are counted in units of a 4,096th of the budget, rounded up, so that a selection never
takes more than it may.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tvm_wvv.passes.choose import Choice, Decisions, Refusal, exact_forms
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.passes.options import Direct, Target

_UNITS = 4096
_ROUNDS = 4  # of lowering anew; estimates are near enough for one or two


@dataclass(frozen=True)
class Form:
    """One way to compute a layer; `decision` is a Refusal where that way is the direct one."""

    name: str
    decision: Choice | Refusal
    instructions: float
    flash_bytes: int


def forms(site: ConvSite, target: Target, direct: Direct) -> tuple[Form, ...]:
    """The direct form, and every exact algorithm that is proved for the site."""
    instructions = exact_forms(site, target, direct)
    plain = Form("direct", Refusal(""), instructions.direct, _direct_bytes(site, target, direct))
    return (
        plain,
        *(Form(str(one.variant), one, cost, _winograd_bytes(site, one)) for one, cost in instructions.winograd),
    )


def within_flash(
    limit: int,
    decisions: Decisions,
    sites: Mapping[str, ConvSite],
    target: Target,
    direct: Direct,
    lowered: Callable[[Decisions], Lowered],
) -> Lowered:
    """`decisions` as they are where their constants fit; else with other forms for `sites`, the fastest that fit.

    Bytes of a form are estimates, so the total is looked at again after each lowering. Where nothing fits, every site
    has its smallest form: the one to refuse.
    """
    made = lowered(decisions)
    if _over(made, limit) <= 0:
        return made
    choices = {name: forms(site, target, direct) for name, site in sites.items()}
    taken = {name: _current(decisions[name], choices[name]) for name in sites}
    for _ in range(_ROUNDS):
        over = _over(made, limit)
        if over <= 0:
            break
        room = sum(form.flash_bytes for form in taken.values()) - over
        smaller = fewest_instructions(choices, room) or _smallest(choices)
        if smaller == taken:
            break
        taken = smaller
        made = lowered({**decisions, **{name: explained(form, choices[name]) for name, form in taken.items()}})
    return made


def _over(made: Lowered, limit: int) -> int:
    """Bytes of constants beyond the limit."""
    return sum(layer.weight_bytes for layer in made.layers) - limit


def fewest_instructions(layers: Mapping[str, Sequence[Form]], budget: int) -> dict[str, Form] | None:
    """By layer name; None where even the smallest forms take more than `budget` bytes."""
    if budget < sum(min(form.flash_bytes for form in choices) for choices in layers.values()):
        return None
    unit = max(1, budget // _UNITS)
    # Of each number of units the cheapest selection so far: its cost, and its forms in order.
    best: dict[int, tuple[float, tuple[Form, ...]]] = {0: (0.0, ())}
    for choices in layers.values():
        longer: dict[int, tuple[float, tuple[Form, ...]]] = {}
        for used, (cost, taken) in best.items():
            for form in choices:
                units, total = used + math.ceil(form.flash_bytes / unit), cost + form.instructions
                if units * unit <= budget and total < longer.get(units, (math.inf, ()))[0]:
                    longer[units] = total, (*taken, form)
        best = longer
    # The grain may leave no selection where the budget is all but exact: then every layer takes its smallest form.
    if not best:
        return _smallest(layers)
    return dict(zip(layers, min(best.values(), key=lambda one: one[0])[1], strict=True))


def _smallest(layers: Mapping[str, Sequence[Form]]) -> dict[str, Form]:
    return {name: min(choices, key=lambda form: form.flash_bytes) for name, choices in layers.items()}


def _current(decision: Choice | Refusal, choices: Sequence[Form]) -> Form:
    name = str(decision.variant) if isinstance(decision, Choice) else "direct"
    return next(form for form in choices if form.name == name)


def explained(form: Form, choices: Sequence[Form]) -> Choice | Refusal:
    """The form's decision, with the reason where a faster one was given up."""
    fastest = min(choices, key=lambda one: one.instructions)
    if form is fastest and isinstance(form.decision, Choice):
        return form.decision
    reason = f"for flash: {fastest.name} would take {fastest.flash_bytes:,} bytes of weights, {form.name} "
    reason += f"takes {form.flash_bytes:,}"
    return replace(form.decision, reason=reason)


def _winograd_bytes(site: ConvSite, choice: Choice) -> int:
    """16 bits for each transformed weight, channels filled up to pairs."""
    outputs, channels = _even(site.outputs), _even(site.x_shape[3])
    return 2 * choice.variant.algorithm.taps * outputs * channels


def _direct_bytes(site: ConvSite, target: Target, direct: Direct) -> int:
    """A byte a weight; our own kernels for the DSP extension hold them as 16 bits."""
    wide = target == "cortex_m_dsp" and direct == "own"
    return site.weights.size * (2 if wide else 1)


def _even(count: int) -> int:
    return count + count % 2
