"""Measure ways to compute layers by their time on this CPU, each beside the layer's default, calls taking turns.

Time is that of the thread, and what counts is the ratio of two neighbouring calls: a machine's speed changes from
second to second. Where a network's weights leave the second cache, so much memory is read before each call as the other
layers would read, so that a layer finds its weights where it would find them in the network.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from tvm import IRModule

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.micro.interrupts import Check, never
from tvm_wvv.micro.tuner import Assignment, Measure, Reading
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.passes.one_layer import lower_layer
from tvm_wvv.passes.tuned import Decision
from tvm_wvv.plan.tuning_space import Task

Call = Callable[[], object]
# A reading of the clock costs part of a microsecond; the least time between two of them.
_SAMPLE_NS = 40_000
_SECOND_CACHE = 1 << 19
_MICROSECOND_NS = 1000


def on_x86(
    tasks: tuple[Task, ...], integer: IRModule, mcpu: str, weight_bytes: int, rounds: int, check: Check = never
) -> Measure:
    """Readings by time, of the first layer of each signature; `weight_bytes` are the whole network's."""
    named = {task.signature: task for task in tasks}
    elsewhere = np.zeros(weight_bytes if weight_bytes > _SECOND_CACHE else 0, np.uint8)

    @cache
    def default(signature: str) -> Call:
        return call_of(lower_layer(integer, named[signature].layers[0], named[signature].ways[0], "x86", mcpu))

    def measure(assignment: Assignment) -> Mapping[str, Reading]:
        found = {}
        for signature, way in assignment.items():
            check()
            task = named[signature]
            call = default(signature) if way == task.ways[0] else _possible(integer, task, way, mcpu)
            if call is not None:
                found[signature] = compare(default(signature), call, rounds, elsewhere)
        return found

    return measure


def _possible(integer: IRModule, task: Task, way: Decision, mcpu: str) -> Call | None:
    try:
        return call_of(lower_layer(integer, task.layers[0], way, "x86", mcpu))
    except WvvError:
        return None


def call_of(lowered: Lowered) -> Call:
    """The network on random input, as one call."""
    random = np.random.default_rng(0)
    inputs = tuple(random.integers(-128, 128, info.shape).astype(info.dtype) for info in lowered.inputs)
    return InProcess(lowered).bound(inputs)


def compare(default: Call, other: Call, rounds: int, elsewhere: np.ndarray) -> Reading:
    """Medians in microseconds; that of `other` by the ratios within a round."""
    default()
    other()
    times = 1 if elsewhere.size else max(1, _SAMPLE_NS // max(1, _time(default, 1, elsewhere)))
    pairs = []
    for number in range(rounds):
        # Who goes first takes turns too.
        order = (default, other) if number % 2 else (other, default)
        first, second = (_time(call, times, elsewhere) for call in order)
        pairs.append((first, second) if number % 2 else (second, first))
    base = statistics.median(one for one, _ in pairs) / times / _MICROSECOND_NS
    ratio = 1.0 if other is default else statistics.median(second / max(first, 1) for first, second in pairs)
    return Reading(round(base * ratio, 3), round(base, 3))


def _time(call: Call, times: int, elsewhere: np.ndarray) -> int:
    elsewhere.max(initial=0)
    start = time.thread_time_ns()
    for _ in range(times):
        call()
    return time.thread_time_ns() - start
