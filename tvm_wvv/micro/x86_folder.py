"""Libraries for x86 on the disk: which folders are ours, where the library and its model lie, how they are written.

A folder is written whole or not at all, and replaced only where it is one of `wvv compile --board x86`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.project_folder import check_place, write_folder
from tvm_wvv.micro.x86_facts import MADE_BY
from tvm_wvv.micro.x86_library import METADATA_FILE
from tvm_wvv.micro.x86_loaded import facts_of, library_file


def check_folder(folder: Path) -> None:
    """Refuse a place where a library cannot go, before any long work is done for it."""
    if folder.suffix in (".tar", ".so"):
        raise WvvError(f"{folder}: board 'x86' gives a folder with a library in it; leave out {folder.suffix}")
    check_place(folder)
    if folder.exists() and any(folder.iterdir()) and not is_ours(folder):
        raise WvvError(f"{folder}: holds something else than a library of {MADE_BY}; name another folder")


def write_library(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files, in the place of an older library."""
    check_folder(folder)
    write_folder(folder, files)


def is_ours(folder: Path) -> bool:
    """Whether some version of this program made the folder, so that it may be replaced."""
    try:
        fields = json.loads((folder / METADATA_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(fields, dict) and fields.get("made_by") == MADE_BY


def library_in(path: Path) -> Path:
    """The library of a folder of ours; any other path as it is."""
    return library_file(path) if path.is_dir() and is_ours(path) else path


def is_library(path: Path) -> bool:
    """By its name: what it holds shows when it is loaded."""
    return path.suffix == ".so"


def model_beside(path: Path) -> bytes | None:
    """The .tflite that a library was made of; None where it was moved away or another took its place."""
    facts = facts_of(path)
    model = path.parent / f"{facts.name}.tflite"
    data = model.read_bytes() if model.is_file() else None
    return data if data is not None and hashlib.sha256(data).hexdigest() == facts.sha256 else None
