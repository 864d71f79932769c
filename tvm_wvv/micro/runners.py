"""One way to run a network, wherever it runs: on a board, on this host, or by TFLite's reference kernels.

Takes one array for each input, with a leading axis of n inferences. Gives the outputs in the same manner.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.exchange import FirmwareRun
from tvm_wvv.micro.host import run_host
from tvm_wvv.micro.metadata import tensor_bytes
from tvm_wvv.micro.progress import Progress, silent
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.serial_client import Inference, SerialClient
from tvm_wvv.micro.serial_port import Port

if TYPE_CHECKING:
    from tvm_wvv.micro.in_process import InProcess
    from tvm_wvv.micro.x86_loaded import Library
    from tvm_wvv.reference.golden import Golden

Arrays = tuple[np.ndarray, ...]
_JOBS = 2  # programs side by side, each of which takes one core
_WORTH_A_JOB = 8  # inferences; with fewer a second start costs more than it saves
_STEP = 32  # inferences between two signs of progress where the work itself gives none


class Runner(Protocol):
    """A network that can be run, and what it takes and gives."""

    @property
    def inputs(self) -> tuple[TensorInfo, ...]: ...

    @property
    def outputs(self) -> tuple[TensorInfo, ...]: ...

    def run(self, inputs: Arrays, progress: Progress = silent) -> Arrays:
        """Outputs of all inferences."""
        ...


@dataclass(frozen=True)
class OnBoard:
    """Firmware in QEMU, several starts side by side."""

    board: Board
    elf: Path
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def run(self, inputs: Arrays, progress: Progress = silent) -> Arrays:
        """Outputs of all inferences."""

        def start(data: bytes, on_progress: Callable[[int], None]) -> bytes:
            return run_firmware(self.board, self.elf, data, _bytes(self.outputs), on_progress=on_progress).outputs

        return _side_by_side(start, inputs, self.outputs, f"run on {self.board.name}", progress)

    def count(self, inputs: Arrays) -> FirmwareRun:
        """The first inference alone, with its instructions counted by the firmware's timer."""
        return run_firmware(self.board, self.elf, _first(inputs), _bytes(self.outputs), icount=True)

    def count_blocks(self, inputs: Arrays, plugin: Path) -> FirmwareRun:
        """The first inference alone, with its blocks counted by QEMU's plugin."""
        return run_firmware(self.board, self.elf, _first(inputs), _bytes(self.outputs), plugin=plugin)


@dataclass(frozen=True)
class OnSerial:
    """Firmware that answers on a serial line: a real board's, or that of one machine in QEMU."""

    board: Board
    firmware: str  # the id of the firmware that must be there
    remedy: Callable[[], str]  # what to do where another one is
    line: Callable[[], AbstractContextManager[Port]]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def run(self, inputs: Arrays, progress: Progress = silent) -> Arrays:
        """Outputs of all inferences."""
        with self._client() as client:
            data = (done.outputs for done in self._inferences(client, inputs, progress))
            return separate(b"".join(data), self.outputs)

    def time(self, inputs: Arrays) -> SerialFigures:
        """What the device says of the first inference."""
        with self._client() as client:
            (done,) = self._inferences(client, tuple(array[:1] for array in inputs), silent)
            return SerialFigures(done.ticks, client.info().clock, client.stack_bytes())

    def _inferences(self, client: SerialClient, inputs: Arrays, progress: Progress) -> Iterator[Inference]:
        data, count = interleaved(inputs), len(inputs[0])
        size = len(data) // count
        for index in range(count):
            yield client.run(data[index * size : (index + 1) * size], _bytes(self.outputs))
            progress(f"run on {self.board.name}", index + 1, count)

    @contextmanager
    def _client(self) -> Iterator[SerialClient]:
        with self.line() as port:
            client = SerialClient(port, self.board.name, infer_s=self.board.run.timeout_s)
            found = client.info().firmware
            if found != self.firmware:
                raise WvvError(
                    f"{self.board.name}: the device at {port.name} holds firmware {found}, need {self.firmware}; "
                    f"{self.remedy()}"
                )
            yield client


@dataclass(frozen=True)
class SerialFigures:
    """`ticks` of one inference by `clock`, and the most stack in use; None where the device cannot tell."""

    ticks: int | None
    clock: str
    stack_bytes: int | None


