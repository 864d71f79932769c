"""The study of `wvv study` as plain figures: noise by algorithm, scales and bits; multiplications by network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tvm_wvv.quant.stage import GRANULARITIES, Granularity
from tvm_wvv.report.multiplications import NETWORKS, direct_multiplications, multiplications, saving
from tvm_wvv.report.noise import SCHEMES, NoiseLayer, Scheme, noise_layer, signal_to_noise_db
from tvm_wvv.transforms.catalog import ALGORITHMS

# The rows of the tables; one-dimensional algorithms come last.
NAMES = ("f2", "f4", "f4h", "f4c", "f6", "f6c", "f2x1", "f4x1")
SEEDS = (0, 1)
GRANULARITY_NAMES: dict[Granularity, str] = {"tensor": "tensor", "tap": "tap", "tap_channel": "tap and channel"}
VARIATIONS = {
    "as above": Scheme(8, 8, 8),
    "zero points": Scheme(8, 8, 8, zero_points=True),
    "powers of two": Scheme(8, 8, 8, power_of_two=True),
    "both": Scheme(8, 8, 8, power_of_two=True, zero_points=True),
}


@dataclass(frozen=True)
class NoiseRow:
    """Signal to noise in dB for one algorithm and granularity, by column; infinite where exact, None if impossible."""

    algorithm: str
    granularity: Granularity
    decibels: dict[str, float | None]


@dataclass(frozen=True)
class SavingRow:
    """One network: multiplications of all its layers, direct and by algorithm."""

    network: str
    data: str
    direct: int
    by_algorithm: dict[str, int]
    savings: dict[str, float]


@dataclass(frozen=True)
class Study:
    """`variations` are 8 bits in all stages, scales per tap."""

    noise: tuple[NoiseRow, ...]
    variations: tuple[NoiseRow, ...]
    savings: tuple[SavingRow, ...]


def study(names: Sequence[str] = NAMES, step: Callable[[str, int, int], None] = lambda *_: None) -> Study:
    """Everything computed anew; `step` hears (what, done, total) after each row."""
    layers = [noise_layer(seed) for seed in SEEDS]
    places = [(name, granularity) for name in names for granularity in GRANULARITIES]
    schemes = {str(scheme): scheme for scheme in SCHEMES}
    noise, variations = [], []
    for done, (name, granularity) in enumerate(places, start=1):
        noise.append(_noise_row(name, granularity, schemes, layers))
        if granularity == "tap":
            variations.append(_noise_row(name, granularity, VARIATIONS, layers))
        step("noise", done, len(places))
    return Study(tuple(noise), tuple(variations), savings(names))


def savings(names: Sequence[str] = NAMES) -> tuple[SavingRow, ...]:
    """Multiplications of the networks."""
    chosen = {name: ALGORITHMS[name] for name in names}
    return tuple(
        SavingRow(
            network=network.name,
            data=network.data,
            direct=direct_multiplications(network),
            by_algorithm={name: multiplications(network, one) for name, one in chosen.items()},
            savings={name: saving(network, one) for name, one in chosen.items()},
        )
        for network in NETWORKS
    )


def study_object(found: Study) -> dict[str, Any]:
    """The JSON object of `wvv study`: decibels are null where sums do not fit, and "exact" where no stage rounds."""
    root = asdict(found)
    for row in (*root["noise"], *root["variations"]):
        row["decibels"] = {key: _plain(value) for key, value in row["decibels"].items()}
    return root


def decibels(value: float | None) -> str:
    """`33.5`, `exact`, or `-` where sums do not fit int32."""
    if value is None:
        return "-"
    return "exact" if math.isinf(value) else f"{value:.1f}"


def _plain(value: float | None) -> float | str | None:
    return "exact" if value is not None and math.isinf(value) else value


def _noise_row(
    name: str, granularity: Granularity, schemes: dict[str, Scheme], layers: Sequence[NoiseLayer]
) -> NoiseRow:
    algorithm = ALGORITHMS[name]
    found = {key: signal_to_noise_db(algorithm, granularity, scheme, layers) for key, scheme in schemes.items()}
    return NoiseRow(name, granularity, found)
