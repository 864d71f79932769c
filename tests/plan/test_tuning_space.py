"""Ways to compute a layer, and the order in which they are tried."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tvm_wvv.frontends.tflite import load
from tvm_wvv.models import packaged
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.options import Options, Target, TunedFile
from tvm_wvv.passes.tuned import Decision
from tvm_wvv.plan.tuning_space import Task, propose, tasks_of
from tvm_wvv.schedules import x86

NONE = TunedFile("", "")


def tasks(target: Target, mcpu: str = "") -> tuple[Task, ...]:
    path = packaged("digits")
    assert path is not None
    integer = pipeline.integer_graph(load(path))
    decisions = pipeline.decide(integer, Options(mcpu=mcpu, tuned=NONE), target=target)
    return tasks_of(integer, decisions, target, x86.vectors_of(mcpu))


@pytest.mark.parametrize(
    ("target", "mcpu"), [("cortex_m", ""), ("cortex_m_dsp", ""), ("cortex_m_mve", ""), ("x86", "haswell")]
)
def test_every_signature_is_one_task_with_the_default_first(target: Target, mcpu: str):
    found = {task.layers[0]: task for task in tasks(target, mcpu)}
    assert list(found) == ["stem/conv", "block1/conv1", "block2/conv1", "block2/conv2", "block2/shortcut", "logits"]
    assert found["block1/conv1"].layers == ("block1/conv1", "block1/conv2")
    assert found["block1/conv1"].ways[0] == Decision("f4:exact")
    assert found["block2/shortcut"].ways[0] == Decision()
    for task in found.values():
        assert len(set(task.ways)) == len(task.ways)
    algorithms = {way.algorithm for way in found["block1/conv1"].ways}
    assert algorithms >= {"direct", "f2:exact", "f4:exact", "f4c:exact", "f2x1:exact"}
    assert {way.algorithm for way in found["block2/conv1"].ways} == {"direct"}


def test_ways_on_a_core_name_its_makers():
    targets: tuple[Target, ...] = ("cortex_m", "cortex_m_dsp", "cortex_m_mve")
    makers = [{way.kernel for task in tasks(target) for way in task.ways} for target in targets]
    assert makers == [{""}, {"", "tir"}, {"", "dsp", "tir"}]


def cuts(algorithm: str) -> list[Decision]:
    return [Decision(algorithm), *(Decision(algorithm, "", (("tiles", n),)) for n in (16, 8, 4, 2, 1))]


def run(ways: list[Decision], cost: dict[Decision, float], most: int = 99) -> list[Decision]:
    measured: dict[Decision, float] = {}
    while len(measured) < most:
        way = propose(ways, measured)
        if way is None:
            break
        assert way not in measured
        measured[way] = cost[way]
    return list(measured)


def test_algorithms_come_first_and_cuts_of_hopeless_ones_never():
    ways = [*cuts("direct"), *cuts("f2:exact"), *cuts("f4:exact")]
    cost = {way: {"direct": 3.0, "f2:exact": 1.0, "f4:exact": 1.2}[way.algorithm] for way in ways}
    order = run(ways, cost)
    assert order[:3] == [Decision(), Decision("f2:exact"), Decision("f4:exact")]
    assert {way.algorithm for way in order[3:]} == {"f2:exact", "f4:exact"}
    assert len(order) == 3 + 5 + 5


def test_the_search_goes_down_towards_the_least():
    """Along one number a valley lies far from where estimates point; the way there is shorter than all of them."""
    ways = [Decision(), *(Decision("direct", "", (("tiles", n),)) for n in range(1, 41))]
    cost = {way: 1.5 - (0 if not way.blocking else 0.5 - abs(way.blocking[0][1] - 12) / 100) for way in ways}
    order = run(ways, cost, 24)
    least = min(cost, key=lambda way: cost[way])
    assert least in order
    best = [min(cost[way] for way in order[: n + 1]) for n in range(len(order))]
    assert all(later <= earlier for earlier, later in pairwise(best))


def test_a_way_that_is_not_possible_is_not_asked_for_again():
    ways = cuts("direct")
    cost = dict.fromkeys(ways, float("inf")) | {Decision(): 1.0}
    assert set(run(ways, cost)) == set(ways)
