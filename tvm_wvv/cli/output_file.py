"""Write a file whole or not at all: what a command was asked for never stands there half-written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tvm_wvv.errors import WvvError


def check_writable(path: Path) -> None:
    """Refuse a place where no file can go, before any long work is done for it."""
    if path.is_dir():
        raise WvvError(f"{path}: is a folder, need the name of a file to write")
    if not path.parent.is_dir():
        raise WvvError(f"{path}: the folder {path.parent} does not exist; make it first")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder, which takes the place of `path` if the block ends without an error."""
    check_writable(path)
    try:
        # Same folder, hence same file system: only there is the renaming one indivisible step.
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            temporary = Path(folder, path.name)
            yield temporary
            temporary.replace(path)
    except OSError as error:
        raise WvvError(f"{path}: cannot be written: {error.strerror or error}") from error
