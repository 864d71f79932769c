"""Labelled images from a folder: one sub-folder a class, its name's place in sorted order the label; PNG and JPEG.

A limit takes one image of each class in turn, in order of file name, so that it does not end up with one class only;
without a limit the order is the same. Names that begin with a dot and files of other kinds are passed over.
"""

from __future__ import annotations

from itertools import chain, islice, zip_longest
from pathlib import Path

import numpy as np

from tvm_wvv.data.labelled import LabelledImages
from tvm_wvv.data.picture import decode, stack
from tvm_wvv.errors import WvvError

_SUFFIXES = {".png", ".jpg", ".jpeg"}


def load_folder(path: Path, limit: int | None) -> LabelledImages:
    """`limit` images of the folder, all of them where it is None."""
    classes = _folders(path)
    if not classes:
        raise WvvError(f"{path}: no sub-folders; need one for each class with its PNG or JPEG images")
    chosen = _in_turn(classes, limit)
    if not chosen:
        raise WvvError(f"{path}: no .png, .jpg or .jpeg file in its {len(classes)} sub-folders, need at least one")
    pictures = [decode(_read(file), str(file)) for file, _ in chosen]
    labels = np.array([label for _, label in chosen], np.int64)
    return LabelledImages(stack(pictures, [str(file) for file, _ in chosen]), labels)


def load_pictures(path: Path, limit: int | None) -> np.ndarray:
    """The pixels of `limit` images, all where it is None: those in the folder, then of each sub-folder in turn."""
    chosen = [file for file, _ in _in_turn([path], limit)]
    if limit is None or len(chosen) < limit:
        chosen += [file for file, _ in _in_turn(_folders(path), None if limit is None else limit - len(chosen))]
    if not chosen:
        raise WvvError(f"{path}: no .png, .jpg or .jpeg file in it or in its sub-folders, need at least one")
    return stack([decode(_read(file), str(file)) for file in chosen], list(map(str, chosen)))


def _folders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _in_turn(folders: list[Path], limit: int | None) -> list[tuple[Path, int]]:
    """A picture of each folder, then the next of each; with the folder's place."""
    columns = [[(picture, place) for picture in _pictures(folder)] for place, folder in enumerate(folders)]
    return list(islice((pair for pair in chain.from_iterable(zip_longest(*columns)) if pair is not None), limit))


def _pictures(folder: Path) -> list[Path]:
    files = (entry for entry in folder.iterdir() if entry.suffix.lower() in _SUFFIXES and entry.is_file())
    return sorted(file for file in files if not file.name.startswith("."))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise WvvError(f"{file}: cannot be read ({error.strerror})") from error
