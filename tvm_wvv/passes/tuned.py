"""What was measured of layers, and which way to compute a layer follows from it.

Takes:  records, one a measurement: a CPU, a layer's signature, a decision, what it cost and what the default cost then.
Gives:  for a layer on a CPU the decision that won, or none where nothing beat the default by more than noise.
A decision never changes a byte: it names an exact algorithm, whose kernels compute it and how these cut their loops.
What does not suit a layer's weights is not taken; then the layer is computed as if it had no record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tvm_wvv.kernels.kernel import Shape
from tvm_wvv.quant.operators import Conv2d, DepthwiseConv2d, FullyConnected

Weighted = Conv2d | DepthwiseConv2d | FullyConnected
DIRECT = "direct"
INSTRUCTIONS, MICROSECONDS = "instructions", "microseconds"
# What a decision must cost at most, the default being 1: counts are exact, times are not.
_WORTH = {INSTRUCTIONS: 1.0, MICROSECONDS: 0.97}


@dataclass(frozen=True)
class Decision:
    """`kernel` names a maker of kernels, `blocking` sets parameters of it, sorted by name. What is left out is as by
    default.
    """

    algorithm: str = DIRECT
    kernel: str = ""
    blocking: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        by = f" by {self.kernel}" if self.kernel else ""
        cut = ", ".join(f"{name} {value}" for name, value in self.blocking)
        return f"{self.algorithm}{by}" + (f" ({cut})" if cut else "")


DEFAULT = Decision()


@dataclass(frozen=True)
class Record:
    """One measurement; `default` is what the compiler's own choice cost beside it, in the same unit."""

    cpu: str
    layer: str
    decision: Decision
    measure: float
    default: float
    unit: str
    board: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Cost, the default being 1."""
        return self.measure / self.default


class Tuned:
    """The records of one database. Of several of one decision the last counts: it is the newest."""

    def __init__(self, records: Sequence[Record] = ()) -> None:
        self._found: dict[tuple[str, str], dict[Decision, Record]] = {}
        for one in records:
            self._found.setdefault((one.cpu, one.layer), {})[one.decision] = one

    def best(self, cpu: str, layer: str, algorithm: str | None = None) -> Record | None:
        """The cheapest decision, of one algorithm where that is given; None where the default is as good."""
        found = self._found.get((cpu, layer), {}).values()
        of_algorithm = [one for one in found if algorithm in (None, one.decision.algorithm)]
        if not of_algorithm:
            return None
        cheapest = min(of_algorithm, key=lambda one: one.ratio)
        return cheapest if cheapest.ratio < _WORTH[cheapest.unit] else None

    def measured(self, cpu: str, layer: str, sources: str) -> dict[Decision, Record]:
        """All that was measured with these sources of the compiler."""
        found = self._found.get((cpu, layer), {})
        return {decision: one for decision, one in found.items() if one.versions.get("sources") == sources}


def signature(op: Weighted, x_shape: Shape, weights: Shape) -> str:
    """What makes two layers the same work: shapes and the window, not the weights."""
    words = [op.op, f"x={_by(x_shape)}", f"w={_by(weights)}"]
    if not isinstance(op, FullyConnected):
        window = op.window
        words += [f"s={_by(window.strides)}", f"p={_by(window.padding)}", f"d={_by(window.dilation)}"]
    return " ".join(words)


def reason(record: Record) -> str:
    """For reports: what was measured."""
    exact = record.unit == INSTRUCTIONS
    measure, default = (f"{one:,.0f}" if exact else f"{one:.1f}" for one in (record.measure, record.default))
    return f"measured: {measure} {record.unit} by {record.decision}, {default} by default"


def _by(numbers: Sequence[int]) -> str:
    return "x".join(str(int(one)) for one in numbers)
