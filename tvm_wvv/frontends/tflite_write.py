"""Write a quantized `.tflite` file: plain tensors and operators in, the bytes of the file out.

The same values give the same bytes on every machine. Constant data lies at multiples of 16 bytes, as the format asks.
Names join operators to tensors; an input given as None is left out (a bias, say). What does not fit together (an
unknown name, data of another shape or type) is a ValueError, for the caller is a program, not a user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import flatbuffers
import numpy as np
import tflite

from tvm_wvv.frontends.tflite_options import add_options, version

_SCHEMA_VERSION = 3
_IDENTIFIER = b"TFL3"
_DATA_ALIGNMENT = 16  # force_align of Buffer.data in schema.fbs
_LAST_BYTE_CODE = 127  # operator codes from here on do not fit the deprecated int8 field

_TYPES = {
    "int8": (tflite.TensorType.INT8, np.int8),
    "uint8": (tflite.TensorType.UINT8, np.uint8),
    "int16": (tflite.TensorType.INT16, np.int16),
    "int32": (tflite.TensorType.INT32, np.int32),
    "float32": (tflite.TensorType.FLOAT32, np.float32),
}


@dataclass(frozen=True)
class Tensor:
    """One tensor: a constant where `data` is given. One scale, or one for each entry of `quantized_dimension`."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    data: np.ndarray | None = None
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    quantized_dimension: int = 0


@dataclass(frozen=True)
class Operator:
    """One operator: its kind by the schema's name (`CONV_2D`), tensors by name, options by the names of `KINDS`."""

    kind: str
    inputs: tuple[str | None, ...]
    outputs: tuple[str, ...]
    options: Mapping[str, object] = field(default_factory=dict)


