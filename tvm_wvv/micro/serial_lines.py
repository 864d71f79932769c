"""Commands and answers of the serial protocol as text; nothing here talks to anybody.

The protocol is that of deploy/runtime/include/wvv_serial_protocol.h.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

END = b"%"
READY = "m-ready"
STARTED = "m-init-done"
LINE_MOST = 80
VERSION = 1
_INFO = re.compile(r"m-wvv-info-\[(\d+),([0-9a-f]+),(\d+),(\d+)\]")
_CLOCK = re.compile(r"m-wvv-clock-\[(.*)\]")
_RAN = re.compile(r"m-wvv-ran-\[([0-9a-f]{8}),(\d+)\]")
_STACK = re.compile(r"m-wvv-stack-\[(\d+)\]")
_BYTES = re.compile(r"m-wvv-([0-9a-f]{6})-((?:[0-9a-f]{2})+)-([0-9a-f]{8})")
_ENDED = re.compile(r"e-\[Ended with status (\d+)\]")
_PROBLEM = re.compile(r"e-\[(.*)\]")


@dataclass(frozen=True)
class Info:
    """What the device says of its firmware."""

    version: int
    firmware: str
    input_bytes: int
    output_bytes: int
    clock: str


@dataclass(frozen=True)
class Answer:
    """All lines of an answer but the last, `m-ready`."""

    lines: tuple[str, ...]

    @property
    def problem(self) -> str | None:
        """Why the device did not do it."""
        return next((found[1] for line in self.lines if (found := _PROBLEM.fullmatch(line))), None)

    @property
    def info(self) -> Info | None:
        """Of `wvv-info`."""
        first, clock = _first(_INFO, self.lines), _first(_CLOCK, self.lines)
        if first is None or clock is None:
            return None
        return Info(int(first[1]), first[2], int(first[3]), int(first[4]), clock[1])

    @property
    def ran(self) -> tuple[int, int] | None:
        """Of `wvv-infer`: the CRC of all outputs, and the timer's ticks."""
        found = _first(_RAN, self.lines)
        return None if found is None else (int(found[1], 16), int(found[2]))

    @property
    def stack_bytes(self) -> int | None:
        """Of `wvv-stack`."""
        found = _first(_STACK, self.lines)
        return None if found is None else int(found[1])

    @property
    def pieces(self) -> tuple[tuple[int, bytes], ...]:
        """Of `wvv-get`: what came undamaged, by its offset."""
        found = (_piece(line) for line in self.lines)
        return tuple(piece for piece in found if piece is not None)


def end_status(line: str) -> int | None:
    """Of a line by which firmware says that it ended."""
    found = _ENDED.fullmatch(line)
    return None if found is None else int(found[1])


def put_command(offset: int, data: bytes) -> str:
    """Promises these bytes of the input."""
    return f"wvv-put {offset:06x} {len(data):06x} {_crc_at(offset, data):08x}"


def expecting(count: int) -> str:
    """The line that accepts a promise of so many bytes."""
    return f"m-[Expecting {count} bytes]"


def infer_command(inputs: bytes) -> str:
    """One inference on just these inputs."""
    return f"wvv-infer {zlib.crc32(inputs):08x}"


def get_command(offset: int, count: int) -> str:
    """So many bytes of the outputs."""
    return f"wvv-get {offset:06x} {count:06x}"


def _crc_at(offset: int, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(offset.to_bytes(3, "big")))


def _piece(line: str) -> tuple[int, bytes] | None:
    found = _BYTES.fullmatch(line)
    if found is None:
        return None
    offset, data = int(found[1], 16), bytes.fromhex(found[2])
    return (offset, data) if _crc_at(offset, data) == int(found[3], 16) else None


def _first(pattern: re.Pattern[str], lines: tuple[str, ...]) -> re.Match[str] | None:
    return next((found for line in lines if (found := pattern.fullmatch(line))), None)
