"""The one way to stdout: a JSON object for machines, or tables and lines for people.

Refuses a full disk in one line; a reader that has gone (`wvv boards | head -1`) is BrokenPipeError, which `main` ends.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType

from tvm_wvv.errors import WvvError

# Without a terminal there is no width to respect: a table in a file or a pipe keeps every column whole.
_WIDTH_ELSEWHERE = 240


def print_json(value: Mapping[str, Any]) -> None:
    """Exactly one JSON object."""
    with _stdout():
        sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def show(*parts: RenderableType) -> None:
    """Tables and lines of text, one below the other."""
    with _stdout():
        if sys.stdout.isatty():
            _print(Console(highlight=False), parts)
            return
        console = Console(file=io.StringIO(), width=_WIDTH_ELSEWHERE, highlight=False)
        with console.capture() as captured:
            _print(console, parts)
        # Rich fills every line with blanks up to the width.
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _print(console: Console, parts: Sequence[RenderableType]) -> None:
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str), markup=False)


def abandon_stdout() -> None:
    """Let what is still buffered go nowhere: written at exit, it would fail once more and be complained about."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _stdout() -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_stdout()
        raise WvvError(f"stdout cannot be written: {error.strerror}") from error
