"""What `make bench` measured, as values: one run for each network, board and algorithm, and how to find them.

A run that its board refused has no profile but the refusal's text. A network whose file is missing has a note.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvm_wvv.frontends.layer_names import label
from tvm_wvv.report.figures import LayerFigures, Profile

LIBRARY = "CMSIS-NN"


@dataclass(frozen=True)
class Run:
    """One network on one board. `algorithm` is what `--winograd` was given, or a library with its version."""

    network: str
    board: str
    algorithm: str
    profile: Profile | None
    refusal: str | None = None

    @property
    def is_library(self) -> bool:
        return self.algorithm.startswith(LIBRARY)


@dataclass(frozen=True)
class BenchNetwork:
    """`name` is the file's stem, `title` what people call it, `algorithms` those that it is measured with."""

    name: str
    title: str
    algorithms: tuple[str, ...]


@dataclass(frozen=True)
class Bench:
    """All runs, in the order of the page. `boards` are pairs of a name and its core; `missing` are networks by name."""

    commit: str
    tools: tuple[str, ...]
    boards: tuple[tuple[str, str], ...]
    networks: tuple[BenchNetwork, ...]
    runs: tuple[Run, ...]
    missing: tuple[str, ...] = ()

    def of(self, network: str, board: str) -> tuple[Run, ...]:
        """The runs of one network on one board, in order."""
        return tuple(run for run in self.runs if (run.network, run.board) == (network, board))

    def profile(self, network: str, board: str, algorithm: str) -> Profile | None:
        """That of one run; None where it was refused or not made."""
        return next((run.profile for run in self.of(network, board) if run.algorithm == algorithm), None)

    def library(self, network: str, board: str) -> Run | None:
        """The first run by the library, which is the one that everybody has."""
        return next((run for run in self.of(network, board) if run.is_library), None)

    def pairs(self) -> Iterator[tuple[BenchNetwork, str, str]]:
        """Each network that was measured, with each board and its core."""
        for network in self.networks:
            if network.name not in self.missing:
                for board, core in self.boards:
                    yield network, board, core


def layer(profile: Profile, name: str) -> LayerFigures | None:
    """The layer that this label names."""
    return next((one for one in profile.layers if label(one.name) == name), None)


def total_macs(profile: Profile) -> int:
    """Of all layers that multiply."""
    return sum(one.macs or 0 for one in profile.layers)
