"""How layers are called: in full by their TFLite tensor, and by a label short enough for a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def label(name: str) -> str:
    """The part of a name that tells the layer apart: TFLite's converter joins all names it fused by semicolons."""
    return name.split(";", 1)[0]


def whole_names(names: Sequence[str]) -> dict[str, str]:
    """The full name behind each label that belongs to one layer only."""
    times = Counter(label(name) for name in names)
    return {label(name): name for name in names if times[label(name)] == 1}
