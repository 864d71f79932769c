"""Cook-Toom construction of one-dimensional fast correlation F(m, r): m outputs of an r-tap filter from one tile.

    scale * y = at ((g w) . (bt d)),   y[i] = sum over k of w[k] * d[i + k],   len(d) = m + r - 1

Why it holds: with M(x) the product of (x - p) over the finite points, and M_p = M / (x - p), a polynomial q of degree
below the number of points is  sum over p of q(p) / M_p(p) * M_p(x), plus its leading coefficient times M(x) where
infinity is a point. Let q = x^i w(x) and replace every power x^j by d[j]: the left side becomes y[i], the right side
the bilinear form whose rows of bt are the coefficients of M_p, of g the powers of p over M_p(p), and whose columns of
at are the powers p^i.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tvm_wvv.transforms.matrix import IntMatrix, Number, Row, identity, integers
from tvm_wvv.transforms.points import Infinity, Point, powers


@dataclass(frozen=True)
class Filter:
    """A bilinear algorithm of F(m, r) in integers; `bt`, `g` and `at` as in the papers, g times `scale`."""

    m: int
    r: int
    bt: IntMatrix
    g: IntMatrix
    at: IntMatrix
    scale: int

    @property
    def tile(self) -> int:
        """Inputs of one tile."""
        return self.m + self.r - 1

    @property
    def taps(self) -> int:
        """Products of one tile."""
        return len(self.bt)


def cook_toom(m: int, r: int, points: Sequence[Point]) -> Filter:
    """F(m, r) over m + r - 1 distinct points, with every denominator moved into g and from there into `scale`."""
    if len(points) != m + r - 1:
        raise ValueError(f"F({m}, {r}) takes {m + r - 1} points, got {len(points)}")
    rows = tuple(_cleared(_basis(point, points), powers(point, m), powers(point, r)) for point in points)
    scale = math.lcm(*(Fraction(entry).denominator for _, _, g in rows for entry in g))
    bt = integers(tuple(bt for bt, _, _ in rows))
    at = integers(tuple(zip(*(at for _, at, _ in rows), strict=True)))
    return Filter(m, r, bt, integers(tuple(tuple(entry * scale for entry in g) for _, _, g in rows)), at, scale)


def direct(r: int) -> Filter:
    """F(1, r) by definition: r products. The other axis of an algorithm that is fast along one axis only."""
    return Filter(1, r, identity(r), identity(r), ((1,) * r,), 1)


def _basis(point: Point, points: Sequence[Point]) -> Row:
    """Coefficients of M_p / M_p(p), lowest power first, as long as the tile; of M itself at infinity."""
    roots = [other for other in points if not isinstance(other, Infinity) and other != point]
    coefficients: Row = (Fraction(1),)
    for root in roots:
        shifted, kept = (Fraction(0), *coefficients), (*coefficients, Fraction(0))
        coefficients = tuple(high - root * low for high, low in zip(shifted, kept, strict=True))
    at_point = Fraction(1)
    if not isinstance(point, Infinity):
        at_point = math.prod((point - root for root in roots), start=at_point)
    return tuple(entry / at_point for entry in coefficients) + (Fraction(0),) * (len(points) - len(coefficients))


def _cleared(bt: Row, at: Row, g: Row) -> tuple[Row, Row, Row]:
    """The same product with `bt` and `at` whole numbers without a common factor; what they lost is paid back in `g`.

    The sign goes to bt, so that g begins with a positive entry as in the papers.
    """
    bt_content, at_content = _content(bt), _content(at)
    return _over(bt, bt_content), _over(at, at_content), tuple(entry * bt_content * at_content for entry in g)


def _content(row: Row) -> Fraction:
    """The greatest positive rational of which every entry is a whole multiple."""
    fractions = [Fraction(entry) for entry in row]
    denominator = math.lcm(*(entry.denominator for entry in fractions))
    return Fraction(math.gcd(*(int(entry * denominator) for entry in fractions)), denominator)


def _over(row: Row, divisor: Number) -> Row:
    return tuple(entry / Fraction(divisor) for entry in row)
