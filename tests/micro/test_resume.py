"""Runs that are broken off and go on: nothing is computed twice, nothing damaged believed, nothing foreign touched."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.progress import Progress, silent
from tvm_wvv.micro.resume import run_resumed
from tvm_wvv.micro.runners import Arrays

FACTS = {"model": "m", "options": "o", "board": "b", "data": "d", "version": "v"}
RECORD = 6 + 4 + 4  # the outputs and their CRC


class Counted:
    """Doubles what it is given; ends with an error once `most` inferences are done."""

    inputs = (TensorInfo("x", (2,), "int16", None),)
    outputs = (TensorInfo("p", (3, 2), "int8", None), TensorInfo("q", (1,), "int32", None))

    def __init__(self, most: int = 10**9) -> None:
        self.done, self.most = 0, most

    def run(self, inputs: Arrays, progress: Progress = silent) -> Arrays:
        (x,) = inputs
        if self.done + len(x) > self.most:
            raise KeyboardInterrupt
        self.done += len(x)
        progress("count", len(x), len(x))
        p = np.tile(x.astype(np.int8), 3).reshape(-1, 3, 2)
        return p, x[:, :1].astype(np.int32) * 2


def inputs(count: int) -> Arrays:
    data = np.random.default_rng(count).integers(-(2**15), 2**15, (count, 2)).astype(np.int16)
    data[0] = -128, 127
    return (data,)


def check(found: Arrays, given: Arrays) -> None:
    for one, other in zip(found, Counted().run(given), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("count", [1, 31, 32, 77])
def test_a_whole_run_gives_what_the_runner_gives(tmp_path, count):
    given, seen = inputs(count), []
    found = run_resumed(Counted(), given, tmp_path / "f", FACTS, lambda what, done, total: seen.append((done, total)))
    check(found, given)
    assert seen[-1] == (count, count)


def test_a_broken_run_goes_on_where_it_was(tmp_path):
    given, path = inputs(77), tmp_path / "f"
    with pytest.raises(KeyboardInterrupt):
        run_resumed(Counted(most=70), given, path, FACTS, silent)
    rest = Counted()
    check(run_resumed(rest, given, path, FACTS, silent), given)
    assert rest.done == 77 - 64
    nothing = Counted()
    check(run_resumed(nothing, given, path, FACTS, silent), given)
    assert nothing.done == 0


@pytest.mark.parametrize("cut", [1, 4, RECORD - 1, RECORD, RECORD + 1])
def test_a_record_that_is_not_whole_is_computed_again(tmp_path, cut):
    given, path = inputs(40), tmp_path / "f"
    run_resumed(Counted(), given, path, FACTS, silent)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    again = Counted()
    check(run_resumed(again, given, path, FACTS, silent), given)
    assert again.done == -(-cut // RECORD)
    assert path.read_bytes() == whole


def test_behind_a_damaged_record_nothing_is_believed(tmp_path):
    given, path = inputs(40), tmp_path / "f"
    run_resumed(Counted(), given, path, FACTS, silent)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[-RECORD * 3] ^= 1
    path.write_bytes(damaged)
    again = Counted()
    check(run_resumed(again, given, path, FACTS, silent), given)
    assert (again.done, path.read_bytes()) == (3, whole)


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        ("model", "another model or archive"),
        ("options", "other compile options"),
        ("board", "another board"),
        ("data", "other inputs, or another number of them"),
        ("version", "another version of wvv"),
    ],
)
def test_a_file_of_another_run_is_refused_and_left_alone(tmp_path, fact, words):
    given, path = inputs(3), tmp_path / "f"
    run_resumed(Counted(), given, path, FACTS, silent)
    before = path.read_bytes()
    with pytest.raises(WvvError, match=rf"f: is of {words}; repeat that command, or name a new file$"):
        run_resumed(Counted(), given, path, {**FACTS, fact: "else"}, silent)
    assert path.read_bytes() == before


NEWER = json.dumps({"wvv-resume": 2, **FACTS}).encode() + b"\n"


@pytest.mark.parametrize("text", [b"important\n", b"{}\n", b"\xff\x00", NEWER, b"[]"])
def test_a_file_that_is_none_of_ours_is_refused_and_left_alone(tmp_path, text):
    path = tmp_path / "f"
    path.write_bytes(text)
    with pytest.raises(WvvError, match="f: holds no outputs of wvv eval"):
        run_resumed(Counted(), inputs(3), path, FACTS, silent)
    assert path.read_bytes() == text


def test_an_empty_file_is_as_good_as_none(tmp_path):
    (tmp_path / "f").touch()
    check(run_resumed(Counted(), inputs(3), tmp_path / "f", FACTS, silent), inputs(3))


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path):
    with pytest.raises(WvvError, match="nowhere/f: cannot be used to resume: No such file or directory"):
        run_resumed(Counted(), inputs(3), tmp_path / "nowhere" / "f", FACTS, silent)
