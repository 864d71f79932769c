"""The search of `wvv tune`: round after round one way for every layer, measured, written down, and learned from.

What measures is a function: on a Cortex-M one firmware image in which every layer is computed in its own new way, on
x86 each layer by itself beside its default. Nothing is lost when a search ends early: every result is in the database
before the next is begun, and a search that resumes takes from there what these very sources measured.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tvm

from tvm_wvv import __version__
from tvm_wvv.micro.interrupts import Check, never
from tvm_wvv.micro.network import own_sources
from tvm_wvv.micro.progress import Progress
from tvm_wvv.passes.options import TunedFile
from tvm_wvv.passes.tuned import Decision, Record, Tuned
from tvm_wvv.passes.tuning_records import append, parse, read
from tvm_wvv.plan.tuning_space import Task, propose

_SOURCE_DIGITS = 12
_CONFIRMATIONS = 2
NOTHING = TunedFile("no tuning", "")
"""What the compiler does by itself."""


@dataclass(frozen=True)
class Reading:
    """Of one layer of a signature: what a way costs, and what the default costs beside it."""

    measure: float
    default: float


Assignment = Mapping[str, Decision]
Measure = Callable[[Assignment], Mapping[str, Reading]]
"""Ways by signature -> readings by signature; a way that is not possible has none."""


@dataclass(frozen=True)
class Budget:
    """Whichever ends first; a trial is one way of every layer."""

    seconds: float = math.inf
    trials: int | None = None


@dataclass(frozen=True)
class Place:
    """Where it is measured, as records say it."""

    cpu: str
    board: str
    unit: str


class Database:
    """A file of records, and what is known from it and since."""

    def __init__(self, path: Path, place: Place) -> None:
        self.path, self.place = path, place
        # Read whole before anything is measured: what does not belong there is told at once.
        self._records = list(parse(read(path), str(path))) if path.exists() else []
        self.versions = {"wvv": __version__, "tvm": tvm.__version__, "sources": own_sources()[:_SOURCE_DIGITS]}

    @property
    def tuned(self) -> Tuned:
        """All of it."""
        return Tuned(self._records)

    def keep(self, signature: str, decision: Decision, reading: Reading) -> None:
        """Write down one result."""
        place = self.place
        record = Record(
            place.cpu, signature, decision, reading.measure, reading.default, place.unit, place.board, self.versions
        )
        append(self.path, record)
        self._records.append(record)

    def known(self, signature: str) -> dict[Decision, float]:
        """Costs that these very sources have, the default's being 1."""
        found = self.tuned.measured(self.place.cpu, signature, self.versions["sources"])
        return {decision: record.ratio for decision, record in found.items()}


@dataclass(frozen=True)
class Searched:
    """`costs` by signature and way; infinite where a way turned out to be impossible."""

    trials: int
    seconds: float
    costs: Mapping[str, Mapping[Decision, float]]


def search(
    tasks: Sequence[Task],
    database: Database,
    measure: Measure,
    budget: Budget,
    resume: bool,
    progress: Progress,
    check: Check = never,
) -> Searched:
    """Until the budget is spent, or nothing is left that has a chance; `check` may end it between two trials."""
    start, trials = time.monotonic(), 0
    costs = {task.signature: database.known(task.signature) if resume else {} for task in tasks}
    while time.monotonic() - start < budget.seconds and trials != budget.trials:
        _tell(progress, budget, trials, time.monotonic() - start)
        next_ways = {task.signature: propose(task.ways, costs[task.signature]) for task in tasks}
        assignment = {signature: way for signature, way in next_ways.items() if way is not None}
        if not assignment:
            break
        found = measure(assignment)
        for signature, way in assignment.items():
            costs[signature][way] = math.inf
            if signature in found:
                database.keep(signature, way, found[signature])
                costs[signature][way] = found[signature].measure / found[signature].default
        trials += 1
        check()
    return Searched(trials, time.monotonic() - start, costs)


def confirm(tasks: Sequence[Task], database: Database, measure: Measure) -> None:
    """Measure again what won: the best of many noisy results is the luckiest among them. Newer records replace."""
    for _ in range(_CONFIRMATIONS):
        best = {task.signature: database.tuned.best(database.place.cpu, task.signature) for task in tasks}
        assignment = {signature: record.decision for signature, record in best.items() if record is not None}
        for signature, reading in measure(assignment).items():
            database.keep(signature, assignment[signature], reading)




def _tell(progress: Progress, budget: Budget, trials: int, seconds: float) -> None:
    if budget.trials is not None:
        progress("tune: trials", trials, budget.trials)
    elif math.isfinite(budget.seconds):
        progress("tune: seconds", min(int(seconds), int(budget.seconds)), int(budget.seconds))
    else:
        progress("tune: trials", trials, trials + 1)
