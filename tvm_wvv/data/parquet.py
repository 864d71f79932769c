"""Images from a Parquet file: column `image` (PNG or JPEG bytes, or a struct with a field `bytes`), and `label`.

Takes the first `limit` rows and reads no row group beyond them. Every fault of the file is one WvvError that names the
file and, where it lies in a row, the row counted from 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tvm_wvv.data.labelled import LabelledImages
from tvm_wvv.data.picture import decode, stack
from tvm_wvv.errors import WvvError

_BATCH_ROWS = 256


def load_parquet(path: Path, limit: int | None) -> LabelledImages:
    """The first `limit` rows, all of them where `limit` is None."""
    pictures, labels = _read(path, limit, ("image", "label"))
    return LabelledImages(pictures, np.array(labels, np.int64))


def load_images(path: Path, limit: int | None) -> np.ndarray:
    """The pixels uint8 (n, h, w, c) of the first `limit` rows, all where it is None; other columns do not matter."""
    return _read(path, limit, ("image",))[0]


def _read(path: Path, limit: int | None, columns: Sequence[str]) -> tuple[np.ndarray, list[int]]:
    """The images, and as many labels where they are among the columns."""
    # Outside the try that opens: a fault in a row keeps its own message.
    with _open(path) as file:
        _check_columns(path, file.schema_arrow, columns)
        rows = file.metadata.num_rows if limit is None else min(limit, file.metadata.num_rows)
        if rows == 0:
            raise WvvError(f"{path}: holds no rows, need at least one image")
        pictures, labels, wheres = [], list[int](), []
        for number, (data, *label) in enumerate(_rows(path, file, rows, columns)):
            where = f"{path}: row {number}"
            if data is None:
                raise WvvError(f"{where}: no image in column 'image'")
            if label and (label[0] is None or not 0 <= label[0] < 2**63):
                raise WvvError(f"{where}: label is {label[0]}, need an integer of 0 or more")
            pictures.append(decode(data, where))
            labels += label
            wheres.append(where)
    return stack(pictures, wheres), labels


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise WvvError(f"{path}: not a readable Parquet file ({_first_line(error)})") from error


def _check_columns(path: Path, schema: pa.Schema, columns: Sequence[str]) -> None:
    for name in columns:
        if name not in schema.names:
            raise WvvError(f"{path}: no column {name!r}; it has: {', '.join(schema.names) or 'none'}")
    if not _is_image(schema.field("image").type):
        raise WvvError(f"{path}: column 'image' is {schema.field('image').type}, need binary or a struct with 'bytes'")
    if "label" in columns and not pa.types.is_integer(schema.field("label").type):
        raise WvvError(f"{path}: column 'label' is {schema.field('label').type}, need an integer type")


def _is_image(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_image(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _rows(path: Path, file: pq.ParquetFile, rows: int, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The first `rows` rows as (bytes,) or (bytes, label), a batch at a time."""
    try:
        for batch in file.iter_batches(_BATCH_ROWS, row_groups=_groups(file, rows), columns=list(columns)):
            # By name: a reader may give the columns in the file's order. The slice spares what no one will decode.
            images = batch.column("image").slice(0, rows)
            if pa.types.is_struct(images.type):
                # Not `field("bytes")`, which would ignore the struct's own nulls.
                images = pa.array([item and item["bytes"] for item in images.to_pylist()], pa.binary())
            others = [batch.column(name).slice(0, rows).to_pylist() for name in columns if name != "image"]
            yield from zip(images.to_pylist(), *others, strict=True)
            rows -= len(images)
            if rows <= 0:
                return
    except (pa.ArrowException, OSError) as error:
        raise WvvError(f"{path}: the file is damaged ({_first_line(error)})") from error


def _groups(file: pq.ParquetFile, rows: int) -> list[int]:
    """The row groups that hold the first `rows` rows."""
    groups: list[int] = []
    while rows > 0 and len(groups) < file.metadata.num_row_groups:
        groups.append(len(groups))
        rows -= file.metadata.row_group(groups[-1]).num_rows
    return groups


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
