"""How long work tells how far it has come, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]  # the stage in words, how much is done, of how much


def silent(_what: str, _done: int, _total: int) -> None:
    """Listens to nothing."""


def behind(before: int, total: int, progress: Progress) -> Progress:
    """Progress of a part, behind `before` steps, as that of the whole."""
    return lambda what, done, _: progress(what, before + done, total)
