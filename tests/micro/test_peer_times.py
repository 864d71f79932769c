"""Taking turns: who is called when, and what is made of the times."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from tvm_wvv.micro import peer_times
from tvm_wvv.micro.peer_times import LEAST_ROUNDS, Times, in_turn


@pytest.mark.parametrize("threads", [1, 2])
def test_every_runtime_is_called_twice_in_each_of_fifty_rounds_and_the_order_moves_on(threads: int) -> None:
    called: list[str] = []
    times = in_turn({name: partial(called.append, name) for name in "abc"}, threads, 1000, 0.0)
    assert times.rounds == LEAST_ROUNDS == 50
    assert times.clock == ("thread" if threads == 1 else "elapsed")
    assert called[:6] == list("aabbcc"), "a round that shows who takes too long"
    assert called[6:24] == list("aabbcc" + "bbccaa" + "ccaabb")
    assert len(called) == 6 * 51


def test_no_more_rounds_than_asked_for() -> None:
    assert in_turn({"a": lambda: None}, 1, 60, 1e9).rounds == 60


def test_ratios_are_taken_within_a_round() -> None:
    # The computer is ten times slower in the second half: medians of times say nothing, the ratios do.
    slow = np.array([1.0] * 3 + [10.0] * 2)
    times = Times("thread", {"ours": 2 * slow, "theirs": 4 * slow, "even": np.array([1.0, 2.0, 4.0, 20.0, 40.0])})
    assert times.ratios("ours") == {"theirs": (0.5, 0.5, 0.5), "even": (0.5, 1.0, 1.0)}
    assert times.medians() == {"ours": 2.0, "theirs": 4.0, "even": 4.0}
    assert times.least() == {"ours": 2.0, "theirs": 4.0, "even": 1.0}


def test_what_would_take_minutes_is_left_out_unless_it_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_times, "_LONGEST_S", 0.0)
    times = in_turn({"ours": lambda: None, "slow": lambda: None}, 1, 60, 0.0)
    assert list(times.microseconds) == ["ours"] and list(times.left_out) == ["slow"]
    assert times.left_out["slow"] > 0 and not times.ratios("ours")
