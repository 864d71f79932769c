"""A `.tflite` file as plain values: every table is read once, so that damage shows here and nowhere else.

Takes the bytes of the file; gives tensors and operators of its one subgraph. Refuses what is no TFLite file, what is
cut short, and what holds several subgraphs. Constant data is left in the file; only its extent is checked.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import tflite

from tvm_wvv.errors import WvvError

_IDENTIFIER = b"TFL3"
_TYPE_NAMES = {code: name.lower() for name, code in vars(tflite.TensorType).items() if not name.startswith("_")}
_KIND_NAMES = {code: name for name, code in vars(tflite.BuiltinOperator).items() if not name.startswith("_")}
# What flatbuffers' accessors raise when an offset leads out of the file.
DAMAGE = (struct.error, IndexError, ValueError, TypeError, UnicodeDecodeError, OverflowError, AttributeError)


@dataclass(frozen=True)
class FileTensor:
    """One tensor; `scales` is empty where it is not quantized, `constant` says that the file holds its data."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    constant: bool


@dataclass(frozen=True)
class FileOperator:
    """One operator: its kind by the schema's name, and tensors by index (-1: left out)."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class TfliteFile:
    """The subgraph of a file; `flat` is the flatbuffer's own object, for TVM's importer."""

    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    flat: tflite.Model

    def name_of(self, operator: FileOperator) -> str:
        """An operator is known by the name of its first output tensor."""
        return self.tensors[operator.outputs[0]].name


def read(data: bytes, where: str) -> TfliteFile:
    """The file's subgraph; `where` names the file in errors."""
    if not data:
        raise WvvError(f"{where}: the file is empty; need a TensorFlow Lite model")
    if data[4:8] != _IDENTIFIER:
        raise WvvError(
            f"{where}: not a TensorFlow Lite model: bytes 4 to 7 are {data[4:8]!r}, need {_IDENTIFIER!r}; "
            "give the .tflite file that the converter wrote"
        )
    try:
        return _survey(tflite.Model.GetRootAsModel(data, 0), len(data), where)
    except DAMAGE as error:
        raise WvvError(
            f"{where}: damaged or cut short: a table leads out of the file's {len(data)} bytes; copy it again"
        ) from error


def _survey(model: tflite.Model, size: int, where: str) -> TfliteFile:
    if model.SubgraphsLength() != 1:
        raise WvvError(f"{where}: holds {model.SubgraphsLength()} subgraphs, need exactly 1 (no control flow)")
    constant = tuple(_has_data(model, i) for i in range(_bounded(model.BuffersLength(), size)))
    graph = model.Subgraphs(0)
    tensors = tuple(_tensor(graph.Tensors(i), constant) for i in range(_bounded(graph.TensorsLength(), size)))
    operators = tuple(
        _operator(model, graph.Operators(i), len(tensors)) for i in range(_bounded(graph.OperatorsLength(), size))
    )
    inputs, outputs = _ints(graph.InputsAsNumpy()), _ints(graph.OutputsAsNumpy())
    _in_range((*inputs, *outputs), len(tensors))
    if not (operators and inputs and outputs):
        raise WvvError(
            f"{where}: {len(operators)} operators, {len(inputs)} inputs, {len(outputs)} outputs; need some of each"
        )
    return TfliteFile(tensors, operators, inputs, outputs, model)


def _bounded(count: int, size: int) -> int:
    """A vector's length, which a damaged file may give as billions."""
    if not 0 <= count <= size:
        raise IndexError(f"a vector of {count} entries in {size} bytes")
    return count


def _in_range(indices: tuple[int, ...], count: int) -> None:
    if any(not 0 <= i < count for i in indices):
        raise IndexError(f"tensor indices {indices} with {count} tensors")


def _has_data(model: tflite.Model, i: int) -> bool:
    buffer = model.Buffers(i)
    # DataAsNumpy maps the bytes and so fails where they lie outside the file.
    return buffer.DataLength() > 0 and buffer.DataAsNumpy().size > 0


def _tensor(tensor: tflite.Tensor, constant: tuple[bool, ...]) -> FileTensor:
    quantization = tensor.Quantization()
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    if quantization is not None and quantization.ScaleLength() > 0:
        scales = tuple(float(s) for s in quantization.ScaleAsNumpy())
        zero_points = _ints(quantization.ZeroPointAsNumpy())
    name = tensor.Name()
    return FileTensor(
        name=(name or b"").decode("utf-8"),
        shape=_ints(tensor.ShapeAsNumpy()),
        dtype=_TYPE_NAMES[_known(tensor.Type(), _TYPE_NAMES)],
        scales=scales,
        zero_points=zero_points,
        constant=constant[tensor.Buffer()],
    )


def _operator(model: tflite.Model, operator: tflite.Operator, tensors: int) -> FileOperator:
    code = model.OperatorCodes(operator.OpcodeIndex())
    # Old files have only the deprecated field, new ones both: the greater of the two holds.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    kind = _KIND_NAMES[_known(number, _KIND_NAMES)]
    if kind == "CUSTOM":
        kind = f"CUSTOM {(code.CustomCode() or b'').decode('utf-8')}"
    inputs, outputs = _ints(operator.InputsAsNumpy()), _ints(operator.OutputsAsNumpy())
    _in_range(tuple(i for i in (*inputs, *outputs) if i != -1), tensors)
    if not outputs:
        raise IndexError("an operator without output")
    return FileOperator(kind, inputs, outputs)


def _known(code: int, names: dict[int, str]) -> int:
    if code not in names:
        raise IndexError(f"code {code} is not in the schema")
    return code


def _ints(vector: np.ndarray | int) -> tuple[int, ...]:
    """flatbuffers gives the number 0 for a vector that is not there."""
    return () if isinstance(vector, int) else tuple(int(v) for v in vector)
