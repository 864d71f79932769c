"""Reads a TOML table strictly: every key is asked for by name and type, and what nobody asked for is an error.

Messages are `<file>: <dotted key>: <what is wrong>`, which is all that the author of the file needs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from tvm_wvv.errors import WvvError


class StrictTable:
    """One table of a file; call `finish` when all known keys are read."""

    def __init__(self, file: str, path: str, values: dict[str, Any]) -> None:
        self._file, self._path, self._values = file, path, values
        self._read: set[str] = set()

    def fail(self, key: str, problem: str) -> NoReturn:
        raise WvvError(f"{self._file}: {self._path}{key}: {problem}")

    def names(self) -> tuple[str, ...]:
        return tuple(self._values)

    def has(self, key: str) -> bool:
        return key in self._values

    def text(self, key: str) -> str:
        value = self._take(key, str, "a text")
        return value if value else self.fail(key, "is empty")

    def choice(self, key: str, allowed: Sequence[str]) -> str:
        value = self.text(key)
        return value if value in allowed else self.fail(key, f"{value!r} is none of {', '.join(allowed)}")

    def natural(self, key: str) -> int:
        value = self._take(key, int, "an integer")
        return value if value >= 0 else self.fail(key, f"{value} is negative")

    def positive(self, key: str) -> int:
        value = self.natural(key)
        return value if value > 0 else self.fail(key, "0 is not positive")

    def texts(self, key: str, allowed: Sequence[str] | None = None) -> tuple[str, ...]:
        values = self._take(key, list, "a list of texts")
        for value in values:
            if not isinstance(value, str):
                self.fail(key, f"{value!r} is not a text")
            if allowed is not None and value not in allowed:
                self.fail(key, f"{value!r} is none of {', '.join(allowed)}")
        return tuple(values)

    def table(self, key: str) -> StrictTable:
        return StrictTable(self._file, f"{self._path}{key}.", self._take(key, dict, "a table"))

    def finish(self, known: Sequence[str] = ()) -> None:
        """Refuse what nobody asked for; `known` names keys that may be there and were not asked for."""
        for key in self._values:
            if key not in self._read:
                self.fail(key, f"unknown key (known here: {', '.join(sorted({*self._read, *known}))})")

    def _take(self, key: str, kind: type, words: str) -> Any:
        if key not in self._values:
            self.fail(key, f"missing; need {words}")
        self._read.add(key)
        value = self._values[key]
        # In Python a bool is an int; in a board file it is a mistake.
        if not isinstance(value, kind) or isinstance(value, bool):
            self.fail(key, f"{value!r} is not {words}")
        return value


def read_table(path: Path, shown_as: str) -> StrictTable:
    """The top table of a TOML file; `shown_as` names the file in messages."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WvvError(f"{shown_as}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WvvError(f"{shown_as}: not a TOML file: {error}") from error
    return StrictTable(shown_as, "", values)
