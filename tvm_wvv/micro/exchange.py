"""Runs a program that follows deploy/runtime/main.c: examples in through `input.bin`, outputs back in `output.bin`.

Takes the command, the examples' bytes and the bytes of one example's outputs.
Gives outputs, and the profile where the program wrote one.
Refuses every exit status but 0 with one line; the working folder is temporary and always removed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import Timer
from tvm_wvv.micro.plugin import BLOCKS_FILE
from tvm_wvv.micro.process import CommandError, Finished, TimedOutError, watch
from tvm_wvv.micro.profile_log import read_profile

STACK_OVERFLOW = 15
# The codes are those of deploy/runtime/include/wvv_status.h; a test compares the two lists.
STATUS: dict[int, str] = {
    10: "cannot open its input or output file",
    11: "the input ends in the middle of an example; its size must be a multiple of the model's input bytes",
    12: "cannot write its output file; is the disk full?",
    13: "the model's run function reported a failure",
    14: "the model takes no input bytes",
    STACK_OVERFLOW: "stack overflow; raise firmware.stack_bytes in its board.toml",
    16: "processor fault",
}


@dataclass(frozen=True)
class FirmwareRun:
    """Outputs of all examples; counts are of the first example, and None where nothing counted them.

    `log` and `blocks` are the files in which firmware and QEMU's plugin count, as they wrote them.
    """

    outputs: bytes
    layer_instructions: tuple[int, ...] | None
    total_instructions: int | None
    stack_bytes: int | None
    log: str = field(default="", compare=False, repr=False)
    blocks: str = field(default="", compare=False, repr=False)


def exchange(
    who: str,
    command: Sequence[str],
    inputs: bytes | np.ndarray,
    output_bytes: int,
    *,
    timeout_s: float,
    timer: Timer | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> FirmwareRun:
    """`who` begins each message; `timeout_s` is the time without a finished example after which it is a hang.

    `timer` is that which counted instructions, None where none did.
    """
    assert output_bytes > 0, "a model has outputs, and their size tells the progress"
    with tempfile.TemporaryDirectory(prefix="wvv-run-") as folder:
        work = Path(folder)
        (work / "input.bin").write_bytes(inputs if isinstance(inputs, bytes) else inputs.tobytes())
        _run(who, command, work, output_bytes, timeout_s, on_progress)
        outputs = (work / "output.bin").read_bytes()
        log, blocks = (_text(work / name) for name in ("profile.txt", BLOCKS_FILE))
    profile = read_profile(log, timer)
    assert len(outputs) % output_bytes == 0, f"{who}: {len(outputs)} output bytes are no multiple of {output_bytes}"
    if on_progress is not None:
        on_progress(len(outputs) // output_bytes)
    counted = (profile.layer_instructions, profile.total_instructions, profile.stack_bytes)
    return FirmwareRun(outputs, *counted, log=log, blocks=blocks)


def _text(path: Path) -> str:
    """Empty where nobody wrote the file."""
    return path.read_text(encoding="ascii") if path.exists() else ""


def _run(
    who: str,
    command: Sequence[str],
    work: Path,
    output_bytes: int,
    timeout_s: float,
    on_progress: Callable[[int], None] | None,
) -> None:
    output = work / "output.bin"

    def examples_done() -> int:
        # The firmware writes each example's outputs as it ends, so the file's size is the progress.
        return output.stat().st_size // output_bytes if output.exists() else 0

    try:
        done = watch(command, cwd=work, idle_s=timeout_s, progress=examples_done, on_progress=on_progress)
    except TimedOutError as error:
        raise TimedOutError(
            f"{who}: no example finished within {timeout_s:g} s ({examples_done()} were done); "
            f"raise run.timeout_s in its board.toml if the model is that slow"
        ) from error
    if done.status != 0:
        raise _failure(who, done)


def _failure(who: str, done: Finished) -> Exception:
    said = done.stderr.strip()
    if done.status in STATUS:
        detail = f" ({said.splitlines()[-1]})" if said else ""
        return WvvError(f"{who}: {STATUS[done.status]}{detail}")
    return CommandError(f"{who}: {done.command[0]} ended with status {done.status}\n{said}")
