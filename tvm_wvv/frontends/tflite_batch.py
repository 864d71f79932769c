"""A `.tflite` file of one image made one of several images that go through the network together.

Before:  every tensor that is computed has a first axis of length 1.
After:   the same file with that axis longer, in shapes and in what RESHAPE is told. Nothing else moves.
Refused: a computed tensor without such an axis, of which no one could say where its images lie.
"""

from __future__ import annotations

import struct

import tflite

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.tflite_file import TfliteFile, read

# Slots of vectors in the tables of schema.fbs.
_TENSOR_SHAPE, _BUFFER_DATA, _RESHAPE_NEW_SHAPE = 4, 4, 4


def with_batch(data: bytes, images: int, where: str) -> bytes:
    """The file for `images` images at a time; `where` names it in errors."""
    file = read(data, where)
    graph = file.flat.Subgraphs(0)
    places = [_vector(graph.Tensors(index), _TENSOR_SHAPE) for index in _computed(file, where)]
    places += [place for operator in range(graph.OperatorsLength()) for place in _told(file, operator)]
    changed = bytearray(data)
    for place in places:
        # -1 stands for whatever is left.
        if struct.unpack_from("<i", data, place)[0] == 1:
            struct.pack_into("<i", changed, place, images)
    return bytes(changed)


def _computed(file: TfliteFile, where: str) -> list[int]:
    """Tensors that are no constants."""
    used = {*file.inputs, *file.outputs, *(one for op in file.operators for one in (*op.inputs, *op.outputs))} - {-1}
    found = [index for index in sorted(used) if not file.tensors[index].constant]
    for index in found:
        tensor = file.tensors[index]
        if not tensor.shape or tensor.shape[0] != 1:
            raise WvvError(
                f"{where}: tensor '{tensor.name}' has shape {list(tensor.shape)}, and --batch lengthens a first axis "
                "of 1; leave it out"
            )
    return found


def _told(file: TfliteFile, number: int) -> list[int]:
    """Where the first length stands that a RESHAPE is told, by its second input, by its options, or by both."""
    operator, graph = file.operators[number], file.flat.Subgraphs(0)
    if operator.kind != "RESHAPE":
        return []
    places = []
    if len(operator.inputs) > 1 and operator.inputs[1] >= 0:
        places.append(_vector(file.flat.Buffers(graph.Tensors(operator.inputs[1]).Buffer()), _BUFFER_DATA))
    table = graph.Operators(number).BuiltinOptions()
    if table is not None:
        options = tflite.ReshapeOptions()
        options.Init(table.Bytes, table.Pos)
        if options.NewShapeLength():
            places.append(_vector(options, _RESHAPE_NEW_SHAPE))
    return places


def _vector(table: object, slot: int) -> int:
    """Where the first entry of a table's vector stands in the file."""
    access = table._tab  # type: ignore[attr-defined]
    return int(access.Vector(access.Offset(slot)))
