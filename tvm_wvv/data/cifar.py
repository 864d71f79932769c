"""CIFAR-10's binary version: records of one label byte and 3072 pixel bytes, red, green and blue planes of 32x32.

A folder (`cifar-10-batches-bin`) means its train images, data_batch_*.bin in order of number; test_batch.bin and single
batches are named as files. The Python version is a pickle, which may run any program: refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tvm_wvv.data.labelled import LabelledImages
from tvm_wvv.errors import WvvError

_SIDE, _CHANNELS = 32, 3
_RECORD = 1 + _SIDE * _SIDE * _CHANNELS


def is_binary(path: Path) -> bool:
    """Whether this is a file of records, or a folder of them."""
    return path.suffix == ".bin" if path.is_file() else bool(_batches(path))


def check_no_pickle(path: Path) -> None:
    """WvvError for the version of CIFAR-10 that this module does not read."""
    place = path if path.is_dir() else path.parent
    named = path.name if path.is_file() else "data_batch_1"
    is_batch = named.startswith("data_batch_") or named == "test_batch"
    if is_batch and not path.suffix and (place / named).is_file():
        raise WvvError(
            f"{path}: CIFAR-10 as Python pickles, which may run any program when they are read; "
            "take the binary version (cifar-10-batches-bin)"
        )


def load_binary(path: Path, limit: int | None) -> LabelledImages:
    """The first `limit` images, all where it is None."""
    files = [path] if path.is_file() else _batches(path)
    records = np.concatenate([_records(file) for file in files])[:limit]
    planes = records[:, 1:].reshape(-1, _CHANNELS, _SIDE, _SIDE)
    return LabelledImages(np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), records[:, 0].astype(np.int64))


def _batches(folder: Path) -> list[Path]:
    return sorted(folder.glob("data_batch_*.bin"), key=lambda file: (len(file.name), file.name))


def _records(file: Path) -> np.ndarray:
    try:
        content = np.frombuffer(file.read_bytes(), np.uint8)
    except OSError as error:
        raise WvvError(f"{file}: cannot be read ({error.strerror})") from error
    count, rest = divmod(len(content), _RECORD)
    if rest or not count:
        raise WvvError(
            f"{file}: {len(content)} bytes, need whole records of {_RECORD} (a label and {_SIDE}x{_SIDE} pixels)"
        )
    return content.reshape(count, _RECORD)
