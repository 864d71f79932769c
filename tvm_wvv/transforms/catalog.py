"""The algorithms by name, and the arithmetics each of them may run in.

Kernels are 3x3 throughout. Beside each name stand the real products of a tile and how many fewer these are than in
direct convolution; additions of the transforms stand in tests/transforms/test_straight_line.py.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import lru_cache

from tvm_wvv.errors import WvvError
from tvm_wvv.transforms.bilinear import Algorithm, tensor
from tvm_wvv.transforms.cook_toom import Filter, cook_toom, direct
from tvm_wvv.transforms.learned import Transforms, read_spelled
from tvm_wvv.transforms.points import INFINITY, points
from tvm_wvv.transforms.quadratic import IMAGINARY_UNIT, SIXTH_ROOT

_F2 = cook_toom(2, 3, points(0, 1, -1, INFINITY))
_F4 = cook_toom(4, 3, points(0, 1, -1, 2, -2, INFINITY))
_F4_HALF = cook_toom(4, 3, points(0, 1, -1, "1/2", -2, INFINITY))
_F4_COMPLEX = cook_toom(4, 3, points(0, 1, -1, INFINITY, IMAGINARY_UNIT))
_F6 = cook_toom(6, 3, points(0, 1, -1, 2, -2, "1/2", "-1/2", INFINITY))
# All six sixth roots of unity: +-1, and two pairs.
_F6_COMPLEX = cook_toom(6, 3, points(0, 1, -1, INFINITY, SIXTH_ROOT, SIXTH_ROOT * SIXTH_ROOT))


def _both(name: str, axis: Filter) -> Algorithm:
    """The same along height and width."""
    return tensor(name, axis, axis)


def _along_width(name: str, axis: Filter) -> Algorithm:
    """Fast along the width, direct along the height: fewer savings, narrower numbers, tiles one row high."""
    return tensor(name, direct(3), axis)


F2 = _both("f2", _F2)  # 16, 2.25 times
F4 = _both("f4", _F4)  # 36, 4 times
F4C = _both("f4c", _F4_COMPLEX)  # 46, 3.13 times; transforms need additions only
F4H = _both("f4h", _F4_HALF)  # 36, 4 times; less spread between taps than f4
F6 = _both("f6", _F6)  # 64, 5.06 times
F6C = _both("f6c", _F6_COMPLEX)  # 88, 3.68 times; transforms need additions only
F2X1 = _along_width("f2x1", _F2)  # 12, 1.5 times
F4X1 = _along_width("f4x1", _F4)  # 18, 2 times

ALGORITHMS: dict[str, Algorithm] = {one.name: one for one in (F2, F4, F4C, F4H, F6, F6C, F2X1, F4X1)}

# exact: int16 operands, sums modulo 2^32, the same bytes as direct convolution. Offered where the operands of all int8
#        weights and inputs fit; that a layer's sums are told apart is proved when the layer is known.
# int16: int16 inputs, weights as wide as the sums allow.
# int8:  8 bits in every stage.
# The first arithmetic is what a bare name means.
_QUANTIZED = ("int16", "int8")
_EXACT = (F2, F4, F4C, F6C, F2X1, F4X1)
ARITHMETICS: dict[str, tuple[str, ...]] = {
    name: ("exact", *_QUANTIZED) if one in _EXACT else _QUANTIZED for name, one in ALGORITHMS.items()
}
# Those whose matrices can be learned, with what they do along either axis.
_LEARNABLE: dict[str, Filter] = {F2.name: _F2, F4.name: _F4, F4H.name: _F4_HALF, F6.name: _F6}
_LEARNED_KEPT = 256  # a network of any depth; making one takes much longer than finding it


@dataclass(frozen=True)
class Variant:
    """An algorithm in one arithmetic, written `f2:exact`."""

    algorithm: Algorithm
    arithmetic: str

    def __str__(self) -> str:
        return f"{self.algorithm.name}:{self.arithmetic}"

    @property
    def spelled(self) -> str:
        """Text that has all of it, for `read_variant`: a learned algorithm's matrices too."""
        learned = self.algorithm.learned
        return str(self) if learned is None else f"{learned.spelled()}:{self.arithmetic}"


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


def read_variant(spelled: str) -> Variant:
    """The variant that was spelled like this."""
    if "(" not in spelled:
        return variant(spelled)
    text, _, arithmetic = spelled.rpartition(":")
    return Variant(learned(read_spelled(text)), arithmetic)


def axis_of(name: str) -> Filter:
    """What the algorithm does along either axis; WvvError with the reason where its matrices cannot be learned."""
    algorithm = by_name(name)
    if name in _LEARNABLE:
        return _LEARNABLE[name]
    if algorithm.m[0] != algorithm.m[1]:
        raise WvvError(f"{name} is fast along the width only: learned transforms are the same along both axes")
    raise WvvError(
        f"{name} has complex points, whose three products tie the rows of its matrices to each other: no learned "
        f"transforms; known with them: {', '.join(_LEARNABLE)}"
    )


@lru_cache(_LEARNED_KEPT)
def learned(transforms: Transforms) -> Algorithm:
    """The algorithm with these matrices."""
    axis, name = axis_of(transforms.base), transforms.name
    own = replace(
        axis,
        bt=transforms.input.codes,
        g=transforms.weight.codes,
        at=transforms.output.codes,
        scale=axis.scale * transforms.denominator,
    )
    return replace(tensor(name, own, own), learned=transforms)


def suggestion(wrong: str, known: tuple[str, ...]) -> str:
    """The end of a message about an unknown name: the nearest known one, then all of them."""
    near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{hint} (known: {', '.join(known)})" if near else f"; known: {', '.join(known)}"
