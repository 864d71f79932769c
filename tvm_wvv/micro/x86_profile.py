"""How long each layer takes on this CPU, and how much the CPU can multiply at best.

The library is built once more with a mark after each layer, which reads the time-stamp counter. All layers run in their
order on the network's own values, so that caches hold what they hold in use. What counts are medians over many runs, of
those in which the thread was not interrupted: their elapsed time is the processor time of the thread.

The peak is measured beside it, by the processor time of a loop of nothing but the products that the kernels use.
"""

from __future__ import annotations

import ctypes
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tvm_wvv.micro.progress import Progress
from tvm_wvv.micro.x86_library import Library, shared_object
from tvm_wvv.micro.x86_loaded import Library as Loaded
from tvm_wvv.micro.x86_loaded import aligned, load

_WARM, _LEAST, _MOST = 3, 30, 3000
_BUDGET_NS = 3_000_000_000
# A run that took so much longer than its processor time was interrupted; asking for both times takes a while itself.
_INTERRUPTED, _ASKING_NS = 1.03, 2_000
# Others may hold the core for a while, and its clock needs some time to rise: the best of many short loops is the peak.
_PEAK_TIMES, _PEAK_ROUNDS = 20, 500_000
_PRODUCTS = 12  # in one round of wvv_x86_peak.c


@dataclass(frozen=True)
class Peak:
    """Multiply-accumulates in a second on one core, by products of bytes and by those of int16 pairs."""

    bytes_per_s: float
    words_per_s: float


@dataclass(frozen=True)
class Times:
    """Medians in microseconds of `runs` runs: `layers` in the build with marks, `whole` in the one that ships."""

    layers: tuple[float, ...]
    whole: float
    runs: int
    peak: Peak


def profile_times(made: Library, cc: Sequence[str], inputs: Sequence[np.ndarray], progress: Progress) -> Times:
    """Measure the network on the inputs of one inference."""
    with tempfile.TemporaryDirectory(prefix="wvv-profile-") as folder:
        builds = []
        for number, marks in enumerate((True, False)):
            progress("link", number, 2)
            file = Path(folder, str(number), made.facts.file_name)
            file.parent.mkdir()
            file.write_bytes(shared_object(made, cc, profile=marks))
            builds.append(load(file))
        progress("link", 2, 2)
        marked, plain = builds
        peak = _peak(made, marked)
        layers, runs = _layers(marked, inputs, progress)
        return Times(layers, _whole(plain, inputs, runs), runs, peak)


@dataclass(frozen=True)
class _Run:
    """One run's time in nanoseconds: on the clock, and of the thread."""

    elapsed: int
    processor: int


def _timed(call: Callable[[], object]) -> _Run:
    processor, elapsed = time.thread_time_ns(), time.perf_counter_ns()
    call()
    elapsed = time.perf_counter_ns() - elapsed
    return _Run(elapsed, time.thread_time_ns() - processor)


def _uninterrupted(runs: Sequence[_Run]) -> list[int]:
    """Numbers of the runs in which the thread had the core all the time; of all runs, where there was none."""
    calm = [k for k, run in enumerate(runs) if run.elapsed <= _INTERRUPTED * run.processor + _ASKING_NS]
    return calm or list(range(len(runs)))


def _layers(library: Loaded, inputs: Sequence[np.ndarray], progress: Progress) -> tuple[tuple[float, ...], int]:
    """Medians of each layer, and over how many runs."""
    ticks = np.zeros(len(library.facts.layers), np.uint64)
    call = _call(library, inputs, "profile", None, ticks.ctypes.data)
    counter = library.symbol("wvv_peak_ticks", ctypes.c_uint64)
    runs: list[_Run] = []
    rows: list[np.ndarray] = []
    first, started = counter(), time.perf_counter_ns()
    for number in range(_WARM + _MOST):
        ticks[:] = 0
        run, spent = _timed(call), time.perf_counter_ns() - started
        if number >= _WARM:
            runs.append(run)
            rows.append(ticks.copy())
        progress("time layers", min(spent, _BUDGET_NS) // 10**6, _BUDGET_NS // 10**6)
        if spent > _BUDGET_NS and len(runs) >= _LEAST:
            break
    ticks_per_us = (counter() - first) / (time.perf_counter_ns() - started) * 1000
    calm = _uninterrupted(runs)
    medians = np.median(np.array(rows)[calm], axis=0) / ticks_per_us
    return tuple(float(one) for one in medians), len(calm)


def _whole(library: Loaded, inputs: Sequence[np.ndarray], count: int) -> float:
    """The median of one whole inference."""
    call = _call(library, inputs, "run_in", ctypes.c_int32)
    runs = [_timed(call) for _ in range(_WARM + count)][_WARM:]
    return float(np.median([runs[number].elapsed for number in _uninterrupted(runs)])) / 1000


def _call(
    library: Loaded, inputs: Sequence[np.ndarray], name: str, result: type | None, *more: int
) -> Callable[[], object]:
    """A call of one of the functions that take an arena, inputs and outputs, and pointers besides."""
    facts = library.facts
    arena = aligned(facts.arena_bytes, facts.alignment)
    outputs = [np.empty(info.shape, info.dtype) for info in facts.outputs]
    tensors = [[np.ascontiguousarray(array) for array in arrays] for arrays in (inputs, outputs)]
    pointers = [(ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays)) for arrays in tensors]
    function = library.function(name, result, 3 + len(more))
    address = arena.ctypes.data

    def call(_kept: object = (arena, tensors)) -> object:
        return function(address, *pointers, *more)

    return call


def _peak(made: Library, library: Loaded) -> Peak:
    lanes, group = made.vectors.lanes, made.vectors.group
    rates = []
    for name, macs in (("wvv_peak_bytes", lanes * group), ("wvv_peak_words", lanes * 2)):
        loop = partial(library.symbol(name, None, ctypes.c_uint64), _PEAK_ROUNDS)
        best = min(_timed(loop).processor for _ in range(_PEAK_TIMES))
        rates.append(macs * _PRODUCTS * _PEAK_ROUNDS / best * 1e9)
    return Peak(*rates)
