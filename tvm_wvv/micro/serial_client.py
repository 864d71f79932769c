"""Talks to firmware on a serial line: inputs to it, one inference, all output bytes back, checked by CRC.

Takes a port.  Gives the outputs as the device computed them, or an error: never bytes of a doubtful answer.
A lost or damaged line is repeated; a device that starts anew in the middle is loaded again.
Refuses a device that stays silent, that ends by a fault, or whose line fails again and again.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.exchange import STATUS
from tvm_wvv.micro.serial_lines import (
    END,
    READY,
    STARTED,
    VERSION,
    Answer,
    Info,
    end_status,
    expecting,
    get_command,
    infer_command,
    put_command,
)
from tvm_wvv.micro.serial_port import Port

_ATTEMPTS = 5
_CHUNK = 1024  # bytes of input that are sent again when one of them is lost
_SLICE = 8192  # bytes of output asked for at a time
_SILENCE_S = 0.05  # nothing for so long: whatever was under way has come
_UNKNOWN_TICKS = 0xFFFF_FFFF
_RUN_FAILED = "The model's run function reported a failure"
_Made = TypeVar("_Made")


class _LostError(Exception):
    """Something did not arrive, or not as it was sent: worth another attempt."""


@dataclass(frozen=True)
class Inference:
    """`ticks` are those of the clock that `Info` names, None where it could not tell."""

    outputs: bytes
    ticks: int | None


class SerialClient:
    """`who` begins each message. `answer_s` is the longest silence in an answer, `infer_s` that of an inference."""

    def __init__(self, port: Port, who: str, *, answer_s: float = 2, infer_s: float = 60) -> None:
        self._port, self._who = port, who
        self._answer_s, self._infer_s = answer_s, infer_s
        self._received = b""

    def ask(self, command: str) -> Answer:
        """What the device says to any command; whatever goes wrong on the way is tried again."""
        return self._repeat(lambda: self._ask(command, self._answer_s))

    def info(self) -> Info:
        """Finds the device, whatever state the line is in."""

        def once() -> Info:
            info = self._ask("wvv-info", self._answer_s).info
            if info is None:
                raise _LostError("its answer to wvv-info was not whole")
            return info

        self._synchronize()
        info = self._repeat(once)
        if info.version != VERSION:
            raise WvvError(f"{self._who}: speaks protocol version {info.version}, need {VERSION}; build it again")
        return info

    def run(self, inputs: bytes, output_bytes: int) -> Inference:
        """One inference."""
        return self._repeat(lambda: self._run(inputs, output_bytes))

    def stack_bytes(self) -> int | None:
        """The most stack that was in use since the start; None where the device cannot tell, which it says by 0."""
        return self.ask("wvv-stack").stack_bytes or None

    def _run(self, inputs: bytes, output_bytes: int) -> Inference:
        for start in range(0, len(inputs), _CHUNK):
            self._put(start, inputs[start : start + _CHUNK])
        answer = self._ask(infer_command(inputs), self._infer_s)
        if answer.problem == _RUN_FAILED:
            raise WvvError(f"{self._who}: {STATUS[13]}")
        if answer.ran is None:
            raise _LostError(answer.problem or "its answer to wvv-infer was not whole")
        crc, ticks = answer.ran
        outputs = b"".join(self._get(at, min(_SLICE, output_bytes - at)) for at in range(0, output_bytes, _SLICE))
        if zlib.crc32(outputs) != crc:
            raise _LostError("outputs arrived that are not those of this inference")
        return Inference(outputs, None if ticks == _UNKNOWN_TICKS else ticks)

    def _put(self, offset: int, data: bytes) -> None:
        def once() -> None:
            answer = self._ask(put_command(offset, data), self._answer_s)
            if expecting(len(data)) not in answer.lines:
                raise _LostError(answer.problem or "its answer to wvv-put was not whole")
            self._port.write(data)
            problem = self._answer(self._answer_s).problem
            if problem is not None:
                raise _LostError(problem)

        self._repeat(once)

    def _get(self, offset: int, count: int) -> bytes:
        data = b""

        def once() -> None:
            nonlocal data
            # What came whole before a gap is kept, so each attempt asks for less.
            for at, piece in self._ask(get_command(offset + len(data), count - len(data)), self._answer_s).pieces:
                if at == offset + len(data):
                    data += piece
            if len(data) < count:
                raise _LostError(f"only {len(data)} of {count} bytes of its outputs were whole")

        self._repeat(once)
        return data[:count]

    def _repeat(self, once: Callable[[], _Made]) -> _Made:
        lost = _LostError("")
        for _ in range(_ATTEMPTS):
            try:
                return once()
            except _LostError as error:
                lost = error
                self._synchronize()
        raise WvvError(
            f"{self._who}: gave up after {_ATTEMPTS} attempts, the last of which failed because {lost}; "
            "check the cable, or lower uart.baud in its board.toml"
        )

    def _ask(self, command: str, silence_s: float) -> Answer:
        self._port.write(command.encode("ascii") + END)
        return self._answer(silence_s)

    def _answer(self, silence_s: float) -> Answer:
        lines: list[str] = []
        while (line := self._line(silence_s)) != READY:
            if line == STARTED:
                raise _LostError("the device started anew")
            status = end_status(line)
            if status is not None:
                said = f" ({lines[-1]})" if lines else ""
                raise WvvError(f"{self._who}: {STATUS.get(status, f'ended with status {status}')}{said}")
            lines.append(line)
        return Answer(tuple(lines))

    def _line(self, silence_s: float) -> str:
        while b"\n" not in self._received:
            data = self._port.read(silence_s)
            if not data:
                raise _LostError(f"the device was silent for {silence_s:g} s")
            self._received += data
        line, self._received = self._received.split(b"\n", 1)
        return line.decode("ascii", "replace").strip("\r\0")

    def _synchronize(self) -> None:
        """To the state in which the next byte begins a command, and that which comes next is its answer."""
        # Many ends are for a device that still waits for bytes of its input.
        for ends in (END, END, END * _CHUNK, END):
            self._drain()
            self._port.write(ends)
            if self._heard(READY.encode(), self._answer_s):
                self._drain()
                return
        raise WvvError(
            f"{self._who}: no answer from {self._port.name} within {4 * self._answer_s:g} s; check the port's name, "
            "the cable and the baud rate, see that it holds the firmware on a serial line, and reset it"
        )

    def _drain(self) -> None:
        while self._port.read(_SILENCE_S):
            pass
        self._received = b""

    def _heard(self, what: bytes, silence_s: float) -> bool:
        heard = b""
        while what not in heard:
            data = self._port.read(silence_s)
            if not data:
                return False
            heard = heard[-len(what) :] + data
        return True
