"""Runs what a project builds: on QEMU, on this host, or on a board behind a port.

Gives a runner (`runners.py`), so that a project is run, evaluated and compared as a model is.
Refuses a project that runs nowhere without a port.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.flash import QEMU
from tvm_wvv.micro.metadata import tensor_bytes
from tvm_wvv.micro.progress import Progress
from tvm_wvv.micro.project import CHECK_INPUT, CHECK_OUTPUT, Project
from tvm_wvv.micro.project_build import build
from tvm_wvv.micro.runners import Arrays, OnBoard, OnProgram, OnSerial, Runner, separate
from tvm_wvv.micro.serial_port import BAUD, open_port
from tvm_wvv.micro.toolchain import Console


def project_runner(project: Project, board: Board, folder: Path, port: str | None, progress: Progress) -> Runner:
    """What runs the project; it is built first where its program runs here."""
    if project.template == "library":
        if project.library is not None:
            raise WvvError(f"{folder}: calls {project.library} with scratch for {project.board}, and runs there only")
        return OnProgram(_built(project, board, folder, progress), project.inputs, project.outputs)
    if port is not None:
        return _behind(port, project, board, folder)
    if not runs_here(project, board):
        raise WvvError(
            f"{board.name}: runs behind a serial port; flash it (wvv micro flash {folder}) and name the port "
            f"with --port, such as /dev/ttyACM0"
        )
    elf = _built(project, board, folder, progress, "semihosting")
    return OnBoard(board, elf, project.inputs, project.outputs)


def runs_here(project: Project, board: Board) -> bool:
    """Whether the project runs on this computer: as a program of its own, or on QEMU."""
    return project.template == "library" or (project.template == "baremetal" and board.run.runner == QEMU)


def read_check(project: Project, folder: Path) -> tuple[Arrays, Arrays]:
    """Inputs and outputs of the project's own examples."""
    both = ((CHECK_INPUT, project.inputs), (CHECK_OUTPUT, project.outputs))
    arrays = []
    for name, infos in both:
        try:
            data = (folder / name).read_bytes()
        except OSError as error:
            raise WvvError(f"{folder / name}: cannot be read: {error.strerror}; make the project again") from error
        if not data or len(data) % sum(tensor_bytes(info) for info in infos):
            raise WvvError(f"{folder / name}: {len(data)} bytes are no whole examples; make the project again")
        arrays.append(separate(data, infos))
    return arrays[0], arrays[1]


def check_outputs(found: Arrays, expected: Arrays, project: Project, folder: Path) -> None:
    """Refuse outputs that are not those which the project says its examples give."""
    for info, one, other in zip(project.outputs, found, expected, strict=True):
        bytes_of = [np.ascontiguousarray(array).view(np.uint8).reshape(len(array), -1) for array in (one, other)]
        wrong = int(np.count_nonzero(bytes_of[0] != bytes_of[1]))
        if wrong:
            raise WvvError(
                f"{folder}: output {info.name} differs from {CHECK_OUTPUT} in {wrong} of {bytes_of[0].size} bytes; "
                f"were its sources changed? wvv micro create --force makes them anew"
            )


def _built(
    project: Project, board: Board, folder: Path, progress: Progress, console: Console | None = None
) -> Path:
    progress("build", 0, 1)
    product = build(project, board, folder, console)
    progress("build", 1, 1)
    return product


def _behind(port: str, project: Project, board: Board, folder: Path) -> OnSerial:
    """A board that is flashed already: what it says that it holds must be this project's firmware."""
    baud = board.uart.baud if board.uart else BAUD

    def remedy() -> str:
        return f"flash this project: wvv micro flash {folder}"

    return OnSerial(board, project.firmware, remedy, lambda: open_port(port, baud), project.inputs, project.outputs)
