"""A lowered module as one function of machine code: every kernel in its order on one arena, through TVM's LLVM.

Takes:  `passes.lowered.Lowered`, and the LLVM target.
Gives:  a module whose `main(inputs..., outputs..., weights, arena)` allocates nothing and calls no runtime. Every
        pointer that it takes must be aligned to 64 bytes: what a 512-bit load may ask for.
Where kernels share their work out among threads (`kernels/x86_threads.py`), `main` starts the threads of TVM's runtime
once, for the whole network; they meet after each loop over chunks.
An output that no kernel writes (an input, a constant, one that is returned twice) is a copy that the caller makes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import tvm
from tvm import s_tir, tirx
from tvm.tirx.stmt import AttrStmt, Evaluate, For, ForKind, SeqStmt, Stmt

from tvm_wvv.micro.aot import alike, firsts
from tvm_wvv.micro.bare_c import WHOLE_BUFFERS, from_loops, loop_passes, run
from tvm_wvv.micro.graph import Call, Graph, read_graph
from tvm_wvv.micro.in_place import in_place_inputs
from tvm_wvv.micro.phases import Phased, phased, shares_out
from tvm_wvv.micro.split_reductions import split_reductions
from tvm_wvv.micro.statements import walk
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
    kernels = [_phased(graph.functions[calls[first].function]) for first in firsts(groups)]
    overwritable = [in_place_inputs(graph.functions[call.function]) for call in calls]
    storage = assign(graph, [kernels[group].workspace_bytes for group in groups], overwritable, ALIGNMENT)
    offsets, weights = _weights(graph)
    entry = _entry(lowered, graph, calls, [kernels[group] for group in groups], groups, storage, offsets, len(weights))
    named = {
        _name(number, phase): run(from_loops(vectors=True), _for(one.func, target))
        for number, kernel in enumerate(kernels)
        for phase, one in enumerate(kernel.phases)
    }
    module = tvm.IRModule({name: func.with_attr("global_symbol", name) for name, func in named.items()})
    module["main"] = _packed(entry, target)
    copies = [
        (position, storage.places[name])
        for position, name in enumerate(graph.outputs)
        if storage.places[name] != Place("output", position)
    ]
    built = tvm.get_global_func("target.build.llvm")(module, target)
    return OneFunction(built, weights, storage.arena_bytes, tuple(copies), graph.weights)


def _phased(func: tirx.PrimFunc) -> Phased:
    # A block that deals its own work out reads and writes between bounds that depend on the chunk: such regions of its
    # buffers have no size for compaction to find.
    blocks = [stmt for stmt in walk(func.body) if isinstance(stmt, s_tir.SBlock) and stmt.name_hint != "root"]
    passes = WHOLE_BUFFERS if any(shares_out(block) for block in blocks) else loop_passes(func)
    return phased(run(passes, split_reductions(func)), ALIGNMENT)


def _name(kernel: int, phase: int) -> str:
    return f"wvv_kernel_{kernel}" + (f"_{phase}" if phase else "")


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
    kernels: Sequence[Phased],
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

    steps = []
    for number, call in enumerate(calls):
        tensors = [pointer(name) for name in (*call.inputs, call.output)]
        scratch, kernel = storage.workspace[number] or 0, kernels[number]
        for place, phase in enumerate(kernel.phases):
            chunk = tirx.Var("chunk", "int32")
            arguments = list(tensors)
            if phase.shared:
                arguments.append(tirx.address_of(arena[scratch]))
            if phase.own:
                first = scratch + kernel.shared_bytes
                arguments.append(
                    tirx.address_of(arena[first + chunk * kernel.own_bytes if phase.chunks > 1 else first])
                )
            if phase.chunks > 1:
                arguments.append(chunk)
            name = _name(groups[number], place)
            steps.append(_Step(chunk, phase.chunks, Evaluate(tirx.call_extern("void", name, *arguments))))
    body = _in_threads(steps) if any(step.chunks > 1 for step in steps) else _sequence([step.call for step in steps])
    return tirx.PrimFunc([*ports[0], *ports[1], weights, arena], body)


@dataclass(frozen=True)
class _Step:
    """A call for each of `chunks`."""

    chunk: tirx.Var
    chunks: int
    call: Stmt


def _in_threads(steps: Sequence[_Step]) -> Stmt:
    """All of it in every thread of the runtime's pool. Chunks are dealt out to them, and they meet after each step.

    The names of attributes are those of TVM's code generator for CPUs (codegen_cpu.cc), which has no others.
    """
    one, loops = tirx.const(1, "int32"), []
    for several, group in groupby(steps, lambda step: step.chunks > 1):
        together = list(group)
        if several:
            loops += [(step.chunk, step.chunks, step.call) for step in together]
        else:
            loops.append((together[0].chunk, 1, _sequence([step.call for step in together])))
    dealt = [For(chunk, 0, chunks, ForKind.PARALLEL, call) for chunk, chunks, call in loops]
    met: list[Stmt] = [AttrStmt(one, "pragma_parallel_barrier_when_finish", one, loop) for loop in dealt[:-1]]
    return AttrStmt(one, "pragma_parallel_launch_point", one, _sequence([*met, dealt[-1]]))


def _sequence(statements: Sequence[Stmt]) -> Stmt:
    return SeqStmt(statements) if len(statements) > 1 else (statements or [Evaluate(tirx.const(0, "int32"))])[0]
