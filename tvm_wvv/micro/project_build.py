"""Builds a project by its own files: make, CMake, west or arduino-cli, as its user would.

Gives the commands as values, and what they make. Refuses a missing tool with the line that gets it; where the tool
itself refuses, its last words come along.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.process import run
from tvm_wvv.micro.project import Project
from tvm_wvv.micro.toolchain import Console

Command = tuple[str, ...]
_JOBS = "2"
_WORDS = 3  # lines of a failed tool that are shown


@dataclass(frozen=True)
class Build:
    """Commands, all run in the project's folder, and the file that they make."""

    commands: tuple[Command, ...]
    product: Path


def build_plan(project: Project, board: Board, folder: Path, console: Console | None = None) -> Build:
    """How the project's template is built; `console` is a bare-metal image's, by default that of the board's cable."""
    folder = folder.resolve()
    if project.template == "baremetal":
        goal = (console,) if console else ()
        name = f"firmware-{console}.elf" if console else "firmware.elf"
        return Build((("make", "--no-print-directory", f"-j{_JOBS}", *goal),), folder / "build" / name)
    if project.template == "library":
        commands = (("cmake", "-S", ".", "-B", "build"), ("cmake", "--build", "build", f"-j{_JOBS}"))
        return Build(commands, folder / "build" / f"run_{project.model}")
    if project.template == "zephyr":
        west = ("west", "build", "-b", _named(board, board.project.zephyr, "zephyr"), "-d", "build", ".")
        return Build((west,), folder / "build" / "zephyr" / "zephyr.elf")
    sketch = sketch_of(project)
    fqbn = _named(board, board.project.arduino, "arduino")
    places = ("--library", ".", "--output-dir", "build", f"examples/{sketch}")
    return Build((("arduino-cli", "compile", "--fqbn", fqbn, *places),), folder / "build" / f"{sketch}.ino.elf")


def sketch_of(project: Project) -> str:
    """The name of the Arduino sketch that speaks the serial protocol."""
    return f"{project.model}_serial"


def flash_plan(project: Project, board: Board, port: str | None) -> Command | None:
    """What loads a project whose own system does it; None where a runner of ours does."""
    if project.template == "zephyr":
        return ("west", "flash", "-d", "build")
    if project.template == "arduino":
        if port is None:
            raise WvvError(f"{board.name}: arduino-cli uploads over the board's port; name it: --port /dev/ttyACM0")
        fqbn = _named(board, board.project.arduino, "arduino")
        folder = f"examples/{sketch_of(project)}"
        return ("arduino-cli", "upload", "--fqbn", fqbn, "--port", port, "--input-dir", "build", folder)
    return None


def build(project: Project, board: Board, folder: Path, console: Console | None = None) -> Path:
    """Run the plan; the file that it made."""
    plan = build_plan(project, board, folder, console)
    for command in plan.commands:
        run_tool(command, folder)
    if not plan.product.is_file():
        raise WvvError(f"{folder}: {plan.commands[-1][0]} made no {plan.product.name}; look at what it says by hand")
    return plan.product


def run_tool(command: Sequence[str], folder: Path, timeout_s: float = 1800) -> str:
    """What the tool said; a user may have changed the project, so whatever fails is theirs to mend."""
    done = run(command, cwd=folder, timeout_s=timeout_s)
    if done.status != 0:
        said = _complaint(f"{done.stdout}\n{done.stderr}")
        raise WvvError(f"{folder}: {' '.join(command)} ended with status {done.status}: {said}")
    return done.stdout


def _complaint(said: str) -> str:
    """The first lines that compilers, linkers and build tools mark as errors, else the last ones."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    # With the colon or the star: flags such as -Werror are in every command that make shows.
    errors = [line for line in lines if re.search(r"\berror:|\bError:|\*\*\*|overflowed by", line, re.IGNORECASE)]
    return " | ".join(errors[:_WORDS] or lines[-_WORDS:])


def _named(board: Board, name: str | None, system: str) -> str:
    if name is None:
        raise WvvError(f"{board.name}: its board.toml names no {system} board; add it: [project] {system} = ...")
    return name
