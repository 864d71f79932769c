"""The search without anything that is measured: budgets, resuming, what is not possible, and an end at any time."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.interrupts import noted_interrupts
from tvm_wvv.micro.progress import silent
from tvm_wvv.micro.tuner import Assignment, Budget, Database, Place, Reading, confirm, search
from tvm_wvv.passes.tuned import INSTRUCTIONS, MICROSECONDS, Decision, Record
from tvm_wvv.passes.tuning_records import append, parse
from tvm_wvv.plan.tuning_space import Task

WAYS = (Decision("f2:exact"), Decision(), *(Decision("direct", "", (("pixels", n),)) for n in (1, 2, 3, 4)))
TASKS = (Task("a", ("one", "two"), WAYS), Task("b", ("three",), WAYS[:2]))
PLACE = Place("cortex_m", "mps2-an385", INSTRUCTIONS)


class Fake:
    """Costs by the pixels of a way; `b` cannot be computed directly. Interrupted after some trials."""

    def __init__(self, trials: int = 99) -> None:
        self.asked: list[dict[str, Decision]] = []
        self.trials = trials

    def __call__(self, assignment: Assignment) -> Mapping[str, Reading]:
        if len(self.asked) == self.trials:
            raise KeyboardInterrupt
        self.asked.append(dict(assignment))
        return {
            signature: Reading(100 - 10 * sum(n for _, n in way.blocking), 100)
            for signature, way in assignment.items()
            if (signature, way) != ("b", Decision())
        }


def test_all_is_tried_once_and_the_best_wins(tmp_path: Path):
    database, measure = Database(tmp_path / "db", PLACE), Fake()
    found = search(TASKS, database, measure, Budget(), False, silent)
    assert [one["a"] for one in measure.asked[:2]] == list(WAYS[:2])
    assert sorted(map(str, (one["a"] for one in measure.asked))) == sorted(map(str, WAYS))
    assert [one.get("b") for one in measure.asked] == [*WAYS[:2], None, None, None, None]
    assert found.trials == len(WAYS)
    assert found.costs["b"] == {WAYS[0]: 1.0, Decision(): float("inf")}
    best = database.tuned.best("cortex_m", "a")
    assert best is not None
    assert best.decision.blocking == (("pixels", 4),)
    again = Database(tmp_path / "db", PLACE)
    assert again.tuned.best("cortex_m", "a") == best
    assert again.tuned.best("cortex_m", "b") is None


@pytest.mark.parametrize(("budget", "trials"), [(Budget(trials=2), 2), (Budget(seconds=0), 0)])
def test_a_budget_ends_it(tmp_path: Path, budget: Budget, trials: int):
    measure = Fake()
    assert search(TASKS, Database(tmp_path / "db", PLACE), measure, budget, False, silent).trials == trials
    assert len(measure.asked) == trials


def test_an_interrupt_loses_nothing_and_resuming_skips_it(tmp_path: Path):
    path = tmp_path / "db"
    with pytest.raises(KeyboardInterrupt):
        search(TASKS, Database(path, PLACE), Fake(3), Budget(), False, silent)
    assert len(parse(path.read_text(encoding="utf-8"), "db")) == 4
    measure = Fake()
    search(TASKS, Database(path, PLACE), measure, Budget(), True, silent)
    assert [one["a"] for one in measure.asked] == [way for way in WAYS if way in [one["a"] for one in measure.asked]]
    assert len(measure.asked) == len(WAYS) - 3
    # Without resuming everything is measured anew, behind what is there.
    before = path.read_text(encoding="utf-8")
    search(TASKS, Database(path, PLACE), Fake(), Budget(trials=1), False, silent)
    assert path.read_text(encoding="utf-8").startswith(before)


def test_other_sources_are_no_results_of_these(tmp_path: Path):
    path = tmp_path / "db"
    append(path, Record("cortex_m", "a", WAYS[0], 1, 1, INSTRUCTIONS, "", {"sources": "older"}))
    measure = Fake()
    search(TASKS[:1], Database(path, PLACE), measure, Budget(), True, silent)
    assert len(measure.asked) == len(WAYS)


def test_a_foreign_file_is_refused_and_kept(tmp_path: Path):
    path = tmp_path / "notes"
    path.write_text("milk\n", encoding="utf-8")
    with pytest.raises(WvvError, match="notes: line 1: is not JSON"):
        Database(path, PLACE)
    assert path.read_text(encoding="utf-8") == "milk\n"


def test_a_lucky_time_does_not_last(tmp_path: Path):
    database = Database(tmp_path / "db", Place("znver4", "x86", MICROSECONDS))
    database.keep("a", WAYS[2], Reading(80, 100))
    database.keep("a", WAYS[3], Reading(90, 100))
    sure = {WAYS[2]: Reading(99, 100), WAYS[3]: Reading(91, 100)}
    confirm(TASKS, database, lambda ways: {name: sure[way] for name, way in ways.items()})
    best = database.tuned.best("znver4", "a")
    assert best is not None
    assert (best.decision, best.measure) == (WAYS[3], 91)


def test_the_first_interrupt_waits_for_a_check_and_the_second_does_not():
    before = signal.getsignal(signal.SIGINT)
    with noted_interrupts() as check:
        check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before
