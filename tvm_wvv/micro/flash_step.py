"""What flashing a board takes, as plain values: the command of one tool, and what the user's desk adds to the board."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

GDB_SERVER = "localhost:3333"
"""Where OpenOCD and pyOCD serve gdb when nothing else is said."""


@dataclass(frozen=True)
class Desk:
    """What no board file can know: which server, which probe, and how long flashing may take here."""

    gdb_server: str = GDB_SERVER
    probe: str | None = None
    machine: str | None = None  # the part in the tool's own words, where the board's runner is another tool
    timeout_s: float = 120


@dataclass(frozen=True)
class FlashStep:
    """One command that loads an image and starts it.

    `files` are scripts which the command reads from its working folder. `explain` turns what the tool said when it
    failed into what the user can do, or None where it says enough by itself.
    """

    command: tuple[str, ...]
    explain: Callable[[str], str | None]
    files: Mapping[str, str] = field(default_factory=dict)
