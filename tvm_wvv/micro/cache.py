"""Keep what was built: one file for each key, in `$WVV_CACHE`, else `$XDG_CACHE_HOME/wvv`, else `~/.cache/wvv`.

A file's name holds the key and the digest of its contents. So a damaged file is known by its name and made again, and
two processes that make the same file at once each rename a whole one into place.
Where no such folder can be written, files live in a temporary folder until the process ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

_UNUSED_S = 30 * 24 * 3600
_DIGITS = 32  # 128 bits of each digest: names stay short, and no two keys meet


def cache_folder() -> Path:
    """The folder by the user's environment; nothing is made here."""
    if named := os.environ.get("WVV_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "wvv"


def key_of(parts: Iterable[bytes | str]) -> str:
    """One key for all parts in order; no two different sequences share it."""
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        # The length keeps ("ab", "c") apart from ("a", "bc").
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:_DIGITS]


def fetch(key: str, suffix: str, make: Callable[[Path], None]) -> Path:
    """The file of that key; `make(path)` writes it where there is no whole one yet."""
    folder = _usable(cache_folder())
    found = _whole(folder, key, suffix)
    if found is not None:
        return found
    _drop_unused(folder)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder) as work:
        made = Path(work, f"made{suffix}")
        make(made)
        return made.replace(folder / f"{key}-{_digest(made)}{suffix}")


def _whole(folder: Path, key: str, suffix: str) -> Path | None:
    for path in folder.glob(f"{key}-*{suffix}"):
        with contextlib.suppress(OSError):
            if path.name == f"{key}-{_digest(path)}{suffix}":
                path.touch()
                return path
            path.unlink()
    return None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGITS]


def _usable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return _temporary()
    return folder if os.access(folder, os.W_OK | os.X_OK) else _temporary()


@cache
def _own_folder() -> tempfile.TemporaryDirectory[str]:
    # Kept by the cached function; its folder is removed when the interpreter ends.
    return tempfile.TemporaryDirectory(prefix="wvv-cache-")


def _temporary() -> Path:
    return Path(_own_folder().name)


def _drop_unused(folder: Path) -> None:
    """Remove what no run has touched for a month."""
    limit = time.time() - _UNUSED_S
    for path in folder.glob("*-*.*"):
        # Another process may have removed it first.
        with contextlib.suppress(OSError):
            if path.is_file() and path.stat().st_mtime < limit:
                path.unlink()
