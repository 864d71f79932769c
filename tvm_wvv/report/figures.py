"""The figures of a compiled network as values whose fields are the keys of the JSON objects.

None is a figure that nobody measured; 0 is a measured zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

OWN = "own"


@dataclass(frozen=True)
class LayerFigures:
    """One layer. `macs` are those of its direct form, `multiplications` those that its algorithm needs.

    `backend` is whose kernel computes it; `backend_reason` says why ours does where a library was asked for.
    """

    name: str
    op: str
    algorithm: str
    reason: str | None
    macs: int | None
    multiplications: int | None
    instructions: int | None
    cycles_m4_estimate: int | None
    weight_bytes: int | None
    workspace_bytes: int | None
    backend: str = OWN
    backend_reason: str | None = None


@dataclass(frozen=True)
class Totals:
    """The network on its board, for one inference.

    `flash_bytes` and `ram_bytes` are of the firmware image (code, weights, initial values; static data and the stack
    that was used); `text_bytes` is code alone.
    """

    instructions: int | None = None
    cycles_m4_estimate: int | None = None
    flash_bytes: int | None = None
    text_bytes: int | None = None
    weight_bytes: int | None = None
    ram_bytes: int | None = None
    arena_bytes: int | None = None
    workspace_bytes: int | None = None
    stack_bytes: int | None = None


@dataclass(frozen=True)
class FunctionFigures:
    """One function of the firmware, without those that it calls."""

    name: str
    instructions: int
    cycles_m4_estimate: int | None


@dataclass(frozen=True)
class BaselineLayer:
    """`backend` is ours where the library has nothing for the layer."""

    name: str
    instructions: int | None
    backend: str


@dataclass(frozen=True)
class BaselineTotals:
    instructions: int | None


@dataclass(frozen=True)
class Baseline:
    """The same network without Winograd, by a library's kernels; `layers` are those of the profile, in its order."""

    name: str
    version: str
    layers: tuple[BaselineLayer, ...]
    totals: BaselineTotals


@dataclass(frozen=True)
class Profile:
    """What `wvv profile` reports. `functions` fall in cost; `notes` say how the figures are meant."""

    board: str
    model: str
    totals: Totals
    layers: tuple[LayerFigures, ...]
    functions: tuple[FunctionFigures, ...] = ()
    notes: tuple[str, ...] = ()
    against: Baseline | None = None


def profile_object(profile: Profile, top: int = 0) -> dict[str, Any]:
    """The JSON object of `wvv profile`; with `top` also so many functions."""
    rows = asdict(profile)
    del rows["notes"]
    rows["functions"] = rows["functions"][:top]
    if top == 0:
        del rows["functions"]
    if profile.against is None:
        del rows["against"]
    return rows


def explain_object(board: str, model: str, layers: Iterable[LayerFigures]) -> dict[str, Any]:
    """The JSON object of `wvv explain`: the layers without what only a run can count."""
    rows = [asdict(layer) for layer in layers]
    for row in rows:
        del row["instructions"], row["cycles_m4_estimate"]
    return {"board": board, "model": model, "layers": rows}


def ratio(numerator: int | None, denominator: int | None) -> float | None:
    """`numerator / denominator`, None where either is unknown or nothing is divided by."""
    return None if numerator is None or not denominator else numerator / denominator
