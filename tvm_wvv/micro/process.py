"""The one door through which external programs are run: logged, timed, and never left running.

Takes a whole argument list (no shell).  Gives exit status and both outputs as text.
Refuses a program that is not installed, with the line that installs it; a program that hangs is killed with
everything it started, and so is one whose caller is interrupted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tvm_wvv.errors import WvvError

_LOG = logging.getLogger("tvm_wvv.process")
_POLL_S = 0.05
_LAST_S = 1

# Debian's packages, as `apt-get install --no-install-recommends` needs them.
_ARM_GCC = "gcc-arm-none-eabi libnewlib-arm-none-eabi binutils-arm-none-eabi"
PACKAGES: Mapping[str, str] = {
    "arm-none-eabi-gcc": _ARM_GCC,
    "arm-none-eabi-nm": _ARM_GCC,
    "arm-none-eabi-size": _ARM_GCC,
    "qemu-system-arm": "qemu-system-arm",
    "cc": "gcc libc6-dev",
    "make": "make",
    "cmake": "cmake",
    "gdb-multiarch": "gdb-multiarch",
    "openocd": "openocd",
}
# Python packages that come with an extra of this one.
_EXTRAS = {"pyocd": "flash"}
# Tools that belong to another system, which has to be set up as a whole.
_SYSTEMS = {
    "west": "Zephyr's getting started guide, https://docs.zephyrproject.org/latest/develop/getting_started",
    "arduino-cli": "Arduino's guide, https://arduino.github.io/arduino-cli/latest/installation",
}


@dataclass(frozen=True)
class Finished:
    command: tuple[str, ...]
    status: int
    stdout: str
    stderr: str


class TimedOutError(WvvError):
    """A program was killed because it did nothing new for too long."""


class CommandError(RuntimeError):
    """A program that we told what to do refused: our mistake, so it keeps its traceback."""


def install_line(program: str) -> str:
    """What to type to get a missing program."""
    if program in PACKAGES:
        return f"apt-get install --no-install-recommends {PACKAGES[program]}"
    if program in _EXTRAS:
        return f"pip install 'tvm_wvv[{_EXTRAS[program]}]'"
    if program in _SYSTEMS:
        return _SYSTEMS[program]
    return f"put {program} on the PATH"


def run(command: Sequence[str], *, cwd: Path | None = None, timeout_s: float = 600) -> Finished:
    """Runs to the end; any exit status is an answer, not an error."""
    return watch(command, cwd=cwd, idle_s=timeout_s)


def check(command: Sequence[str], *, cwd: Path | None = None, timeout_s: float = 600) -> Finished:
    """Like `run`, for commands that must succeed."""
    done = run(command, cwd=cwd, timeout_s=timeout_s)
    if done.status != 0:
        raise CommandError(f"{shlex.join(done.command)}\nexit status {done.status}\n{done.stderr or done.stdout}")
    return done


def watch(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    idle_s: float,
    progress: Callable[[], int] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Finished:
    """Runs to the end as long as `progress()` grows at least every `idle_s` seconds."""
    program = command[0]
    _announce(command, cwd)
    # A group of its own, so that all of it can be ended, and Ctrl-C reaches us first.
    with subprocess.Popen(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = _follow(process, program, idle_s, progress or (lambda: 0), on_progress)
        finally:
            _end(process)
    return Finished(tuple(command), process.returncode, stdout, stderr)


@contextlib.contextmanager
def background(command: Sequence[str], *, pass_fds: Sequence[int] = ()) -> Iterator[Callable[[], str | None]]:
    """Runs beside the block and is killed at its end; the value says what it wrote on stderr where it ended by itself,
    and None where it still runs.
    """
    _announce(command, None)
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            text=True,
            pass_fds=pass_fds,
            start_new_session=True,
        )

        def last_words() -> str | None:
            try:
                process.wait(_LAST_S)  # its lines close a moment before it is gone
            except subprocess.TimeoutExpired:
                return None
            said.seek(0)
            return said.read().strip()

        try:
            yield last_words
        finally:
            _end(process)


def _announce(command: Sequence[str], cwd: Path | None) -> None:
    if shutil.which(command[0]) is None:
        raise WvvError(f"{command[0]}: not found; install it with: {install_line(command[0])}")
    _LOG.debug("%s%s", f"cd {cwd} && " if cwd else "", shlex.join(command))


def _follow(
    process: subprocess.Popen[str],
    program: str,
    idle_s: float,
    progress: Callable[[], int],
    on_progress: Callable[[int], None] | None,
) -> tuple[str, str]:
    seen, since = 0, time.monotonic()
    while True:
        try:
            return process.communicate(timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            now = progress()
        if now != seen:
            seen, since = now, time.monotonic()
            if on_progress is not None:
                on_progress(now)
        elif time.monotonic() - since > idle_s:
            raise TimedOutError(f"{program}: nothing new for {idle_s:g} s, so it was ended")


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is not None:
        return
    # It may have ended by itself in between.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
