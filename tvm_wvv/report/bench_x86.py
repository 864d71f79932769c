"""What `make bench-x86` measures, as values: each network under each setting, and the machine it ran on.

JSON has one entry for each; that of batch 1 on one thread bears the network's name alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

OURS = "ours"


@dataclass(frozen=True)
class Machine:
    """Whose times these are, and of what: runtimes with their versions, the commit where there is one."""

    cpu: str
    llvm_cpu: str
    cores: int
    commit: str | None
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Distance:
    """How far output bytes are from those of TFLite's reference kernels."""

    bytes: int
    differing: int
    greatest: int

    def __str__(self) -> str:
        return "identical" if self.differing == 0 else f"{self.differing} of {self.bytes} differ, by {self.greatest}"


@dataclass(frozen=True)
class Measured:
    """One network under one setting: median and least times, and our time divided by each other one (lower quartile,
    median, upper quartile).
    """

    network: str
    batch: int
    threads: int
    rounds: int
    clock: str
    microseconds: Mapping[str, float]
    least: Mapping[str, float]
    ratios: Mapping[str, Sequence[float]]
    distances: Mapping[str, Distance]
    notes: Mapping[str, str] = field(default_factory=dict)
    memory_bytes: Mapping[str, int | None] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its name in JSON."""
        if (self.batch, self.threads) == (1, 1):
            return self.network
        return f"{self.network} batch {self.batch} threads {self.threads}"

    @property
    def fastest(self) -> float | None:
        """Our time divided by that of the fastest other runtime."""
        return max((median for _, median, _ in self.ratios.values()), default=None)


def distance(output: np.ndarray, reference: np.ndarray) -> Distance:
    """Of int8 codes; the reference may have further axes of one entry."""
    apart = np.abs(output.astype(np.int16) - reference.reshape(output.shape))
    return Distance(apart.size, int(np.count_nonzero(apart)), int(apart.max(initial=0)))


def to_json(found: Sequence[Measured], machine: Machine) -> dict[str, Any]:
    """One object: an entry for each measurement, whole in itself."""
    return {one.key: {**_entry(one), "about": asdict(machine)} for one in found}


def _entry(one: Measured) -> dict[str, Any]:
    return {
        "network": one.network,
        "batch": one.batch,
        "threads": one.threads,
        "rounds": one.rounds,
        "clock": one.clock,
        "microseconds": {name: round(time, 2) for name, time in one.microseconds.items()},
        "least_microseconds": {name: round(time, 2) for name, time in one.least.items()},
        "ratios": {name: round(median, 4) for name, (_, median, _) in one.ratios.items()},
        "ratio_quartiles": {name: [round(low, 4), round(high, 4)] for name, (low, _, high) in one.ratios.items()},
        "against_reference": {name: asdict(apart) for name, apart in one.distances.items()},
        "notes": dict(one.notes),
        "memory_bytes": dict(one.memory_bytes),
    }
