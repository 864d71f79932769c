"""The algorithms by name, and the arithmetics each of them may run in."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from tvm_wvv.errors import WvvError
from tvm_wvv.transforms.bilinear import Algorithm, tensor
from tvm_wvv.transforms.cook_toom import cook_toom
from tvm_wvv.transforms.points import INFINITY, points

_F2_3 = cook_toom(2, 3, points(0, 1, -1, INFINITY))

# 16 products for 4 outputs: 2.25 times fewer than direct.
F2 = tensor("f2", _F2_3, _F2_3)

ALGORITHMS: dict[str, Algorithm] = {algorithm.name: algorithm for algorithm in (F2,)}

# int16 operands, int32 sums, the same bytes as direct convolution; the first arithmetic is what a bare name means.
ARITHMETICS: dict[str, tuple[str, ...]] = {"f2": ("exact",)}


@dataclass(frozen=True)
class Variant:
    """An algorithm in one arithmetic, written `f2:exact`."""

    algorithm: Algorithm
    arithmetic: str

    def __str__(self) -> str:
        return f"{self.algorithm.name}:{self.arithmetic}"


def by_name(name: str) -> Algorithm:
    """The algorithm called `name`."""
    if name not in ALGORITHMS:
        raise WvvError(f"no algorithm {name!r}{suggestion(name, tuple(ALGORITHMS))}")
    return ALGORITHMS[name]


def variant(text: str) -> Variant:
    """`f2:exact`, or `f2` for its first arithmetic."""
    name, colon, arithmetic = text.partition(":")
    algorithm = by_name(name)
    known = ARITHMETICS[name]
    if colon and arithmetic not in known:
        raise WvvError(f"{name} has no arithmetic {arithmetic!r}{suggestion(arithmetic, known)}")
    return Variant(algorithm, arithmetic if colon else known[0])


def suggestion(wrong: str, known: tuple[str, ...]) -> str:
    """The end of a message about an unknown name: the nearest known one, then all of them."""
    near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{hint} (known: {', '.join(known)})" if near else f"; known: {', '.join(known)}"
