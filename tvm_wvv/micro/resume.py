"""A long run that can be broken off: finished outputs go to a file, and the next run goes on behind them.

The file begins with one line of JSON that says which run it is of.  Each record behind it is the outputs of one
inference and their CRC-32.  It only ever grows, so whatever ends the program leaves all but the last record whole.
Refuses a file of another run, and a file that is none of ours; neither is touched.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from tvm_wvv import __version__
from tvm_wvv.errors import WvvError
from tvm_wvv.micro.metadata import tensor_bytes
from tvm_wvv.micro.progress import Progress, behind
from tvm_wvv.micro.runners import Arrays, Runner, interleaved, separate
from tvm_wvv.micro.session import Session

_FORMAT = 1
_STEP = 32  # inferences that an interruption may cost
_CRC_BYTES = 4
_WORDS = {
    "model": "another model or archive",
    "options": "other compile options",
    "board": "another board",
    "data": "other inputs, or another number of them",
    "version": "another version of wvv",
}


def run_facts(session: Session, board: str, inputs: Arrays) -> dict[str, str]:
    """What makes two runs the same run, however the board is reached."""
    return {
        "model": hashlib.sha256(session.path.read_bytes()).hexdigest(),
        "options": repr(session.options),
        "board": board,
        "data": hashlib.sha256(interleaved(inputs)).hexdigest(),
        "version": __version__,
    }


def run_resumed(runner: Runner, inputs: Arrays, path: Path, facts: Mapping[str, str], progress: Progress) -> Arrays:
    """What `runner.run` gives."""
    count, size = len(inputs[0]), sum(tensor_bytes(info) for info in runner.outputs)
    try:
        done = _finished(path, facts, size)[:count]
        with _appending(path, facts, len(done) * (size + _CRC_BYTES)) as file:
            for start in range(len(done), count, _STEP):
                part = tuple(array[start : start + _STEP] for array in inputs)
                outputs = interleaved(runner.run(part, behind(start, count, progress)))
                rows = [outputs[at : at + size] for at in range(0, len(outputs), size)]
                file.write(b"".join(row + _crc(row) for row in rows))
                file.flush()
                done += rows
    except OSError as error:
        raise WvvError(f"{path}: cannot be used to resume: {error.strerror or error}") from error
    return separate(b"".join(done), runner.outputs)


def _header(facts: Mapping[str, str]) -> bytes:
    return json.dumps({"wvv-resume": _FORMAT, **facts}, sort_keys=True).encode() + b"\n"


def _crc(row: bytes) -> bytes:
    return zlib.crc32(row).to_bytes(_CRC_BYTES, "little")


def _finished(path: Path, facts: Mapping[str, str], size: int) -> list[bytes]:
    """Outputs of the inferences that are in the file, up to the first damaged one."""
    if not path.exists() or path.stat().st_size == 0:
        return []
    header, end, records = path.read_bytes().partition(b"\n")
    _check_header(path, header + end, facts)
    step = size + _CRC_BYTES
    rows = (records[at : at + step] for at in range(0, len(records), step))
    return [row[:size] for row in takewhile(lambda row: len(row) == step and _crc(row[:size]) == row[size:], rows)]


def _check_header(path: Path, header: bytes, facts: Mapping[str, str]) -> None:
    try:
        found = json.loads(header)
        known = isinstance(found, dict) and found.get("wvv-resume") == _FORMAT
    except ValueError:
        known = False
    if not known:
        raise WvvError(f"{path}: holds no outputs of wvv eval; name a new file, or the one of an earlier --resume")
    other = [words for fact, words in _WORDS.items() if found.get(fact) != facts[fact]]
    if other:
        raise WvvError(f"{path}: is of {' and '.join(other)}; repeat that command, or name a new file")


@contextmanager
def _appending(path: Path, facts: Mapping[str, str], record_bytes: int) -> Iterator[BinaryIO]:
    """The file, cut behind its last whole record."""
    header = _header(facts)
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.truncate(min(path.stat().st_size, len(header) + record_bytes))
        if file.seek(0, 2) == 0:
            file.write(header)
            file.flush()
        yield file
