"""Firmware from the cache: built once for each set of sources, compiler and flags.

The key covers all that goes into an image: generated text, the board's folder, deploy/runtime, the compiler's version
and `toolchain.py`, where the flags stand. So nothing stale is ever run, and no version number has to be kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tvm_wvv.micro import toolchain
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.cache import fetch, key_of
from tvm_wvv.micro.process import check
from tvm_wvv.resources import deploy_dir


def firmware(
    files: Mapping[str, str], board: Board, *, profile: bool, console: toolchain.Console = "semihosting"
) -> Path:
    """The ELF that `toolchain.build_firmware` makes of `files`."""

    def make(path: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="wvv-build-") as folder:
            elf = toolchain.build_firmware(files, board, Path(folder), profile=profile, console=console)
            path.write_bytes(elf.read_bytes())

    return fetch(firmware_key(files, board, str(profile), console), ".elf", make)


def firmware_key(files: Mapping[str, str], board: Board, *more: str | bytes) -> str:
    """A key of all that goes into an image, and of `more`, which says what is made of it."""
    # A missing compiler ends here with the line that installs it, even where the image itself is in the cache.
    version = check([toolchain.GCC, "--version"]).stdout
    texts = [part for name, text in sorted(files.items()) for part in (name, text)]
    ours = [Path(toolchain.__file__).read_bytes(), *_folder(deploy_dir() / "runtime"), *_folder(board.folder)]
    # A board may differ from its file: `stand_in` gives one machine the flags of another.
    values = repr(replace(board, folder=Path()))
    return key_of([version, values, *more, *ours, *texts])


def _folder(folder: Path) -> Iterator[str | bytes]:
    """Name and contents of every file, in a fixed order."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder))
            yield path.read_bytes()
