"""A lowered module as one function of machine code: every kernel in its order on one arena, through TVM's LLVM.

Takes:  `passes.lowered.Lowered`, and the LLVM target.
Gives:  a module whose `main(inputs..., outputs..., weights, arena)` allocates nothing and calls no runtime. Every
        pointer that it takes must be aligned to 64 bytes: what a 512-bit load may ask for.
An output that no kernel writes (an input, a constant, one that is returned twice) is a copy that the caller makes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import tirx
from tvm.tirx.stmt import Evaluate, SeqStmt

from tvm_wvv.micro.aot import alike, firsts
from tvm_wvv.micro.bare_c import from_loops, loop_passes, run
from tvm_wvv.micro.bare_pointers import Bare, bare_pointers
from tvm_wvv.micro.graph import Call, Graph, read_graph
from tvm_wvv.micro.in_place import in_place_inputs
from tvm_wvv.micro.split_reductions import split_reductions
from tvm_wvv.micro.storage import Place, Storage, assign
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.plan.memory import align

ALIGNMENT = 64

# The packed calling convention is only for `main`, and only kernels have loops.
_ENTRY = (
    tirx.transform.FlattenBuffer(),
    tirx.transform.AnnotateEntryFunc(),
    tirx.transform.MakePackedAPI(),
    tirx.transform.LowerTVMBuiltin(),
    tirx.transform.LowerIntrin(),
)


@dataclass(frozen=True)
class OneFunction:
    """`weights` is what `main` takes under that name; `copies` are (output, where its bytes are)."""

    module: tvm.runtime.Module
    weights: np.ndarray
    arena_bytes: int
    copies: tuple[tuple[int, Place], ...]
    constants: Mapping[str, np.ndarray]


def one_function(lowered: Lowered, target: tvm.target.Target) -> OneFunction:
    """Compile everything."""
    graph = read_graph(lowered)
    calls = [step for step in graph.steps if isinstance(step, Call)]
    groups = alike([graph.functions[call.function] for call in calls])
    kernels = [_bare(graph.functions[calls[first].function]) for first in firsts(groups)]
    overwritable = [in_place_inputs(graph.functions[call.function]) for call in calls]
    storage = assign(graph, [kernels[group].workspace_bytes for group in groups], overwritable, ALIGNMENT)
    offsets, weights = _weights(graph)
    entry = _entry(lowered, graph, calls, groups, storage, offsets, len(weights))
    machine = (run(from_loops(vectors=True), _for(one.func, target)) for one in kernels)
    named = {f"wvv_kernel_{number}": func for number, func in enumerate(machine)}
    module = tvm.IRModule({name: func.with_attr("global_symbol", name) for name, func in named.items()})
    module["main"] = _packed(entry, target)
    copies = [
        (position, storage.places[name])
        for position, name in enumerate(graph.outputs)
        if storage.places[name] != Place("output", position)
    ]
    built = tvm.get_global_func("target.build.llvm")(module, target)
    return OneFunction(built, weights, storage.arena_bytes, tuple(copies), graph.weights)


def _bare(func: tirx.PrimFunc) -> Bare:
    return bare_pointers(run(loop_passes(func), split_reductions(func)), ALIGNMENT)


def _for(func: tirx.PrimFunc, target: tvm.target.Target) -> tirx.PrimFunc:
    return func.with_attr("target", target)


def _packed(entry: tirx.PrimFunc, target: tvm.target.Target) -> tirx.PrimFunc:
    func = _for(entry, target.with_host(target)).with_attr("global_symbol", "main")
    module = tvm.IRModule({"main": func})
    return tvm.ir.transform.Sequential(list(_ENTRY))(module)["main"]


def _weights(graph: Graph) -> tuple[dict[str, int], np.ndarray]:
    """All constants in one array of bytes, and the offset of each."""
    offsets, length = {}, 0
    for name, array in graph.weights.items():
        offsets[name], length = length, align(length + array.nbytes, ALIGNMENT)
    octets = np.zeros(max(length, 1), np.uint8)
    for name, array in graph.weights.items():
        octets[offsets[name] : offsets[name] + array.nbytes] = array.reshape(-1).view(np.uint8)
    return offsets, octets


def _entry(
    lowered: Lowered,
    graph: Graph,
    calls: Sequence[Call],
    groups: Sequence[int],
    storage: Storage,
    offsets: Mapping[str, int],
    weight_bytes: int,
) -> tirx.PrimFunc:
    """The calls in their order."""
    ports = [
        [tirx.decl_buffer(info.shape or (1,), info.dtype, f"{kind}{number}") for number, info in enumerate(infos)]
        for kind, infos in (("input", lowered.inputs), ("output", lowered.outputs))
    ]
    weights = tirx.decl_buffer((weight_bytes,), "uint8", "weights")
    arena = tirx.decl_buffer((max(storage.arena_bytes, 1),), "uint8", "arena")

    def pointer(name: str) -> tirx.Call:
        place = storage.places[name]
        if place.region in ("input", "output"):
            buffer = ports[place.region == "output"][place.number]
            return tirx.address_of(buffer[tuple(0 for _ in buffer.shape)])
        if place.region == "weight":
            return tirx.address_of(weights[offsets[name]])
        return tirx.address_of(arena[place.number])

    statements = []
    for number, call in enumerate(calls):
        arguments = [pointer(name) for name in (*call.inputs, call.output)]
        scratch = storage.workspace[number]
        if scratch is not None:
            arguments.append(tirx.address_of(arena[scratch]))
        statements.append(Evaluate(tirx.call_extern("void", f"wvv_kernel_{groups[number]}", *arguments)))
    body = SeqStmt(statements) if len(statements) > 1 else (statements or [Evaluate(tirx.const(0, "int32"))])[0]
    return tirx.PrimFunc([*ports[0], *ports[1], weights, arena], body)
