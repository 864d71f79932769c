"""Inferences cut into parallel runs and put together again, with a program that is no emulator."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro import runners

INPUTS = (TensorInfo("a", (1, 3, 2), "int8", None), TensorInfo("b", (2,), "int16", None))
OUTPUTS = (TensorInfo("p", (2,), "int16", None), TensorInfo("q", (1, 3, 2), "int8", None))


def swap(data: bytes, on_progress: Callable[[int], None]) -> bytes:
    """The outputs of each inference are its inputs, the second one first: 6 bytes and 4 bytes."""
    rows = [data[i : i + 10] for i in range(0, len(data), 10)]
    on_progress(len(rows))
    return b"".join(row[6:] + row[:6] for row in rows)


@given(st.integers(1, 40), st.integers(0, 1000))
def test_every_inference_comes_back_in_its_place(n: int, seed: int):
    random = np.random.default_rng(seed)
    a = random.integers(-128, 128, (n, 1, 3, 2)).astype(np.int8)
    b = random.integers(-(2**15), 2**15, (n, 2)).astype(np.int16)
    a.flat[0] = -128
    seen: list[int] = []

    def progress(_what: str, done: int, total: int) -> None:
        seen.append(done * 100 // total)

    p, q = runners._side_by_side(swap, (a, b), OUTPUTS, "swap", progress)
    np.testing.assert_array_equal(p, b)
    np.testing.assert_array_equal(q, a)
    assert max(seen) == 100


def test_an_error_in_one_run_ends_the_others():
    a = np.zeros((32, 1, 3, 2), np.int8)
    b = np.zeros((32, 2), np.int16)
    failed = threading.Event()
    ended = []

    def start(data: bytes, on_progress: Callable[[int], None]) -> bytes:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("this run failed")
        for done in range(10**6):
            try:
                on_progress(done)
            except InterruptedError:
                ended.append(done)
                raise
        return data

    with pytest.raises(RuntimeError, match="this run failed"):
        runners._side_by_side(start, (a, b), OUTPUTS, "fail", runners.silent)
    assert len(ended) <= 1


def test_few_inferences_are_one_run_and_many_are_two():
    starts = []

    def start(data: bytes, on_progress: Callable[[int], None]) -> bytes:
        starts.append(len(data) // 10)
        return swap(data, on_progress)

    for n in (1, 15, 16, 33):
        arrays = np.zeros((n, 1, 3, 2), np.int8), np.zeros((n, 2), np.int16)
        runners._side_by_side(start, arrays, OUTPUTS, "count", runners.silent)
    assert sorted(starts) == [1, 8, 8, 15, 16, 17]
