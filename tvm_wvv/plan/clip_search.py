"""Stage scales of one layer by coordinate descent: each in turn takes the candidate that leaves the least output error.

A candidate is the present scale times a ratio, and the present one is among them, so that the error never grows. Scales
start where nothing of the sample clips. The same layer gives the same scales.

What shares a scale: V has one for all taps (`tensor`) or one for each tap. U has one for each output channel besides,
and M at least a factor for each: M[t, o] has scale a[t] b[o], with one a for all taps or one for each. Such a factor
costs nothing, as multipliers behind the products are per tap and channel anyway, and those of the output per channel.
Under `tap_channel` every M[t, o] has a scale of its own.

One scale of V or M for all taps means one for rows of B and columns of A that powers of two have balanced: data and
layer do not count in them (`Algorithm.constant_axes`). A tap's own scale is the shared one times its power.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tvm_wvv.plan.layer_error import (
    HIGH,
    LOW,
    ExactLayer,
    Floats,
    TapForm,
    TapScales,
    cost,
    errors,
    products,
    rounding_error,
    tap_error,
    tap_form,
)
from tvm_wvv.quant.stage import Granularity

Stage = Literal["v", "u", "m"]
STAGES: tuple[Stage, ...] = ("u", "v", "m")
Taps = list[TapScales]
ROUNDS = 3
# First far and coarse, then near and fine. One scale for all taps may end far below what the largest of them needs.
_FIRST = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.42, 0.35)
_FIRST_SHARED = (*_FIRST, 0.29, 0.24, 0.2, 0.16, 0.13, 0.1, 0.07, 0.05, 0.03)
_LATER = (1.0, 0.8, 0.88, 0.94, 1.06, 1.13, 1.25)
_FIRST_POWERS, _LATER_POWERS = (1.0, 0.5, 0.25, 0.125, 0.0625), (1.0, 0.5, 2.0)
# A tap leans to one side where the other end of its range is nearer to zero than this share.
_LEAN = 0.25


@dataclass(frozen=True)
class Wish:
    """`zero_points` gives a tap of V whose values lean to one side a zero point, so that no step is left unused.

    Without `clipped` the scales hold every value of the sample, and nothing is searched for.
    """

    granularity: Granularity = "tap"
    power_of_two: bool = False
    zero_points: bool = False
    clipped: bool = True

    def ratios(self, number: int) -> Sequence[float]:
        """The candidates of a round."""
        if self.power_of_two:
            return _LATER_POWERS if number else _FIRST_POWERS
        if number:
            return _LATER
        return _FIRST_SHARED if self.granularity == "tensor" else _FIRST


def search(layer: ExactLayer, wish: Wish, step: Callable[[], None] = lambda: None) -> Taps:
    """The scales found; `step` is called ROUNDS times."""
    taps = unclipped(layer, wish)
    one_round = _shared_round if wish.granularity == "tensor" else _tap_round
    for number in range(ROUNDS):
        taps = one_round(layer, taps, wish, wish.ratios(number))
        if wish.granularity != "tap_channel":
            taps = _channel_round(layer, taps, wish, wish.ratios(1))
        step()
    return taps


def unclipped(layer: ExactLayer, wish: Wish) -> Taps:
    """The scales that hold every value of the sample."""
    shared = wish.granularity == "tensor"
    low, high = layer.v.min(axis=(1, 2)), layer.v.max(axis=(1, 2))
    v = np.maximum(-low, high) / HIGH
    if wish.zero_points:
        v = np.where(_leans(low, high), (np.maximum(high, 0) - np.minimum(low, 0)) / (HIGH - LOW), v)
    u, m = (np.abs(one).max(axis=axis) / HIGH for one, axis in ((layer.u, 2), (layer.m, 1)))
    if shared:
        v, u = layer.balance * (v / layer.balance).max(), np.broadcast_to(u.max(axis=0), u.shape)
    if wish.granularity != "tap_channel":
        m = _factored(m, layer.balance if shared else None, wish)
    taps = [TapScales(float(v[t]), 0, u[t], m[t]) for t in range(len(v))]
    return [_within(layer, t, tap, wish) for t, tap in enumerate(taps)]


def _factored(greatest: Floats, balance: Floats | None, wish: Wish) -> Floats:
    """a[t] b[o], nowhere below `greatest` [t, o]; a is `balance` [t] where there is one."""
    of_taps = np.maximum(greatest.max(axis=1, keepdims=True), 1) if balance is None else balance[:, None]
    of_outputs = _power((greatest / of_taps).max(axis=0), wish)
    # A dead channel takes any factor.
    of_outputs[of_outputs == 0] = 1
    if balance is None:
        of_taps = _power((greatest / of_outputs).max(axis=1, keepdims=True), wish)
    return of_taps * of_outputs


def _within(layer: ExactLayer, t: int, tap: TapScales, wish: Wish) -> TapScales:
    """The tap with no scale below the step in which its values come, and its zero point; powers of two if wished."""
    least = float(layer.balance[t]) if wish.granularity == "tensor" else 1.0
    v, u = max(least, float(_power(np.array(tap.v), wish))), np.maximum(1, _power(tap.u, wish))
    m = np.maximum(v * u, _power(tap.m, wish)).astype(np.float32)
    return TapScales(v, _zero_point(layer, t, v) if wish.zero_points else 0, u.astype(np.float32), m)


def _power(scale: np.ndarray, wish: Wish) -> np.ndarray:
    if not wish.power_of_two:
        return scale
    return np.where(scale > 0, 2.0 ** np.ceil(np.log2(np.maximum(scale, 2.0**-60))), 0)


def _leans(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.minimum(-low, high) < _LEAN * np.maximum(-low, high)


def _zero_point(layer: ExactLayer, t: int, v: float) -> int:
    """Where a tap leans, the one that puts its end near zero onto the first or the last step."""
    low, high = min(0.0, float(layer.v[t].min())), max(0.0, float(layer.v[t].max()))
    if not _leans(np.array(low), np.array(high)):
        return 0
    wanted = LOW - low / v if high > -low else HIGH - high / v
    return int(np.clip(round(wanted), LOW, HIGH))


def _stepped(layer: ExactLayer, t: int, tap: TapScales, stage: Stage, ratio: float, wish: Wish) -> TapScales:
    return _within(layer, t, replace(tap, **{stage: getattr(tap, stage) * ratio}), wish)


def _shared_round(layer: ExactLayer, taps: Taps, wish: Wish, ratios: Sequence[float]) -> Taps:
    """Each stage's scales of all taps in turn."""
    for stage in STAGES:
        tried = [[_stepped(layer, t, tap, stage, ratio, wish) for t, tap in enumerate(taps)] for ratio in ratios]
        costs = np.stack([cost(layer, errors(layer, one)) for one in tried])
        taps = [_best([one[t] for one in tried], costs, own=stage == "u") for t in range(len(taps))]
    return taps


