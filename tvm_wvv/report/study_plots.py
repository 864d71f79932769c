"""The study's two figures as PNG files. matplotlib is imported here alone, when a figure is drawn (extra `report`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tvm_wvv.errors import WvvError
from tvm_wvv.report.study import GRANULARITY_NAMES, NoiseRow, SavingRow, Study
from tvm_wvv.report.study_page import NOISE_FIGURE, SAVING_FIGURE

_COLUMN = "U8 V8 M8"
_COLORS = ("#c3c9d1", "#5b8db8", "#1f4e79")


def draw(found: Study, folder: Path) -> None:
    """Both figures, in their places below `folder`."""
    check_drawing()
    save(_noise(found.noise), folder / NOISE_FIGURE)
    save(_savings(found.savings), folder / SAVING_FIGURE)


def check_drawing() -> None:
    """Refuse to go on without matplotlib, before any long work is done for a figure."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise WvvError(f"figures need matplotlib ({error}): pip install 'tvm_wvv[report]'") from error


def _figure() -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Without pyplot nothing looks for a screen, and no state is left behind.
    figure = Figure(figsize=(7, 3), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _noise(rows: Sequence[NoiseRow]) -> Any:
    """Bars of the pure 8-bit form, by algorithm and granularity."""
    names = list(dict.fromkeys(row.algorithm for row in rows))
    series = {
        label: [_height(rows, name, granularity) for name in names] for granularity, label in GRANULARITY_NAMES.items()
    }
    figure, axes = _figure()
    _bars(axes, names, series)
    axes.set_ylabel("signal to noise, dB")
    axes.set_title("All stages 8 bits, by what shares a scale")
    return figure


def _height(rows: Sequence[NoiseRow], name: str, granularity: str) -> float:
    """Decibels, none where there is more noise than signal."""
    found = next(row for row in rows if (row.algorithm, row.granularity) == (name, granularity))
    return max(0.0, found.decibels[_COLUMN] or 0.0)


def _savings(rows: Sequence[SavingRow]) -> Any:
    names = list(rows[0].savings)
    figure, axes = _figure()
    _bars(axes, names, {row.network: [row.savings[name] for name in names] for row in rows})
    axes.set_ylabel("times fewer than direct")
    axes.set_title("Multiplications of whole networks, whole tiles counted")
    return figure


def _bars(axes: Any, names: Sequence[str], series: dict[str, list[float]]) -> None:
    """Groups of bars, one group a name and one bar a series."""
    width = 0.8 / len(series)
    for place, (label, heights) in enumerate(series.items()):
        left = [group + (place - (len(series) - 1) / 2) * width for group in range(len(names))]
        axes.bar(left, heights, width, label=label, color=_COLORS[place % len(_COLORS)])
    axes.set_xticks(range(len(names)), names)
    axes.spines[["top", "right"]].set_visible(False)
    axes.figure.legend(loc="outside right upper", frameon=False)


def save(figure: Any, path: Path) -> None:
    """The figure as PNG; its folder is made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # No date and no version in the file: the same figures give the same bytes.
    figure.savefig(path, metadata={"Software": None})