@dataclass(frozen=True)
class OnHost:
    """TVM's LLVM code, run in this process: compiled just now, or a shared library.

    `batch` inferences are one call where it is more than 1.
    """

    network: InProcess | Library
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    batch: int = 1

    def run(self, inputs: Arrays, progress: Progress = silent) -> Arrays:
        """Outputs of all inferences."""
        rows = []
        if self.batch > 1:
            return self._run_together(inputs, progress)
        for index in range(len(inputs[0])):
            rows.append(self.network.run(tuple(array[index] for array in inputs)))
            progress("run on x86", index + 1, len(inputs[0]))
        return tuple(np.stack(column) for column in zip(*rows, strict=True))

    def _run_together(self, inputs: Arrays, progress: Progress) -> Arrays:
        """What is missing in the last call is filled up by its last inference, whose copies are dropped."""
        count, rows = len(inputs[0]), []
        for first in range(0, count, self.batch):
            numbers = np.minimum(np.arange(first, first + self.batch), count - 1)
            rows.append(self.network.run(tuple(np.concatenate(array[numbers]) for array in inputs)))
            progress("run on x86", min(first + self.batch, count), count)
        return tuple(
            np.concatenate(column)[:count].reshape(count, *info.shape)
            for column, info in zip(zip(*rows, strict=True), self.outputs, strict=True)
        )


@dataclass(frozen=True)
class OnProgram:
    """A program of this host that follows deploy/runtime/main.c, such as a project of the template `library` builds."""

    program: Path
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def run(self, inputs: Arrays, progress: Progress = silent) -> Arrays:
        """Outputs of all inferences."""
        count = len(inputs[0])

        def on_progress(done: int) -> None:
            progress(f"run {self.program.name}", done, count)

        done = run_host(self.program, interleaved(inputs), _bytes(self.outputs), on_progress=on_progress)
        return separate(done.outputs, self.outputs)


@dataclass(frozen=True)
class OnReference:
    """TFLite's reference kernels."""

    golden: Golden
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def run(self, inputs: Arrays, progress: Progress = silent) -> Arrays:
        """Outputs of all inferences."""
        count = len(inputs[0])
        steps = []
        for start in range(0, count, _STEP):
            part = self.golden.run(*(array[start : start + _STEP] for array in inputs))
            steps.append(tuple(part[info.name] for info in self.golden.outputs))
            progress("run on the reference kernels", min(start + _STEP, count), count)
        return tuple(np.concatenate(column) for column in zip(*steps, strict=True))


def _bytes(infos: Sequence[TensorInfo]) -> int:
    """Of one inference."""
    return sum(tensor_bytes(info) for info in infos)


def _first(inputs: Arrays) -> bytes:
    return interleaved(tuple(array[:1] for array in inputs))


def interleaved(arrays: Arrays) -> bytes:
    """Inference after inference, each with its tensors in order, as deploy/runtime/main.c reads and writes them."""
    rows = [np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8) for array in arrays]
    return np.concatenate(rows, axis=1).tobytes()


def separate(data: bytes, infos: Sequence[TensorInfo]) -> Arrays:
    """The way back from `interleaved`."""
    rows = np.frombuffer(data, np.uint8).reshape(-1, _bytes(infos))
    cuts = np.cumsum([_bytes([info]) for info in infos])[:-1]
    columns = np.split(rows, cuts, axis=1)
    return tuple(
        np.ascontiguousarray(column).view(info.dtype).reshape(len(rows), *info.shape)
        for column, info in zip(columns, infos, strict=True)
    )


def _side_by_side(
    start: Callable[[bytes, Callable[[int], None]], bytes],
    inputs: Arrays,
    outputs: Sequence[TensorInfo],
    what: str,
    progress: Progress,
) -> Arrays:
    """Cut the inferences into a few runs of one program and put their outputs together again."""
    count = len(inputs[0])
    parts = np.array_split(np.arange(count), max(1, min(_JOBS, count // _WORTH_A_JOB)))
    done = [0] * len(parts)
    with _cancellable() as (pool, cancelled):

        def run_part(number: int) -> bytes:
            def on_progress(finished: int) -> None:
                # Called while the program runs: whatever is raised here ends the program.
                if cancelled.is_set():
                    raise InterruptedError(what)
                done[number] = finished
                progress(what, sum(done), count)

            return start(interleaved(tuple(array[parts[number]] for array in inputs)), on_progress)

        return separate(b"".join(pool.map(run_part, range(len(parts)))), outputs)


@contextmanager
def _cancellable() -> Iterator[tuple[ThreadPoolExecutor, threading.Event]]:
    """A pool whose jobs learn by the event that nobody waits for them any more (Ctrl-C, or another job's error)."""
    cancelled = threading.Event()
    with ThreadPoolExecutor(_JOBS) as pool:
        try:
            yield pool, cancelled
        except BaseException:
            cancelled.set()
            raise
