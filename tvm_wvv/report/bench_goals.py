"""The goals of the Cortex-M kernels, each with what was measured and whether it is met.

Layer goals are instructions for each multiply-accumulate of the direct form, requantization included. Where a network
has two layers of one shape, the dearer one counts. A goal that nothing was measured for is None, not failed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm_wvv.report.bench import Bench, layer
from tvm_wvv.report.figures import Profile, Totals, ratio

RESNET8 = "pretrainedResnet_quant"
M4, M55 = "mps2-an386", "mps3-an547"


@dataclass(frozen=True)
class LayerGoal:
    """`library_7` is what CMSIS-NN 7 takes for each multiply-accumulate, counted apart from any benchmark run."""

    title: str
    labels: tuple[str, ...]
    exact: float
    int16: float
    library_7: float


LAYER_GOALS = (
    LayerGoal("8x8 64->64", ("model/batch_normalization_6/FusedBatchNormV3",), 0.45, 0.34, 1.78),
    LayerGoal("16x16 32->32", ("model/batch_normalization_4/FusedBatchNormV3",), 0.54, 0.43, 1.94),
    LayerGoal(
        "32x32 16->16", ("model/activation_1/Relu", "model/batch_normalization_2/FusedBatchNormV3"), 0.75, 0.65, 2.34
    ),
)
# What the goal of each algorithm's arithmetic is.
LAYER_ALGORITHMS = (("f4c", "exact"), ("f4", "exact"), ("f4:int16", "int16"))


@dataclass(frozen=True)
class LayerOutcome:
    """`library` is the same layer by the library in the same run."""

    goal: LayerGoal
    algorithm: str
    limit: float
    measured: float | None
    library: float | None

    @property
    def met(self) -> bool | None:
        return None if self.measured is None else self.measured <= self.limit


@dataclass(frozen=True)
class NetworkOutcome:
    """A goal of a whole network, in its `unit`."""

    title: str
    unit: str
    limit: float
    measured: float | None

    @property
    def met(self) -> bool | None:
        return None if self.measured is None else self.measured <= self.limit


def layer_outcomes(bench: Bench) -> tuple[LayerOutcome, ...]:
    """On the Cortex-M4."""
    by_library = bench.library(RESNET8, M4)
    library = by_library.profile if by_library else None
    return tuple(
        LayerOutcome(
            goal,
            algorithm,
            goal.exact if arithmetic == "exact" else goal.int16,
            per_mac(bench.profile(RESNET8, M4, algorithm), goal.labels),
            per_mac(library, goal.labels),
        )
        for goal in LAYER_GOALS
        for algorithm, arithmetic in LAYER_ALGORITHMS
    )


def per_mac(profile: Profile | None, labels: tuple[str, ...]) -> float | None:
    """Instructions for each multiply-accumulate of the dearest of these layers; None where one is unknown."""
    if profile is None:
        return None
    found = [layer(profile, one) for one in labels]
    ratios = [None if one is None else ratio(one.instructions, one.macs) for one in found]
    known = [one for one in ratios if one is not None]
    return max(known) if len(known) == len(labels) else None


def network_outcomes(bench: Bench) -> tuple[NetworkOutcome, ...]:
    """Of ResNet-8 as `auto` compiles it."""
    m4 = bench.profile(RESNET8, M4, "auto")
    totals = m4.totals if m4 else Totals()
    used = _sum(totals.arena_bytes, totals.stack_bytes)
    return (
        NetworkOutcome("instructions on M4", "M", 13.0, _millions(totals.instructions)),
        NetworkOutcome("estimated cycles on M4", "M", 15.0, _millions(totals.cycles_m4_estimate)),
        NetworkOutcome("RAM on M4: arena with workspace, and stack", "bytes", 56_000, used),
        NetworkOutcome("workspace on M4", "bytes", 12_000, totals.workspace_bytes),
        NetworkOutcome("code on M4", "bytes", 40_000, totals.text_bytes),
        NetworkOutcome("instructions of the nine convolutions on M55", "M", 3.5, _millions(_fewest_on_m55(bench))),
    )


def _fewest_on_m55(bench: Bench) -> int | None:
    """By the best of our algorithms that fit the board: each is one firmware for the whole network."""
    own = [run.profile for run in bench.of(RESNET8, M55) if run.profile is not None and not run.is_library]
    counts = [convolutions(profile) for profile in own]
    return min((one for one in counts if one is not None), default=None)


def convolutions(profile: Profile) -> int | None:
    """Instructions of all conv2d layers."""
    return _sum(*(one.instructions for one in profile.layers if one.op == "conv2d"))


def _sum(*values: int | None) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _millions(value: int | None) -> float | None:
    return None if value is None else value / 1e6