def _channel_round(layer: ExactLayer, taps: Taps, wish: Wish, ratios: Sequence[float]) -> Taps:
    """The factor that M's scales of all taps have in common in each output channel."""
    tried = [[_stepped(layer, t, tap, "m", ratio, wish) for t, tap in enumerate(taps)] for ratio in ratios]
    made = [products(layer, t, tap) for t, tap in enumerate(taps)]
    costs = np.stack([cost(layer, _errors_of(layer, one, made)) for one in tried])
    return [_best([one[t] for one in tried], costs, own=True) for t in range(len(taps))]


def _errors_of(layer: ExactLayer, taps: Taps, made: Sequence[Floats]) -> Floats:
    return np.stack([rounding_error(layer, t, tap, made[t]) for t, tap in enumerate(taps)])


def _tap_round(layer: ExactLayer, taps: Taps, wish: Wish, ratios: Sequence[float]) -> Taps:
    """Each tap in turn, each of its stages, the error of all others as it stands."""
    found, error = list(taps), errors(layer, taps)
    total = np.tensordot(layer.matrix, error, 1)
    for t in range(len(found)):
        cells = np.flatnonzero(layer.matrix[:, t])
        column = layer.matrix[cells, t, None, None]
        total[cells] -= column * error[t]
        form = tap_form(layer, t, total)
        for stage in STAGES:
            tried = [_stepped(layer, t, found[t], stage, ratio, wish) for ratio in ratios]
            costs = _costs(layer, t, tried, stage, form)
            found[t] = _best(tried, costs, own=stage == "u" or (stage == "m" and wish.granularity == "tap_channel"))
        error[t] = tap_error(layer, t, found[t])
        total[cells] += column * error[t]
    return found


def _costs(layer: ExactLayer, t: int, tried: Sequence[TapScales], stage: Stage, form: TapForm) -> np.ndarray:
    """[candidate, o]; scales of M alone leave the products as they are."""
    if stage != "m":
        return np.stack([form.cost(tap_error(layer, t, one)) for one in tried])
    made = products(layer, t, tried[0])
    return np.stack([form.cost(rounding_error(layer, t, one, made)) for one in tried])


def _best(tried: Sequence[TapScales], costs: np.ndarray, own: bool) -> TapScales:
    """The candidate of the least cost [candidate, o]; with `own`, each output channel takes its own."""
    if not own:
        return tried[int(costs.sum(axis=1).argmin())]
    best, outputs = costs.argmin(axis=0), np.arange(costs.shape[1])
    u, m = (np.stack([getattr(one, stage) for one in tried])[best, outputs] for stage in ("u", "m"))
    return replace(tried[0], u=u, m=m)
