"""Find labelled images by what a user types: the word `digits`, a `.parquet` file, or a folder of class folders.

The word wins over a folder of that name in the working directory; `./digits` means the folder.
"""

from __future__ import annotations

from pathlib import Path

from tvm_wvv.data import digits
from tvm_wvv.data.folder import load_folder
from tvm_wvv.data.labelled import LabelledImages, real, to_input
from tvm_wvv.errors import WvvError

__all__ = ["LabelledImages", "load", "real", "to_input"]

_NEED = "need the word digits, a .parquet file or a folder with one sub-folder for each class"


def load(spec: str, limit: int | None = None) -> LabelledImages:
    """The images that `spec` names, at most `limit` of them; `digits` means its held-out test images."""
    if limit is not None and limit < 1:
        raise WvvError(f"limit is {limit}, need at least 1")
    if spec == "digits":
        every = digits.load("test")
        return LabelledImages(every.images[:limit], every.labels[:limit])
    path = Path(spec)
    if not path.exists():
        raise WvvError(f"no data set {spec!r}: no such file or folder; {_NEED}")
    if path.is_dir():
        return load_folder(path, limit)
    if path.suffix.lower() != ".parquet":
        raise WvvError(f"{spec}: not a data set; {_NEED}")
    # pyarrow is heavy, and only this kind of set needs it.
    from tvm_wvv.data.parquet import load_parquet

    return load_parquet(path, limit)
