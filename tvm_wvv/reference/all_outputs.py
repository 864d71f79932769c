"""A model that returns every operator's result, made from one that does not.

The interpreter lets an addition or a reshape write over its input, even where all tensors are to be preserved; what the
network returns is spared. So the file gets a longer list of outputs: appended at its end, and pointed at in its place.
"""

from __future__ import annotations

import struct

import tflite

_OUTPUTS_SLOT = 8  # field 2 of SubGraph: vtable offset 4 + 2 * 2


def operator_outputs(model: bytes) -> list[tuple[str, int]]:
    """Name and index of every operator's outputs, in order of execution."""
    graph = tflite.Model.GetRootAs(model, 0).Subgraphs(0)
    operators = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    indices = [operator.Outputs(i) for operator in operators for i in range(operator.OutputsLength())]
    return [(graph.Tensors(index).Name().decode(), index) for index in indices]


def returning_all(model: bytes) -> bytes:
    """The same model with every operator's outputs among its own, after those it had."""
    graph = tflite.Model.GetRootAs(model, 0).Subgraphs(0)
    own = [graph.Outputs(i) for i in range(graph.OutputsLength())]
    indices = list(dict.fromkeys([*own, *(index for _, index in operator_outputs(model))]))
    data = bytearray(model) + b"\0" * (-len(model) % 4)
    field, vector = graph._tab.Pos + graph._tab.Offset(_OUTPUTS_SLOT), len(data)
    # An offset counts from the field itself and points forward, so any place behind the tables will do.
    data[field : field + 4] = struct.pack("<I", vector - field)
    data += struct.pack(f"<I{len(indices)}i", len(indices), *indices)
    return bytes(data)
