"""Read a lowered module's `main` into plain values: which kernel is called on which tensors, in order.

Takes:  `passes.lowered.Lowered`: one dataflow block of `call_tir` and `reshape`, constants as arguments.
Gives:  a `Graph` whose reshapes are gone (a reshaped tensor is its source) and whose constants are listed once each.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import tvm
from tvm import relax, tirx
from tvm.ir import GenericConst, Op

from tvm_wvv.passes.lowered import Lowered


@dataclass(frozen=True)
class Call:
    """A kernel of the module, the tensors it reads, the one it writes, and the layer whose work it does."""

    function: str
    inputs: tuple[str, ...]
    output: str
    layer: str


@dataclass(frozen=True)
class Alias:
    """A layer, or a part of one, that costs nothing: its output is its input."""

    layer: str


@dataclass(frozen=True)
class Graph:
    """`bytes` has every tensor; those in `weights` are constants, those in `inputs` come from the caller."""

    inputs: tuple[str, ...]
    steps: tuple[Call | Alias, ...]
    outputs: tuple[str, ...]
    bytes: Mapping[str, int]
    weights: Mapping[str, np.ndarray]
    functions: Mapping[str, tirx.PrimFunc]


def read_graph(lowered: Lowered) -> Graph:
    """The calls of `main` in their order."""
    main = lowered.module["main"]
    reader = _Reader({str(k): str(v) for k, v in main.attrs["layers"].items()})
    for parameter in main.params:
        reader.define(parameter)
    for block in main.body.blocks:
        for binding in block.bindings:
            reader.read(binding)
    functions = {g.name_hint: f for g, f in lowered.module.functions_items() if isinstance(f, tirx.PrimFunc)}
    inputs = tuple(p.name for p in main.params)
    outputs = reader.outputs(main.body.body)
    return Graph(inputs, tuple(reader.steps), outputs, reader.bytes, reader.weights, functions)


@dataclass
class _Reader:
    """What is known while the bindings are read; `source` maps a variable to the tensor that holds its bytes."""

    layers: Mapping[str, str]
    steps: list[Call | Alias] = field(default_factory=list)
    bytes: dict[str, int] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)
    tuples: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _known: dict[tuple[str, builtins.bytes], str] = field(default_factory=dict)

    def define(self, var: relax.Var) -> str:
        assert var.name not in self.bytes, f"two variables are called {var.name!r}"
        self.bytes[var.name] = _tensor_bytes(var.ty)
        self.source[var.name] = var.name
        return str(var.name)

    def read(self, binding: relax.Binding) -> None:
        var, value = binding.var, binding.value
        if isinstance(value, relax.Tuple):
            self.tuples[var.name] = tuple(self.tensor(f) for f in value.fields)
        elif isinstance(value, relax.Call) and value.op == Op.get("relax.call_tir"):
            inputs = tuple(self.tensor(a) for a in value.args[1].fields)
            self.steps.append(Call(value.args[0].name_hint, inputs, self.define(var), self.layers[var.name]))
        elif isinstance(value, relax.Call) and value.op == Op.get("relax.reshape"):
            self.source[var.name] = self.tensor(value.args[0])
            self.steps.append(Alias(self.layers[var.name]))
        else:
            assert isinstance(value, relax.Var | GenericConst), f"{var.name}: {value} is not a lowered binding"
            self.source[var.name] = self.tensor(value)

    def tensor(self, value: relax.Expr) -> str:
        if isinstance(value, GenericConst):
            return self._weight(np.ascontiguousarray(value.value.numpy()))
        assert isinstance(value, relax.Var), f"{value} is neither a variable nor a constant"
        return self.source[value.name]

    def outputs(self, result: relax.Expr) -> tuple[str, ...]:
        if isinstance(result, relax.Tuple):
            return tuple(self.tensor(f) for f in result.fields)
        return self.tuples.get(result.name) or (self.tensor(result),)

    def _weight(self, array: np.ndarray) -> str:
        """Constants with the same bytes are one tensor: layers often share multipliers and zero biases."""
        key = (str(array.dtype), array.tobytes())
        if key not in self._known:
            # No Relax variable has a colon in its name, so this never meets a binding's.
            self._known[key] = name = f"weight:{len(self._known)}"
            self.weights[name] = array
            self.bytes[name] = array.nbytes
        return self._known[key]


def _tensor_bytes(ty: relax.TensorType) -> int:
    elements = 1
    for extent in ty.shape.values:
        elements *= int(extent)
    return elements * -(-tvm.DataType(str(ty.dtype)).bits // 8)
