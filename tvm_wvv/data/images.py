"""Find labelled images by what a user types: the word `digits`, a `.parquet` file, a folder of class folders, or
CIFAR-10's binary files.

The word wins over a folder of that name in the working directory; `./digits` means the folder.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tvm_wvv.data import digits
from tvm_wvv.data.cifar import check_no_pickle, is_binary, load_binary
from tvm_wvv.data.folder import load_folder, load_pictures
from tvm_wvv.data.labelled import LabelledImages, real, to_input
from tvm_wvv.errors import WvvError

__all__ = ["LabelledImages", "load", "load_unlabelled", "real", "to_input"]

_NEED = "need the word digits, a .parquet file, a folder with one sub-folder for each class, or CIFAR-10's .bin files"
_NEED_PICTURES = "need the word digits, a .parquet file, a folder of PNG or JPEG images, or CIFAR-10's .bin files"


def load(spec: str, limit: int | None = None) -> LabelledImages:
    """The images that `spec` names, at most `limit` of them; `digits` means its held-out test images."""
    if spec == "digits":
        every = digits.load("test")
        return LabelledImages(every.images[: _checked(limit)], every.labels[:limit])
    path = _path(spec, limit, _NEED)
    if is_binary(path):
        return load_binary(path, limit)
    if path.is_dir():
        return load_folder(path, limit)
    # pyarrow is heavy, and only this kind of set needs it.
    from tvm_wvv.data.parquet import load_parquet

    return load_parquet(path, limit)


def load_unlabelled(spec: str, limit: int | None = None) -> np.ndarray:
    """The pixels uint8 (n, h, w, c) that `spec` names, with labels or not; `digits` means its train images."""
    if spec == "digits":
        return digits.load("train").images[: _checked(limit)]
    path = _path(spec, limit, _NEED_PICTURES)
    if is_binary(path):
        return load_binary(path, limit).images
    if path.is_dir():
        return load_pictures(path, limit)
    from tvm_wvv.data.parquet import load_images

    return load_images(path, limit)


def _path(spec: str, limit: int | None, need: str) -> Path:
    """A folder or a Parquet file by its name."""
    path = Path(spec)
    _checked(limit)
    if not path.exists():
        raise WvvError(f"no data set {spec!r}: no such file or folder; {need}")
    check_no_pickle(path)
    if not path.is_dir() and not is_binary(path) and path.suffix.lower() != ".parquet":
        raise WvvError(f"{spec}: not a data set; {need}")
    return path


def _checked(limit: int | None) -> int | None:
    if limit is not None and limit < 1:
        raise WvvError(f"limit is {limit}, need at least 1")
    return limit
