"""A project's folder on the disk, or another's: written whole or not at all.

Takes the files of `project_files.py`, or any by name. Refuses for a project a folder that has something in it, and with
`force` one that is no project of ours; after an error or Ctrl-C what stood there before stands there still.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.project import PROJECT_FILE, is_ours


def check_target(folder: Path, *, force: bool) -> None:
    """Refuse a place where the project cannot go, before any long work is done for it."""
    check_place(folder)
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not force:
        raise WvvError(f"{folder}: exists already; name another folder, or replace it with --force")
    if not is_ours(folder):
        raise WvvError(
            f"{folder}: --force replaces projects only, and there is no {PROJECT_FILE} of ours; name another folder"
        )


def check_place(folder: Path) -> None:
    """Refuse what can be no folder of ours, whatever is in it."""
    if not folder.parent.is_dir():
        raise WvvError(f"{folder}: the folder {folder.parent} does not exist; make it first")
    if folder.resolve() == Path.cwd():
        raise WvvError(f"{folder}: is the current folder; name another, which will be made anew")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise WvvError(f"{folder}: exists and is no folder; name another")


def write_project(folder: Path, files: Mapping[str, bytes], *, force: bool = False) -> None:
    """Write all files of a project, where `check_target` allows it."""
    check_target(folder, force=force)
    write_folder(folder, files)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files into a new folder beside it, which then takes its place and all that was in it."""
    folder = folder.resolve()
    try:
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as beside:
            made = Path(beside, "project")
            for name, data in files.items():
                path = _inside(made, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            _swap(made, folder, Path(beside, "old"))
    except OSError as error:
        raise WvvError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _inside(folder: Path, name: str) -> Path:
    """Names come from an archive that a stranger may have made."""
    path = folder / name
    if ".." in path.parts or not path.is_relative_to(folder):
        raise WvvError(f"{name}: leads out of the project; compile the model again")
    return path


def _swap(made: Path, folder: Path, old: Path) -> None:
    if not folder.exists():
        made.rename(folder)
        return
    folder.rename(old)
    try:
        made.rename(folder)
    except BaseException:
        # Also for Ctrl-C between both renamings.
        if not folder.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old)
