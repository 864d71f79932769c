"""Ctrl-C during work that runs through TVM: an exception raised in its callbacks comes out as an error of another kind.

So the first interrupt is only noted, and the work asks at places where it may end; the second one ends at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Check = Callable[[], None]
"""Raises KeyboardInterrupt where one was asked for."""


def never() -> None:
    """A check for work that nobody interrupts."""


@contextmanager
def noted_interrupts() -> Iterator[Check]:
    """While the context lasts; signals come to the main thread only, elsewhere nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield never
        return
    asked = threading.Event()

    def note(_signal: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    def check() -> None:
        if asked.is_set():
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
