"""What a search found: every signature's layers, the default beside the best way, and the whole network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from tvm_wvv.frontends.layer_names import label
from tvm_wvv.passes.tuned import INSTRUCTIONS, Decision
from tvm_wvv.report.tables import table
from tvm_wvv.report.text import two_decimals


@dataclass(frozen=True)
class TunedRow:
    """Layers of one signature; `best` is the default itself where nothing beat it."""

    signature: str
    layers: tuple[str, ...]
    tried: int
    default: Decision
    best: Decision
    default_measure: float | None
    best_measure: float | None


@dataclass(frozen=True)
class TuningReport:
    """`whole` are the costs of the network by default and tuned."""

    model: str
    board: str
    cpu: str
    unit: str
    database: str
    trials: int
    seconds: float
    rows: tuple[TunedRow, ...]
    whole: tuple[float, float]


def tuning_table(report: TuningReport) -> Table:
    """A row a signature."""
    columns = ("layer", "default", "tuned", "layers", "tried", report.unit, "tuned", "tuned / default")
    rows = [_row(row, report.unit) for row in report.rows]
    title = f"{report.model} on {report.board} ({report.cpu}): {report.trials} trials in {report.seconds:.0f} s"
    made = table(columns, rows, title, numbers=range(3, 8))
    default, tuned = report.whole
    made.add_section()
    ends = (_cost(default, report.unit), _cost(tuned, report.unit), two_decimals(tuned / default))
    made.add_row("the whole network", "", "", "", "", *ends)
    return made


def tuning_object(report: TuningReport) -> dict[str, Any]:
    """The same for machines."""
    default, tuned = report.whole
    return {
        "board": report.board, "cpu": report.cpu, "model": report.model, "unit": report.unit,
        "database": report.database, "trials": report.trials, "seconds": round(report.seconds, 1),
        "totals": {"default": default, "tuned": tuned, "ratio": round(tuned / default, 4)},
        "layers": [_object(row) for row in report.rows],
    }  # fmt: skip


def _row(row: TunedRow, unit: str) -> Sequence[str]:
    first, more = label(row.layers[0]), str(len(row.layers))
    best = "" if row.best == row.default else str(row.best)
    if row.default_measure is None or row.best_measure is None:
        return first, str(row.default), best, more, str(row.tried), "-", "-", "-"
    costs = (_cost(row.default_measure, unit), _cost(row.best_measure, unit))
    ratio = two_decimals(row.best_measure / row.default_measure)
    return first, str(row.default), best, more, str(row.tried), *costs, ratio


def _cost(number: float, unit: str) -> str:
    return f"{number:,.0f}" if unit == INSTRUCTIONS else f"{number:,.2f}"


def _object(row: TunedRow) -> dict[str, Any]:
    return {
        "layers": list(row.layers), "signature": row.signature, "tried": row.tried,
        "default": {**_decision(row.default), "measure": row.default_measure},
        "tuned": {**_decision(row.best), "measure": row.best_measure},
    }  # fmt: skip


def _decision(decision: Decision) -> dict[str, Any]:
    return {"algorithm": decision.algorithm, "kernel": decision.kernel or None, "blocking": dict(decision.blocking)}
