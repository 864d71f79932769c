"""The tuning database: JSON lines, one a measurement, which only ever grow at their end.

A line is `{"wvv-tuning": 1, "cpu": .., "board": .., "layer": .., "decision": {..}, "measure": .., "default": ..,
"unit": .., "versions": {..}}`. A line is written by one call of the system, so that whatever ends the program leaves
whole lines. Refuses, with its number, a line that is none of these; no file is ever rewritten.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tvm_wvv.errors import WvvError
from tvm_wvv.passes.options import TunedFile
from tvm_wvv.passes.tuned import DIRECT, INSTRUCTIONS, MICROSECONDS, Decision, Record, Tuned
from tvm_wvv.transforms.catalog import variant

_FORMAT = 1
SHIPPED = Path(__file__).resolve().parent.parent / "tuning"


def parse(text: str, source: str) -> tuple[Record, ...]:
    """The records of a database; `source` names it in messages."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    return tuple(_record(line, f"{source}: line {number}") for number, line in lines)


def read(path: Path) -> str:
    """The text of a database that exists."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no text"
        raise WvvError(f"{path}: cannot be read as a tuning database: {why}") from error


def append(path: Path, record: Record) -> None:
    """One more line, whole or not at all; behind what another program may have written meanwhile."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(handle).st_size
            # An editor may have left the last line without its end.
            ended = size == 0 or os.pread(handle, 1, size - 1) == b"\n"
            os.write(handle, ("" if ended else "\n").encode() + line_of(record).encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise WvvError(f"{path}: cannot be written: {error.strerror}") from error


def line_of(record: Record) -> str:
    """A record as it stands in a file, the end of the line included."""
    decision = record.decision
    named: dict[str, Any] = {"algorithm": decision.algorithm}
    if decision.kernel:
        named["kernel"] = decision.kernel
    if decision.blocking:
        named["blocking"] = dict(decision.blocking)
    fields = {
        "wvv-tuning": _FORMAT, "cpu": record.cpu, "board": record.board, "layer": record.layer, "decision": named,
        "measure": record.measure, "default": record.default, "unit": record.unit, "versions": dict(record.versions),
    }  # fmt: skip
    return json.dumps(fields) + "\n"


def tuned_by(file: TunedFile | None) -> Tuned:
    """The database that the user named, else what comes with this package."""
    return shipped() if file is None else _of_file(file)


@cache
def _of_file(file: TunedFile) -> Tuned:
    return Tuned(parse(file.text, file.source))


@cache
def shipped() -> Tuned:
    """What comes with this package."""
    files = sorted(SHIPPED.glob("*.jsonl")) if SHIPPED.is_dir() else []
    return Tuned([record for path in files for record in parse(read(path), str(path))])


def _record(line: str, where: str) -> Record:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise WvvError(f"{where}: is not JSON ({error}); remove that line, the others are kept") from error
    if not isinstance(found, dict) or found.get("wvv-tuning") != _FORMAT:
        raise WvvError(f'{where}: is no record of wvv tune ("wvv-tuning": {_FORMAT}); remove it, or name another file')
    cpu, layer, unit = (_of(found, name, str, where) for name in ("cpu", "layer", "unit"))
    measure, default = (float(_of(found, name, (int, float), where)) for name in ("measure", "default"))
    if not (0 < measure < math.inf and 0 < default < math.inf) or unit not in (INSTRUCTIONS, MICROSECONDS):
        raise WvvError(f"{where}: measure, default and unit are {measure}, {default}, {unit!r}; remove that line")
    decision = _decision(_of(found, "decision", dict, where), where)
    versions = {str(name): str(value) for name, value in _of(found, "versions", dict, where).items()}
    return Record(cpu, layer, decision, measure, default, unit, str(found.get("board", "")), versions)


def _decision(found: Mapping[str, Any], where: str) -> Decision:
    algorithm, kernel = _of(found, "algorithm", str, where), found.get("kernel", "")
    blocking = found.get("blocking", {})
    if not isinstance(kernel, str) or not isinstance(blocking, dict):
        raise WvvError(f"{where}: decision is {dict(found)}; remove that line")
    if not all(isinstance(value, int) and value > 0 for value in blocking.values()):
        raise WvvError(f"{where}: blocking is {blocking}, need positive numbers; remove that line")
    try:
        exact = algorithm == DIRECT or variant(algorithm).arithmetic == "exact"
    except WvvError as error:
        raise WvvError(f"{where}: {error}; remove that line") from error
    if not exact:
        raise WvvError(f"{where}: {algorithm} may give other bytes, need direct or an exact form; remove that line")
    return Decision(algorithm, kernel, tuple(sorted(blocking.items())))


def _of(found: Mapping[str, Any], name: str, kind: type | tuple[type, ...], where: str) -> Any:
    if not isinstance(found.get(name), kind) or isinstance(found.get(name), bool):
        raise WvvError(f"{where}: has no {name} of the right kind; remove that line")
    return found[name]
