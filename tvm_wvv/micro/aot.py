"""Ahead-of-time compilation: a lowered module becomes a flat list of calls of C functions on fixed places.

Takes:  `passes.lowered.Lowered`.
Gives:  a `Program`, in which every pointer, size and name is decided; `emit_c` only prints it.
Kernels that are structurally equal are one C function, so code does not grow with depth where shapes agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import tvm_ffi
from tvm import tirx

from tvm_wvv.micro.bare_c import BareKernel, build
from tvm_wvv.micro.c_names import identifier, unique
from tvm_wvv.micro.graph import Call, Graph, read_graph
from tvm_wvv.micro.in_place import in_place_inputs
from tvm_wvv.micro.storage import Place, Storage, Use, assign
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.plan.memory import ALIGNMENT
from tvm_wvv.quant.operators import Affine


@dataclass(frozen=True)
class Peak:
    """The layer at which most of the arena is alive, and of what: tensors before it, its own scratch, its result."""

    layer: str
    input_bytes: int
    workspace_bytes: int
    output_bytes: int


@dataclass(frozen=True)
class Function:
    """A kernel under its C name; without `restrict` where some call of it works in place."""

    name: str
    kernel: BareKernel
    restrict: bool


@dataclass(frozen=True)
class Invoke:
    """Call `function` with pointers to `arguments`; `workspace` is an offset in the arena."""

    function: str
    arguments: tuple[Place, ...]
    workspace: int | None
    layer: int


@dataclass(frozen=True)
class Skip:
    """A layer that needs no call; it is marked all the same, so that a profile lists it with nothing spent."""

    layer: int


@dataclass(frozen=True)
class Copy:
    """Bytes of an output that no kernel writes there: an input, a constant, or a tensor returned twice."""

    output: int
    source: Place
    bytes: int


Step: TypeAlias = Invoke | Skip | Copy


@dataclass(frozen=True)
class Port:
    """An input or output of the network: its C name, the model's name for it, its size and its quantization."""

    name: str
    tensor: str
    bytes: int
    affine: Affine | None = None


@dataclass(frozen=True)
class Program:
    """Everything the C text states. `weights` maps C names to arrays; `layers` are the names behind the numbers."""

    name: str
    functions: tuple[Function, ...]
    steps: tuple[Step, ...]
    weights: Mapping[str, np.ndarray]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    layers: tuple[str, ...]
    arena_bytes: int
    workspace_bytes: int
    layer_workspace: tuple[int, ...]
    peak: Peak


def program(
    lowered: Lowered, make: Callable[[tirx.PrimFunc], BareKernel] = build, alignment: int = ALIGNMENT
) -> Program:
    """Decide everything about the C program for a lowered module; `make` generates the code of one kernel."""
    graph = read_graph(lowered)
    calls = [step for step in graph.steps if isinstance(step, Call)]
    groups = alike([graph.functions[call.function] for call in calls])
    kernels = [make(graph.functions[calls[first].function]) for first in firsts(groups)]
    overwritable = [in_place_inputs(graph.functions[call.function]) for call in calls]
    storage = assign(graph, [kernels[g].workspace_bytes for g in groups], overwritable, alignment)
    functions = _functions(lowered.name, graph, calls, groups, kernels, storage)
    layers = tuple(layer.name for layer in lowered.layers)
    weight_names = _weight_names(lowered.name, graph, layers)
    inputs, outputs = _ports(lowered, graph)
    return Program(
        name=lowered.name,
        functions=functions,
        steps=_steps(graph, groups, functions, storage, weight_names, layers),
        weights={weight_names[key]: array for key, array in graph.weights.items() if key in weight_names},
        inputs=inputs,
        outputs=outputs,
        layers=layers,
        arena_bytes=storage.arena_bytes,
        workspace_bytes=max((kernel.workspace_bytes for kernel in kernels), default=0),
        layer_workspace=tuple(max((u.workspace for u in storage.uses if u.layer == n), default=0) for n in layers),
        peak=_peak(storage.uses),
    )


