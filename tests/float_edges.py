"""An int8 model as TFLite's converter writes it by default: the same network between QUANTIZE and DEQUANTIZE.

Every table of the file is read into the writer's plain values; the float tensors take over the names of the network's
inputs and outputs, and the int8 ones behind them get a suffix.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import tflite

from tvm_wvv.frontends.tflite_file import FileOperator, TfliteFile, read
from tvm_wvv.frontends.tflite_options import KINDS
from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model

INT8 = "/int8"
# Option of the writer -> the schema's fields.
_FIELDS = {
    "padding": ("Padding",), "strides": ("StrideH", "StrideW"), "filter": ("FilterHeight", "FilterWidth"),
    "dilation": ("DilationHFactor", "DilationWFactor"), "activation": ("FusedActivationFunction",),
    "depth_multiplier": ("DepthMultiplier",), "axis": ("Axis",), "beta": ("Beta",),
}  # fmt: skip
_ENUMS = {"padding": tflite.Padding, "activation": tflite.ActivationFunctionType}


def with_float_edges(model: bytes) -> bytes:
    """The model with float32 inputs and outputs."""
    file = read(model, "model")
    tensors = [_tensor(file, i) for i in range(len(file.tensors))]
    ends = {*file.inputs, *file.outputs}
    renamed = {i: f"{t.name}{INT8}" if i in ends else t.name for i, t in enumerate(tensors)}
    inner = [replace(tensor, name=renamed[i]) for i, tensor in enumerate(tensors)]
    floats = [Tensor(tensors[i].name, tensors[i].shape, "float32") for i in (*file.inputs, *file.outputs)]
    operators = [
        *(Operator("QUANTIZE", (tensors[i].name,), (renamed[i],)) for i in file.inputs),
        *(_operator(file, number, renamed) for number in range(len(file.operators))),
        *(Operator("DEQUANTIZE", (renamed[i],), (tensors[i].name,)) for i in file.outputs),
    ]
    inputs, outputs = ([tensors[i].name for i in indices] for indices in (file.inputs, file.outputs))
    return write_model([*inner, *floats], operators, inputs, outputs)


def _tensor(file: TfliteFile, index: int) -> Tensor:
    known, flat = file.tensors[index], file.flat.Subgraphs(0).Tensors(index)
    data = None
    if known.constant:
        raw = file.flat.Buffers(flat.Buffer()).DataAsNumpy().tobytes()
        data = np.frombuffer(raw, known.dtype).reshape(known.shape)
    axis = flat.Quantization().QuantizedDimension() if known.scales else 0
    return Tensor(known.name, known.shape, known.dtype, data, known.scales, known.zero_points, axis)


def _operator(file: TfliteFile, number: int, names: dict[int, str]) -> Operator:
    known: FileOperator = file.operators[number]
    inputs = tuple(None if i == -1 else names[i] for i in known.inputs)
    return Operator(known.kind, inputs, tuple(names[i] for i in known.outputs), _options(file, number))


def _options(file: TfliteFile, number: int) -> dict[str, Any]:
    class_name, names = KINDS[file.operators[number].kind]
    union = file.flat.Subgraphs(0).Operators(number).BuiltinOptions()
    if union is None or not class_name:
        return {}
    table = getattr(tflite, class_name)()
    table.Init(union.Bytes, union.Pos)
    # A reshape's shape is a tensor as well, and what no field names keeps the writer's value.
    return {name: _option(table, name) for name in names if name in _FIELDS}


def _option(table: Any, name: str) -> Any:
    values = tuple(getattr(table, field)() for field in _FIELDS[name])
    if name in _ENUMS:
        return next(word for word, code in vars(_ENUMS[name]).items() if code == values[0] and word.isupper())
    return values if len(values) > 1 else values[0]
