"""Place tensors in one arena: each gets an offset for as long as it lives, and tensors alive together never overlap.

Takes:  sizes and lifetimes (call numbers, both ends inclusive).
Gives:  aligned offsets and the arena's size, the best of several greedy orders; the same answer every time.
Pure arithmetic: whether two tensors may share storage (`merge`) is the caller's knowledge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

# Wide enough for any load of a Cortex-M (LDRD, MVE's 128-bit VLDR) and for SSE on the host.
ALIGNMENT = 16

# Rounds of "what ended highest goes first"; more gave nothing on the MLPerf Tiny networks.
_REPAIR_ROUNDS = 32


@dataclass(frozen=True)
class Tensor:
    """`bytes` that must stay untouched from call `first_use` through call `last_use`."""

    name: str
    bytes: int
    first_use: int
    last_use: int

    def lives_with(self, other: Tensor) -> bool:
        return self.first_use <= other.last_use and other.first_use <= self.last_use


@dataclass(frozen=True)
class Plan:
    """Offset of each tensor by name, and the bytes of the whole arena."""

    offsets: Mapping[str, int]
    total_bytes: int


def align(size: int, alignment: int = ALIGNMENT) -> int:
    """`size` rounded up."""
    return -(-size // alignment) * alignment


def lower_bound(tensors: Sequence[Tensor], alignment: int = ALIGNMENT) -> int:
    """No plan can be smaller: the most bytes that are alive at one call."""
    calls = sorted({t.first_use for t in tensors})
    return max((_live_bytes(tensors, call, alignment) for call in calls), default=0)


def pack(tensors: Sequence[Tensor], alignment: int = ALIGNMENT) -> Plan:
    """The smallest plan of the greedy orders; ties go to the earlier order, so the answer never varies."""
    best = Plan({}, 0)
    goal = lower_bound(tensors, alignment)
    for number, order in enumerate(_orders(tensors, alignment)):
        plan = _repaired(order, goal, alignment)
        if number == 0 or plan.total_bytes < best.total_bytes:
            best = plan
        if best.total_bytes == goal:
            break
    return best


def merge(tensors: Sequence[Tensor], pairs: Sequence[tuple[str, str]]) -> tuple[tuple[Tensor, ...], Mapping[str, str]]:
    """Give `old` and `new` of each pair one storage where that is safe: equal size, and `old` dies where `new` is born.

    Returns the remaining tensors, and for each tensor that lost its own storage the name of the one that holds it.
    """
    kept = {t.name: t for t in tensors}
    holder: dict[str, str] = {}
    for old_name, new_name in pairs:
        root = holder.get(old_name, old_name)
        old, new = kept.get(root), kept.get(new_name)
        if old is None or new is None or old is new:
            continue
        if old.bytes == new.bytes and old.last_use == new.first_use:
            kept[root] = replace(old, last_use=new.last_use)
            del kept[new_name]
            holder[new_name] = root
    return tuple(kept.values()), holder


def _live_bytes(tensors: Sequence[Tensor], call: int, alignment: int) -> int:
    return sum(align(t.bytes, alignment) for t in tensors if t.first_use <= call <= t.last_use)


def _orders(tensors: Sequence[Tensor], alignment: int) -> list[list[Tensor]]:
    """Greedy orders: largest first, largest area first, by birth, and by the most crowded call first."""

    def crowd(t: Tensor) -> int:
        return max(_live_bytes(tensors, call, alignment) for call in range(t.first_use, t.last_use + 1))

    crowds = {t.name: crowd(t) for t in tensors}
    return [
        sorted(tensors, key=lambda t: (-t.bytes, t.first_use, t.name)),
        sorted(tensors, key=lambda t: (-t.bytes * (t.last_use - t.first_use + 1), t.first_use, t.name)),
        sorted(tensors, key=lambda t: (-crowds[t.name], -t.bytes, t.first_use, t.name)),
        sorted(tensors, key=lambda t: (t.first_use, -t.last_use, -t.bytes, t.name)),
    ]


def _repaired(order: list[Tensor], goal: int, alignment: int) -> Plan:
    """Place in order; then let the tensor that ended highest go first, again and again, and keep the best plan."""
    best = _place(order, alignment)
    for _ in range(_REPAIR_ROUNDS):
        if best.total_bytes == goal:
            break
        plan = _place(order, alignment)
        if plan.total_bytes < best.total_bytes:
            best = plan
        top = max(order, key=lambda t: (plan.offsets[t.name] + t.bytes, t.name))
        order = [top, *(t for t in order if t is not top)]
    return best


def _place(order: Sequence[Tensor], alignment: int) -> Plan:
    """First fit: the lowest aligned gap among the tensors placed before that live at the same time."""
    offsets: dict[str, int] = {}
    placed: list[Tensor] = []
    for tensor in order:
        offset = 0
        neighbours = (other for other in placed if other.lives_with(tensor))
        for other in sorted(neighbours, key=lambda t: offsets[t.name]):
            if offset + tensor.bytes <= offsets[other.name]:
                break
            offset = max(offset, align(offsets[other.name] + other.bytes, alignment))
        offsets[tensor.name] = offset
        placed.append(tensor)
    total = max((align(offsets[t.name] + t.bytes, alignment) for t in order), default=0)
    return Plan(offsets, total)
