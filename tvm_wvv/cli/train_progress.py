"""What `wvv train` shows of itself on stderr, and how Ctrl-C ends it: behind a step, with a checkpoint."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tvm_wvv.qat.train import Settings

Report = Callable[[dict[str, Any]], None]
Step = Callable[[float, int], None]


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed within. The first one asks to stop where nothing is half done, a second one ends."""
    asked = False

    def ask(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def shown(settings: Settings) -> Iterator[tuple[Report, Step]]:
    """A bar on a terminal; elsewhere a line for each line of the log."""
    if not sys.stderr.isatty():
        yield _line, lambda _done, _step: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = _Bar(settings.batch, bars, bars.add_task("calibrating", total=1.0))
        yield bar.report, bar.step


class _Bar:
    """Loss and images a second beside how much is done."""

    def __init__(self, batch: int, bars: Any, task: Any) -> None:
        self._batch, self._bars, self._task = batch, bars, task
        self._loss, self._started, self._first = "", 0.0, 0

    def report(self, line: dict[str, Any]) -> None:
        if "loss" in line:
            self._loss = f"loss {line['loss']:.3f}, "
        if "tests" in line:
            self._bars.console.print(_tests(line), highlight=False)

    def step(self, done: float, step: int) -> None:
        # The rate begins with the second step: the first one compiles.
        if not self._started:
            self._started, self._first = time.monotonic(), step
        seconds = time.monotonic() - self._started
        rate = f"{self._batch * (step - self._first) / seconds:.0f} images/s" if step > self._first else "starting"
        self._bars.update(self._task, completed=done, description=f"step {step}, {self._loss}{rate}")


def _line(line: dict[str, Any]) -> None:
    if "tests" in line:
        print(_tests(line), file=sys.stderr)
    elif "step" in line:
        print(f"step {line['step']}, epoch {line['epoch']}: loss {line['loss']}, {line['seconds']} s", file=sys.stderr)


def _tests(line: dict[str, Any]) -> str:
    found = ", ".join(f"{name} {one['top1']:.2f} %" for name, one in line["tests"].items())
    return f"epoch {line['epoch']}: {found or 'no --test sets'}"
