"""Puts firmware onto a board by one of the tools people have: gdb, pyOCD, OpenOCD. QEMU loads its image by itself.

Takes a board, an ELF, and what this desk has. Gives the command as a value, or runs it.
Refuses a missing tool with the line that installs it; a tool that hangs is ended, with everything it started.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from pathlib import Path

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import RUNNERS, Board
from tvm_wvv.micro.flash_step import GDB_SERVER, Desk, FlashStep
from tvm_wvv.micro.process import Finished, TimedOutError, install_line, run
from tvm_wvv.micro.runner_gdb import GDBS, gdb_step
from tvm_wvv.micro.runner_openocd import openocd_step
from tvm_wvv.micro.runner_pyocd import pyocd_step

QEMU = "qemu"
FLASHERS = tuple(name for name in RUNNERS if name != QEMU)


def flash_step(board: Board, elf: Path, runner: str, desk: Desk) -> FlashStep:
    """What `runner` would do; `board.run.machine` names the part in the words of the board's own runner alone."""
    if runner == "gdb":
        return gdb_step(elf, desk, next((name for name in GDBS if shutil.which(name)), GDBS[0]))
    if runner not in FLASHERS:
        raise WvvError(f"runner '{runner}' flashes nothing; choose one of {', '.join(FLASHERS)}")
    machine = desk.machine or (board.run.machine if runner == board.run.runner else None)
    if machine is None:
        example = "stm32l4r5zitx" if runner == "pyocd" else "board/st_nucleo_l4.cfg"
        raise WvvError(
            f"{board.name}: its board.toml does not say what {runner} calls it (its runner is {board.run.runner}); "
            f"say it with --machine, such as {example}, or take --runner gdb with a server of yours"
        )
    make = pyocd_step if runner == "pyocd" else openocd_step
    return make(machine, elf, desk)


def default_desk(board: Board) -> Desk:
    """A board with the runner gdb says itself where its server listens."""
    return Desk(gdb_server=board.run.machine if board.run.runner == "gdb" else GDB_SERVER)


def flash(board: Board, elf: Path, runner: str, desk: Desk) -> None:
    """Load `elf` and let it run."""
    elf = elf.resolve()
    if not elf.is_file():
        raise WvvError(f"{elf}: no such image; build it first: wvv micro build")
    step = flash_step(board, elf, runner, desk)
    _require(runner, step)
    with tempfile.TemporaryDirectory(prefix="wvv-flash-") as folder:
        for name, text in step.files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        done = _run(board, step, Path(folder), desk, runner)
    said = f"{done.stdout}\n{done.stderr}"
    # compare-sections only warns: what it says counts, whatever the status.
    problem = step.explain(said)
    if done.status != 0 or (runner == "gdb" and problem is not None):
        raise WvvError(f"{board.name}: {runner}: {problem or _last_line(said) or f'ended with status {done.status}'}")


def _require(runner: str, step: FlashStep) -> None:
    missing = importlib.util.find_spec("pyocd") is None if runner == "pyocd" else shutil.which(step.command[0]) is None
    if missing:
        program = "pyocd" if runner == "pyocd" else step.command[0]
        raise WvvError(f"{program}: not found; install it with: {install_line(program)}")


def _run(board: Board, step: FlashStep, folder: Path, desk: Desk, runner: str) -> Finished:
    try:
        return run(step.command, cwd=folder, timeout_s=desk.timeout_s)
    except TimedOutError as error:
        raise TimedOutError(
            f"{board.name}: {runner} did not end within {desk.timeout_s:g} s, so it was stopped; is the board powered "
            f"and the probe free? A slow probe needs a larger --timeout"
        ) from error


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
