"""Times of several runtimes taken in turn, so that whatever else the computer does falls on all of them alike.

In each round every runtime is called twice: once for its weights and code to be in the caches again, once timed. The
round's order moves on by one each time. A ratio is taken within a round, then the median over all rounds.
Threads of a pool go on spinning for a while after a call; with several threads a pause comes before each turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

LEAST_ROUNDS = 50
_PAUSE_S = 0.02
# Threads that wait for one another on cores that others use may take a thousand times their time.
_LONGEST_S = 90.0
Clock = Literal["thread", "elapsed"]
_CLOCKS: Mapping[str, Callable[[], int]] = {"thread": time.thread_time_ns, "elapsed": time.perf_counter_ns}


@dataclass(frozen=True)
class Times:
    """Microseconds of each runtime, one entry a round; of those left out, the seconds that one call took."""

    clock: Clock
    microseconds: Mapping[str, np.ndarray]
    left_out: Mapping[str, float] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        """How often each runtime was timed."""
        return len(next(iter(self.microseconds.values())))

    def medians(self) -> dict[str, float]:
        """Of each runtime."""
        return {name: float(np.median(times)) for name, times in self.microseconds.items()}

    def least(self) -> dict[str, float]:
        """Of each runtime: what it takes where nothing else runs on its cores."""
        return {name: float(times.min()) for name, times in self.microseconds.items()}

    def ratios(self, name: str) -> dict[str, tuple[float, float, float]]:
        """The time of `name` divided by that of each other one: lower quartile, median, upper quartile."""
        own = self.microseconds[name]
        return {
            other: tuple(float(one) for one in np.percentile(own / times, (25, 50, 75)))  # type: ignore[misc]
            for other, times in self.microseconds.items()
            if other != name
        }


def in_turn(runs: Mapping[str, Callable[[], object]], threads: int, most_rounds: int, budget_s: float) -> Times:
    """At least `LEAST_ROUNDS`, then more as long as the budget lasts.

    A runtime whose least rounds would take minutes is left out, unless it is the first. One thread is timed by its own
    processor time, several by elapsed time, for theirs adds up.
    """
    clock: Clock = "thread" if threads == 1 else "elapsed"
    pause_s = 0.0 if threads == 1 else _PAUSE_S
    call_s = {name: _once(run, time.perf_counter_ns) / 1e6 for name, run in runs.items()}
    names = [name for number, name in enumerate(runs) if number == 0 or 2 * LEAST_ROUNDS * call_s[name] <= _LONGEST_S]
    found: dict[str, list[float]] = {name: [] for name in names}
    end = time.perf_counter() + budget_s
    for number in range(max(most_rounds, LEAST_ROUNDS)):
        if number >= LEAST_ROUNDS and time.perf_counter() > end:
            break
        for name in _rotated(names, number):
            time.sleep(pause_s)
            found[name].append(_once(runs[name], _CLOCKS[clock]))
    left_out = {name: call_s[name] for name in runs if name not in names}
    return Times(clock, {name: np.array(times) for name, times in found.items()}, left_out)


def _once(run: Callable[[], object], clock: Callable[[], int]) -> float:
    run()
    start = clock()
    run()
    return (clock() - start) / 1000


def _rotated(names: Sequence[str], by: int) -> list[str]:
    start = by % len(names)
    return [*names[start:], *names[:start]]
