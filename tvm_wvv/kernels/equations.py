"""Which equations of docs/numerics.md each block of a kernel computes, so that emitted C can be traced to them.

Blocks keep their names through every schedule, but for suffixes that TVM adds where it cuts one in two. Blocks that
move bytes and compute nothing have no entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_LAST = ("N17", "N20")
_SOFTMAX = ("peak", "total", "headroom", "half", "newton0", "newton1", "newton2", "newton3", "softmax")

EQUATIONS: Mapping[str, tuple[str, ...]] = {
    "pad": ("N2",),
    "conv": ("N2",),
    "depthwise": ("N2",),
    "dense": ("N2",),
    # The merged kernel of a layer that rounds V does so in this block.
    "input_transform": ("N6", "N8"),
    "requantize_input": ("N8",),
    "tile_product": ("N9",),
    "requantize_products": ("N10",),
    "output_transform": ("N11",),
    "requantize": _LAST,
    "relu": _LAST,
    "mul": _LAST,
    "clip": ("N20",),
    "clamp": ("N20",),
    "add": ("N21",),
    "pool": ("N22",),
    "average": ("N22",),
    "sum": ("N23",),
    **dict.fromkeys(_SOFTMAX, ("N24",)),
    "quantize": ("N25",),
    "dequantize": ("N25",),
}
_SUFFIXES = ("_init", "_update")


def citation(blocks: Iterable[str]) -> str | None:
    """`pad: N2; tile_product: N9; ...` for a kernel's blocks in order; None where no block is known."""
    known = [name for name in dict.fromkeys(map(_plain, blocks)) if name in EQUATIONS]
    groups: list[tuple[tuple[str, ...], list[str]]] = []
    for name in known:
        if groups and groups[-1][0] == EQUATIONS[name]:
            groups[-1][1].append(name)
        else:
            groups.append((EQUATIONS[name], [name]))
    return "; ".join(f"{', '.join(names)}: {', '.join(numbers)}" for numbers, names in groups) or None


def _plain(name: str) -> str:
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name
