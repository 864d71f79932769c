"""The checked-in instruction counts that a test holds the kernels to: as JSON, and what has changed against them.

Keys, from the outside in: network, board, algorithm, layer. Counts are exact, the same on every machine that has the
compiler which `compiler` names; with another one they are no measure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tvm_wvv.report.bench import Bench, Run
from tvm_wvv.report.figures import Profile

ALLOWED = 0.01
"""The share by which a layer may grow."""
_ROUNDING = 1  # of a timer that is slower than the core: a reshape takes 0 instructions or 1

Layers = Mapping[str, int]


@dataclass(frozen=True)
class Change:
    """One layer whose count is another."""

    layer: str
    board: str
    was: int
    now: int

    def __str__(self) -> str:
        by = f"{(self.now / self.was - 1):+.1%}" if self.was else "from nothing"
        return f"{self.layer} on {self.board}: was {self.was:,}, is {self.now:,} instructions ({by})"


def baseline(bench: Bench, compiler: str, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The object of a benchmark; networks that were not measured stay as they were `before`."""
    networks: dict[str, Any] = {name: (before or {}).get("networks", {}).get(name) for name in bench.missing}
    networks = {name: value for name, value in networks.items() if value is not None}
    for run in bench.runs:
        layers = _layers(run)
        if layers:
            networks.setdefault(run.network, {}).setdefault(run.board, {})[run.algorithm] = layers
    return {"commit": bench.commit, "compiler": compiler, "networks": networks}


def _layers(run: Run) -> dict[str, int]:
    """Nothing for a library: its kernels are not ours to hold."""
    return {} if run.profile is None or run.is_library else layer_counts(run.profile)


def layer_counts(profile: Profile) -> dict[str, int]:
    """Instructions by layer, for those that were counted."""
    return {one.name: one.instructions for one in profile.layers if one.instructions is not None}


def to_text(value: Mapping[str, Any]) -> str:
    """One layer a line, so that a diff shows what moved."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def worse(was: Layers, now: Layers, board: str) -> list[Change]:
    """Layers that need more than is allowed, and those that the baseline does not have."""
    return [
        Change(layer, board, was.get(layer, 0), count)
        for layer, count in now.items()
        if layer not in was or count > was[layer] * (1 + ALLOWED) + _ROUNDING
    ]


def better(was: Layers, now: Layers, board: str) -> list[Change]:
    """Layers that need less by more than that: the baseline is too generous for them."""
    return [
        Change(layer, board, was[layer], count)
        for layer, count in now.items()
        if layer in was and count < was[layer] * (1 - ALLOWED) - _ROUNDING
    ]
