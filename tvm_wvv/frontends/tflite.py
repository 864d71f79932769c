"""Read an int8 `.tflite` model: bytes to QDQ Relax, through TVM's importer.

float32 may stand at the rim: inputs that QUANTIZE takes in, outputs that DEQUANTIZE gives.
Refused, each with one line: no TFLite file, damaged, float or hybrid, unknown operators, dynamic shapes.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import tvm

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import QuantModel, TensorInfo
from tvm_wvv.frontends.tflite_batch import with_batch
from tvm_wvv.frontends.tflite_checks import check
from tvm_wvv.frontends.tflite_convert import to_relax
from tvm_wvv.frontends.tflite_file import DAMAGE, TfliteFile, read
from tvm_wvv.quant.operators import Affine

# What TVM's converters raise on a model that they cannot take, and flatbuffers on an options table that is damaged.
_IMPORT_ERRORS = (tvm.error.InternalError, tvm.error.OpError, NotImplementedError, AssertionError, ArithmeticError,
                  LookupError, *DAMAGE)  # fmt: skip


def load(path: Path) -> QuantModel:
    """The model in the file at `path`; its name is made from the file's."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WvvError(f"{path}: cannot be read: {error.strerror}") from error
    return from_bytes(data, identifier(path.stem), str(path))


def from_bytes(data: bytes, name: str, where: str) -> QuantModel:
    """The model in `data`; `name` becomes part of C names, `where` stands in errors."""
    file = read(data, where)
    check(file, where)
    try:
        module = to_relax(file.flat)
    except _IMPORT_ERRORS as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise WvvError(f"{where}: TVM's TFLite importer refuses the model: {reason}") from error
    return QuantModel(
        name=name,
        module=module,
        inputs=_infos(file, file.inputs),
        outputs=_infos(file, file.outputs),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def batched(data: bytes, images: int, name: str, where: str) -> QuantModel:
    """The same for `images` images at a time; it keeps the digest of the file, for which recipes are made."""
    if images == 1:
        return from_bytes(data, name, where)
    model = from_bytes(with_batch(data, images, where), name, where)
    return replace(model, sha256=hashlib.sha256(data).hexdigest())


def identifier(text: str) -> str:
    """A C identifier near `text`: `vww_96_int8`, `_2nd`."""
    cleaned = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "model"
    return cleaned if not cleaned[0].isdigit() else f"_{cleaned}"


def _infos(file: TfliteFile, indices: tuple[int, ...]) -> tuple[TensorInfo, ...]:
    return tuple(_info(file, index) for index in indices)


def _info(file: TfliteFile, index: int) -> TensorInfo:
    tensor = file.tensors[index]
    codes = {index} if tensor.dtype == "int8" else _neighbours(file, index)
    affines = {Affine(file.tensors[i].scales[0], file.tensors[i].zero_points[0]) for i in codes}
    return TensorInfo(tensor.name, tensor.shape, tensor.dtype, affines.pop() if len(affines) == 1 else None)


def _neighbours(file: TfliteFile, index: int) -> set[int]:
    """The int8 tensors on the other side of the QUANTIZE and DEQUANTIZE of a float tensor."""
    return {
        other
        for operator in file.operators
        for one, other in ((operator.inputs[0], operator.outputs[0]), (operator.outputs[0], operator.inputs[0]))
        if one == index
    }
