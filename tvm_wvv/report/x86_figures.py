"""The figures of a network that was timed on x86, as values whose fields are the keys of the JSON object.

What a board's profile has and this one does not is null there: instructions, flash, stack.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.table import Table

from tvm_wvv.frontends.layer_names import label
from tvm_wvv.report.figures import LayerFigures, Totals
from tvm_wvv.report.tables import table
from tvm_wvv.report.text import UNKNOWN, count, percent, two_decimals

_GIGA = 1e9


@dataclass(frozen=True)
class Speed:
    """`gmac_per_s` counts the multiply-accumulates of the direct form. `peak_share` is the time that the layer's own
    multiplications would take at the peak of its products, as a share of what it takes.
    """

    microseconds: float
    share: float
    gmac_per_s: float | None
    peak_share: float | None


@dataclass(frozen=True)
class PeakFigures:
    """GMAC/s of one core by products of bytes, which direct layers use, and of int16 pairs, which Winograd does."""

    bytes_gmac_per_s: float
    int16_gmac_per_s: float

    def seconds(self, layer: LayerFigures) -> float | None:
        """What the layer's multiplications take at best; None where it has none."""
        if not layer.multiplications:
            return None
        rate = self.bytes_gmac_per_s if layer.algorithm == "direct" else self.int16_gmac_per_s
        return layer.multiplications / (rate * _GIGA)


@dataclass(frozen=True)
class X86Profile:
    """`whole` is one inference without marks, `runs` how many were counted; `cpu` is what the CPU calls itself."""

    model: str
    mcpu: str
    vectors: str
    cpu: str
    totals: Totals
    layers: tuple[LayerFigures, ...]
    speeds: tuple[Speed, ...]
    whole: Speed
    peak: PeakFigures
    runs: int


def speeds(
    layers: tuple[LayerFigures, ...], microseconds: tuple[float, ...], whole: float, peak: PeakFigures
) -> tuple[tuple[Speed, ...], Speed]:
    """Of each layer and of the network; shares are of the layers' sum."""
    total = sum(microseconds) or 1.0
    each = tuple(
        _speed(time, time / total, layer.macs, peak.seconds(layer))
        for layer, time in zip(layers, microseconds, strict=True)
    )
    best = sum(peak.seconds(layer) or 0.0 for layer in layers)
    return each, _speed(whole, 1.0, sum(layer.macs or 0 for layer in layers), best)


def _speed(microseconds: float, share: float, macs: int | None, best_s: float | None) -> Speed:
    seconds = microseconds / 1e6
    if not macs or best_s is None or seconds == 0:
        return Speed(microseconds, share, None, None)
    return Speed(microseconds, share, macs / seconds / _GIGA, best_s / seconds)


def x86_profile_object(profile: X86Profile) -> dict[str, Any]:
    """The JSON object of `wvv profile --board x86`."""
    layers = [{**asdict(layer), **asdict(speed)} for layer, speed in zip(profile.layers, profile.speeds, strict=True)]
    whole = {name: value for name, value in asdict(profile.whole).items() if name != "share"}
    return {
        "board": "x86",
        "model": profile.model,
        "mcpu": profile.mcpu,
        "vectors": profile.vectors,
        "cpu": profile.cpu,
        "runs": profile.runs,
        "peak": asdict(profile.peak),
        "totals": {**asdict(profile.totals), **whole},
        "layers": layers,
    }


def x86_profile_table(profile: X86Profile) -> Table:
    """Per layer: time, share of the whole, multiply-accumulates in a second, and use that it makes of the peak."""
    columns = ("layer", "op", "algorithm", "MACs", "multiplications", "us", "share", "GMAC/s", "of peak", "weights")
    rows = [_row(layer, speed) for layer, speed in zip(profile.layers, profile.speeds, strict=True)]
    title = f"{profile.model} on x86 ({profile.cpu}), made for {profile.mcpu}: one inference, one thread"
    made = table(columns, rows, title, numbers=range(3, len(columns)))
    made.add_section()
    sums = replace(profile.layers[0], name="total", op="", algorithm="",
                   macs=sum(layer.macs or 0 for layer in profile.layers),
                   multiplications=sum(layer.multiplications or 0 for layer in profile.layers),
                   weight_bytes=profile.totals.weight_bytes) if profile.layers else None  # fmt: skip
    if sums is not None:
        made.add_row(*_row(sums, profile.whole))
    return made


def x86_notes(profile: X86Profile) -> tuple[str, ...]:
    """How the figures are meant."""
    peak = profile.peak
    return (
        f"Times are medians of {profile.runs:,} runs that were not interrupted. Layers are timed in place by the "
        f"time-stamp counter, in a build with marks; the total is that of the library without them.",
        f"Peak of this core, by a loop of products alone: {peak.bytes_gmac_per_s:,.0f} GMAC/s of bytes (direct), "
        f"{peak.int16_gmac_per_s:,.0f} of int16 (Winograd). Its share is that of the multiplications that are left.",
    )


def _row(layer: LayerFigures, speed: Speed) -> tuple[str, ...]:
    rate = UNKNOWN if speed.gmac_per_s is None else f"{speed.gmac_per_s:,.0f}"
    return (
        label(layer.name), layer.op, layer.algorithm, count(layer.macs), count(layer.multiplications),
        two_decimals(speed.microseconds), percent(speed.share), rate, percent(speed.peak_share),
        count(layer.weight_bytes),
    )  # fmt: skip
