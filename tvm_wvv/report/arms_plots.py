"""The figures of trained arms as PNG files; matplotlib is imported when a figure is drawn (extra `report`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tvm_wvv.plan.stage_values import StageValues
from tvm_wvv.report.arms import Arm
from tvm_wvv.report.arms_page import COST_FIGURE, CURVES_FIGURE, STAGES_FIGURE
from tvm_wvv.report.multiplications import RESNET20
from tvm_wvv.report.study_plots import check_drawing, save

_COLORS = (
    "#1f4e79", "#5b8db8", "#b8542b", "#7a9e4a", "#8a5aa8", "#c3a24a",
    "#4aa8a0", "#a0a0a0", "#d07f9f", "#333333", "#e0452f", "#2f9e44",
)  # fmt: skip
_BINS = np.linspace(-2.0, 2.0, 81)
_SMOOTH = 5  # points of the log in one of the curve


def draw(
    arms: Sequence[Arm], reference: Mapping[str, float], stages: Sequence[StageValues], title: str, folder: Path
) -> None:
    """All three, in their places below `folder`; accuracy is that of the first test set of `reference`."""
    check_drawing()
    save(_curves(arms), folder / CURVES_FIGURE)
    save(_cost(arms, reference), folder / COST_FIGURE)
    save(_stages(stages, title), folder / STAGES_FIGURE)


def _figure(panels: int, size: tuple[float, float]) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _curves(arms: Sequence[Arm]) -> Any:
    figure, (axes,) = _figure(1, (8, 4))
    for number, arm in enumerate(arms):
        lines = [line for line in arm.log if "loss" in line]
        losses = np.array([line["loss"] for line in lines])
        if len(losses) < _SMOOTH:
            continue
        smooth = np.convolve(losses, np.full(_SMOOTH, 1 / _SMOOTH), "valid")
        epochs = [line["epoch"] for line in lines][_SMOOTH - 1 :]
        axes.plot(epochs, smooth, label=arm.title, color=_COLORS[number % len(_COLORS)], linewidth=1.2)
    axes.set_yscale("log")
    axes.set_xlabel("epochs")
    axes.set_ylabel("loss")
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return figure


def _cost(arms: Sequence[Arm], reference: Mapping[str, float]) -> Any:
    """An open mark before training, a full one after it."""
    name = next(iter(reference))
    figure, (axes,) = _figure(1, (8, 4))
    axes.axhline(reference[name], color="#888888", linewidth=0.8, linestyle="--")
    axes.annotate("FP32", (0.7, reference[name]), xytext=(0, 3), textcoords="offset points", fontsize=8)
    # Arms of one algorithm would lie on each other.
    places = _apart([1 / arm.saving(RESNET20) for arm in arms])
    least = min(min(arm.trained[name] for arm in arms), reference[name]) - 2
    for number, (arm, place) in enumerate(zip(arms, places, strict=True)):
        color, before = _COLORS[number % len(_COLORS)], max(arm.untrained[name], least)
        axes.plot([place] * 2, [before, arm.trained[name]], color=color, linewidth=0.8)
        axes.plot(place, before, "v" if before == least else "o", color=color, markerfacecolor="white")
        axes.plot(place, arm.trained[name], "o", color=color, label=arm.title)
    axes.set_xlabel("multiplications of the whole network, share of direct")
    axes.set_ylabel(f"top-1, %, {name}")
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return figure


def _apart(places: Sequence[float], step: float = 0.012) -> list[float]:
    """The same places, equal ones side by side."""
    counted: dict[float, int] = {}
    found = []
    for place in places:
        found.append(place + step * counted.get(place, 0))
        counted[place] = counted.get(place, 0) + 1
    return found


def _stages(stages: Sequence[StageValues], title: str) -> Any:
    figure, axes = _figure(len(stages), (9, 3))
    for one, panel in zip(stages, axes, strict=True):
        spread = one.values.std(1)
        # The narrowest, the middle and the widest tap tell the story.
        chosen = np.argsort(spread)[[0, len(spread) // 2, -1]]
        for color, tap in zip(_COLORS[:3], chosen, strict=True):
            heights, _ = np.histogram(np.clip(one.values[tap], _BINS[0], _BINS[-1]), _BINS, density=True)
            panel.stairs(heights, _BINS, color=color, label=f"tap {tap}")
            for sign in (-1, 1):
                panel.axvline(sign * one.before[tap], color=color, linestyle=":", linewidth=0.9)
        for sign in (-1, 1):
            panel.axvline(sign, color="#333333", linestyle="--", linewidth=0.9)
        panel.set_yscale("log")
        panel.set_title(one.name, fontsize=9)
        panel.legend(frameon=False, fontsize=7)
    figure.suptitle(title, fontsize=9)
    return figure