def write_model(
    tensors: Sequence[Tensor],
    operators: Sequence[Operator],
    inputs: Sequence[str],
    outputs: Sequence[str],
    description: str = "",
) -> bytes:
    """The bytes of a `.tflite` file with one subgraph that runs `operators` in the order given."""
    by_name = {tensor.name: tensor for tensor in tensors}
    if len(by_name) != len(tensors):
        raise ValueError("two tensors bear one name")
    for tensor in tensors:
        _check(tensor)
    index = {tensor.name: i for i, tensor in enumerate(tensors)}
    codes = {code: i for i, code in enumerate(dict.fromkeys(_code(op, by_name) for op in operators))}

    builder = flatbuffers.Builder(1024)
    # Buffer 0 is empty by convention: it stands for "no data", and every tensor that is computed refers to it.
    constants = [tensor for tensor in tensors if tensor.data is not None]
    buffers = [_buffer(builder, None), *(_buffer(builder, tensor) for tensor in constants)]
    buffer_of = {tensor.name: i for i, tensor in enumerate(constants, start=1)}
    written_tensors = [_tensor(builder, tensor, buffer_of.get(tensor.name, 0)) for tensor in tensors]
    written_operators = [_operator(builder, op, codes[_code(op, by_name)], index) for op in operators]
    graph = _subgraph(builder, written_tensors, written_operators, _indices(inputs, index), _indices(outputs, index))
    written_codes = [_operator_code(builder, kind, number) for kind, number in codes]
    root = _model(builder, written_codes, graph, buffers, description)
    builder.Finish(root, file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _check(tensor: Tensor) -> None:
    """Refuse a tensor that contradicts itself."""
    if tensor.dtype not in _TYPES:
        raise ValueError(f"{tensor.name}: dtype is {tensor.dtype!r}, need one of {', '.join(_TYPES)}")
    if len(tensor.scales) != len(tensor.zero_points):
        raise ValueError(f"{tensor.name}: {len(tensor.scales)} scales but {len(tensor.zero_points)} zero points")
    if len(tensor.scales) > 1 and len(tensor.scales) != tensor.shape[tensor.quantized_dimension]:
        channels = tensor.shape[tensor.quantized_dimension]
        raise ValueError(f"{tensor.name}: {len(tensor.scales)} scales for {channels} channels")
    data = tensor.data
    if data is not None and (data.shape != tensor.shape or data.dtype != np.dtype(_TYPES[tensor.dtype][1])):
        held = f"{data.dtype} {data.shape}"
        raise ValueError(f"{tensor.name}: data is {held}, the tensor is {tensor.dtype} {tensor.shape}")


def _code(op: Operator, by_name: Mapping[str, Tensor]) -> tuple[str, int]:
    """The operator code an operator needs: its kind and version."""
    unknown = [name for name in (*op.inputs, *op.outputs) if name is not None and name not in by_name]
    if unknown:
        raise ValueError(f"{op.kind} names the tensor {unknown[0]!r}, which is not among the tensors")
    return op.kind, version(op.kind, [None if n is None else by_name[n].dtype for n in op.inputs], op.options)


def _indices(names: Sequence[str | None], index: Mapping[str, int]) -> np.ndarray:
    missing = [name for name in names if name is not None and name not in index]
    if missing:
        raise ValueError(f"{missing[0]!r} is not among the tensors")
    return np.array([-1 if name is None else index[name] for name in names], np.int32)


def _offsets(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    """A vector of tables; flatbuffers grow from the end, hence the reversal."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _buffer(builder: flatbuffers.Builder, tensor: Tensor | None) -> int:
    data = None
    if tensor is not None and tensor.data is not None:
        # Little-endian whatever the machine that writes.
        raw = tensor.data.astype(tensor.data.dtype.newbyteorder("<")).tobytes()
        builder.Prep(_DATA_ALIGNMENT, len(raw))
        data = builder.CreateByteVector(raw)
    tflite.BufferStart(builder)
    if data is not None:
        tflite.BufferAddData(builder, data)
    return int(tflite.BufferEnd(builder))


def _quantization(builder: flatbuffers.Builder, tensor: Tensor) -> int | None:
    if not tensor.scales:
        return None
    scales = builder.CreateNumpyVector(np.asarray(tensor.scales, np.float32))
    zero_points = builder.CreateNumpyVector(np.asarray(tensor.zero_points, np.int64))
    tflite.QuantizationParametersStart(builder)
    tflite.QuantizationParametersAddScale(builder, scales)
    tflite.QuantizationParametersAddZeroPoint(builder, zero_points)
    tflite.QuantizationParametersAddQuantizedDimension(builder, tensor.quantized_dimension)
    return int(tflite.QuantizationParametersEnd(builder))


def _tensor(builder: flatbuffers.Builder, tensor: Tensor, buffer: int) -> int:
    name = builder.CreateString(tensor.name)
    shape = builder.CreateNumpyVector(np.asarray(tensor.shape, np.int32))
    quantization = _quantization(builder, tensor)
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, _TYPES[tensor.dtype][0])
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddName(builder, name)
    if quantization is not None:
        tflite.TensorAddQuantization(builder, quantization)
    return int(tflite.TensorEnd(builder))


def _operator(builder: flatbuffers.Builder, op: Operator, code: int, index: Mapping[str, int]) -> int:
    inputs = builder.CreateNumpyVector(_indices(op.inputs, index))
    outputs = builder.CreateNumpyVector(_indices(op.outputs, index))
    options = add_options(builder, op.kind, op.options)
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, code)
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(builder, options[0])
        tflite.OperatorAddBuiltinOptions(builder, options[1])
    return int(tflite.OperatorEnd(builder))


def _operator_code(builder: flatbuffers.Builder, kind: str, number: int) -> int:
    code = getattr(tflite.BuiltinOperator, kind)
    tflite.OperatorCodeStart(builder)
    # Readers take the greater of the two fields: old files have only the first, whose type is int8.
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(code, _LAST_BYTE_CODE))
    tflite.OperatorCodeAddBuiltinCode(builder, code)
    tflite.OperatorCodeAddVersion(builder, number)
    return int(tflite.OperatorCodeEnd(builder))


def _subgraph(
    builder: flatbuffers.Builder,
    tensors: Sequence[int],
    operators: Sequence[int],
    inputs: np.ndarray,
    outputs: np.ndarray,
) -> int:
    name = builder.CreateString("main")
    input_vector, output_vector = builder.CreateNumpyVector(inputs), builder.CreateNumpyVector(outputs)
    tensor_vector, operator_vector = _offsets(builder, tensors), _offsets(builder, operators)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensor_vector)
    tflite.SubGraphAddInputs(builder, input_vector)
    tflite.SubGraphAddOutputs(builder, output_vector)
    tflite.SubGraphAddOperators(builder, operator_vector)
    tflite.SubGraphAddName(builder, name)
    return int(tflite.SubGraphEnd(builder))


def _model(
    builder: flatbuffers.Builder, codes: Sequence[int], graph: int, buffers: Sequence[int], description: str
) -> int:
    text = builder.CreateString(description)
    code_vector, graph_vector = _offsets(builder, codes), _offsets(builder, [graph])
    buffer_vector = _offsets(builder, buffers)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, _SCHEMA_VERSION)
    tflite.ModelAddOperatorCodes(builder, code_vector)
    tflite.ModelAddSubgraphs(builder, graph_vector)
    tflite.ModelAddDescription(builder, text)
    tflite.ModelAddBuffers(builder, buffer_vector)
    return int(tflite.ModelEnd(builder))
