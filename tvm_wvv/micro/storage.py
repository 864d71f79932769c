"""Where each tensor of a graph lives: in the caller's buffers, among the weights, or at an offset of the arena.

Takes:  a `Graph`, the scratch bytes of each of its calls, and the inputs that each call may overwrite.
Gives:  a place for every tensor and for every call's scratch, and what is alive at each call.
The caller's inputs are never overwritten, and a network output is written where the caller wants it at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tvm_wvv.micro.graph import Call, Graph
from tvm_wvv.plan.memory import ALIGNMENT, Tensor, merge, pack


@dataclass(frozen=True)
class Place:
    """`number` is a position among the inputs or outputs, or an offset in the arena; a weight has a name."""

    region: Literal["input", "output", "weight", "arena"]
    number: int = 0
    name: str = ""


@dataclass(frozen=True)
class Use:
    """Bytes of the arena that are alive during one call; `workspace` counts what only this layer sees."""

    layer: str
    inputs: int
    workspace: int
    outputs: int

    @property
    def total(self) -> int:
        return self.inputs + self.workspace + self.outputs


@dataclass(frozen=True)
class Storage:
    """`workspace[k]` is the offset of call k's scratch; `in_place` has the numbers of the calls that overwrite."""

    places: Mapping[str, Place]
    workspace: tuple[int | None, ...]
    in_place: frozenset[int]
    uses: tuple[Use, ...]
    arena_bytes: int


def assign(
    graph: Graph, workspaces: Sequence[int], overwritable: Sequence[tuple[int, ...]], alignment: int = ALIGNMENT
) -> Storage:
    """Place everything; `workspaces` and `overwritable` have one entry a call."""
    calls = tuple(step for step in graph.steps if isinstance(step, Call))
    fixed = _fixed_places(graph, calls)
    tensors = _lifetimes(graph, calls, fixed)
    pairs = [(call.inputs[p], call.output) for call, ps in zip(calls, overwritable, strict=True) for p in ps]
    own, holder = merge(tensors, pairs)
    scratch = [Tensor(f"workspace:{k}", size, k, k) for k, size in enumerate(workspaces) if size]
    plan = pack([*own, *scratch], alignment)
    arena = {t.name: Place("arena", plan.offsets[holder.get(t.name, t.name)]) for t in tensors}
    in_place = frozenset(
        k
        for k, call in enumerate(calls)
        if call.output in holder and holder[call.output] in {holder.get(name, name) for name in call.inputs}
    )
    uses = _uses(calls, workspaces, tensors, holder)
    offsets = tuple(plan.offsets.get(f"workspace:{k}") for k in range(len(calls)))
    return Storage({**fixed, **arena}, offsets, in_place, uses, plan.total_bytes)


def _fixed_places(graph: Graph, calls: Sequence[Call]) -> dict[str, Place]:
    """Inputs, weights, and each output that a call makes, at its first position if the network returns it twice."""
    places = {name: Place("input", i) for i, name in enumerate(graph.inputs)}
    places |= {name: Place("weight", name=name) for name in graph.weights}
    made = {call.output for call in calls}
    for position, name in reversed(list(enumerate(graph.outputs))):
        if name in made:
            places[name] = Place("output", position)
    return places


def _lifetimes(graph: Graph, calls: Sequence[Call], fixed: Mapping[str, Place]) -> list[Tensor]:
    last = {name: k for k, call in enumerate(calls) for name in (call.output, *call.inputs)}
    return [
        Tensor(c.output, graph.bytes[c.output], k, last[c.output]) for k, c in enumerate(calls) if c.output not in fixed
    ]


def _uses(
    calls: Sequence[Call], workspaces: Sequence[int], tensors: Sequence[Tensor], holder: Mapping[str, str]
) -> tuple[Use, ...]:
    """What is alive at each call. Of tensors that share storage, the one born last counts."""
    born_in = {call.output: call.layer for call in calls}
    inner = _inner(calls)
    uses = []
    for k, call in enumerate(calls):
        live = {holder.get(t.name, t.name): t for t in tensors if t.first_use <= k <= t.last_use}
        mine = [t for t in live.values() if born_in[t.name] == call.layer]
        inside = sum(t.bytes for t in mine if t.name in inner)
        made = sum(t.bytes for t in mine if t.name not in inner)
        total = sum(t.bytes for t in live.values())
        uses.append(Use(call.layer, total - inside - made, inside + workspaces[k], made))
    return tuple(uses)


def _inner(calls: Sequence[Call]) -> set[str]:
    """Tensors between the stages of one layer: read at least once, and only by calls of the layer that made them."""
    layers: dict[str, set[str]] = {}
    for call in calls:
        for name in call.inputs:
            layers.setdefault(name, set()).add(call.layer)
    return {call.output for call in calls if layers.get(call.output) == {call.layer}}