def alike(funcs: Sequence[tirx.PrimFunc]) -> list[int]:
    """For each function the number of its group; structurally equal functions are one group."""
    plain = [func.without_attr("global_symbol") for func in funcs]
    groups: list[int] = []
    known: dict[int, list[tuple[tirx.PrimFunc, int]]] = {}
    count = 0
    for func in plain:
        alike = known.setdefault(tvm_ffi.structural_hash(func), [])
        group = next((number for other, number in alike if tvm_ffi.structural_equal(func, other)), None)
        if group is None:
            group, count = count, count + 1
            alike.append((func, group))
        groups.append(group)
    return groups


def firsts(groups: Sequence[int]) -> list[int]:
    """The first member of each group."""
    return [groups.index(number) for number in range(max(groups, default=-1) + 1)]


def _functions(
    model: str,
    graph: Graph,
    calls: Sequence[Call],
    groups: Sequence[int],
    kernels: Sequence[BareKernel],
    storage: Storage,
) -> tuple[Function, ...]:
    """Names count up for each kind of kernel, in the order of the first calls."""
    stems = [_stem(calls[first].function, graph.functions[calls[first].function]) for first in firsts(groups)]
    names = unique(f"{model}_{stem}_{stems[:number].count(stem)}" for number, stem in enumerate(stems))
    overlapping = {groups[k] for k in storage.in_place}
    return tuple(
        Function(name, kernel, number not in overlapping)
        for number, (name, kernel) in enumerate(zip(names, kernels, strict=True))
    )


def _stem(function: str, func: tirx.PrimFunc) -> str:
    """The kernel's own name, from its symbol; else the module's name for it without the number that made it unique."""
    symbol = str(func.attrs.get("global_symbol", ""))
    # `te.create_prim_func` calls everything "main", which names nothing.
    known = symbol not in ("", "main") and function.startswith(symbol)
    return identifier(symbol if known else re.sub(r"_?\d+$", "", function))


def _weight_names(model: str, graph: Graph, layers: Sequence[str]) -> dict[str, str]:
    """By the first layer that reads a constant and what its kernel calls it; constants that nothing reads have none."""
    wanted: dict[str, str] = {}
    for step in graph.steps:
        if isinstance(step, Call):
            parameters = graph.functions[step.function].params
            for key, parameter in zip(step.inputs, parameters, strict=False):
                if key in graph.weights:
                    wanted.setdefault(key, f"{model}_l{layers.index(step.layer)}_{identifier(parameter.name)}")
    for position, key in enumerate(graph.outputs):
        if key in graph.weights:
            wanted.setdefault(key, f"{model}_output{position}")
    return dict(zip(wanted, unique(wanted.values()), strict=True))


def _ports(lowered: Lowered, graph: Graph) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    infos = (*lowered.inputs, *lowered.outputs)
    tensors, affines = [info.name for info in infos], [info.affine for info in infos]
    sizes = [graph.bytes[name] for name in (*graph.inputs, *graph.outputs)]
    # The header's macros for the arena and the workspace look like those for tensors of these names.
    names = unique(("arena", "workspace", *(identifier(name) for name in tensors)))[2:]
    ports = tuple(Port(*port) for port in zip(names, tensors, sizes, affines, strict=True))
    return ports[: len(graph.inputs)], ports[len(graph.inputs) :]


def _steps(
    graph: Graph,
    groups: Sequence[int],
    functions: Sequence[Function],
    storage: Storage,
    weight_names: Mapping[str, str],
    layers: Sequence[str],
) -> tuple[Step, ...]:
    def place(tensor: str) -> Place:
        found = storage.places[tensor]
        return Place("weight", name=weight_names[tensor]) if found.region == "weight" else found

    steps: list[Step] = []
    k = 0
    for step in graph.steps:
        if isinstance(step, Call):
            arguments = tuple(place(name) for name in (*step.inputs, step.output))
            steps.append(Invoke(functions[groups[k]].name, arguments, storage.workspace[k], layers.index(step.layer)))
            k += 1
        else:
            steps.append(Skip(layers.index(step.layer)))
    for position, name in enumerate(graph.outputs):
        if place(name) != Place("output", position):
            steps.append(Copy(position, place(name), graph.bytes[name]))
    return tuple(steps)


def _peak(uses: Sequence[Use]) -> Peak:
    top = max(uses, key=lambda use: use.total, default=Use("", 0, 0, 0))
    return Peak(top.layer, top.inputs, top.workspace, top.outputs)
