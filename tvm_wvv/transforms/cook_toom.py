"""Cook-Toom construction of one-dimensional fast correlation F(m, r): m outputs of an r-tap filter from one tile
(numerics.md, N4).

    scale * y = at ((g w) . (bt d)),   y[i] = sum over k of w[k] * d[i + k],   len(d) = m + r - 1

Why it holds: with M(x) the product of (x - p) over the finite points, and M_p = M / (x - p), a polynomial q of degree
below the number of points is  sum over p of q(p) / M_p(p) * M_p(x), plus its leading coefficient times M(x) where
infinity is a point. Let q = x^i w(x) and replace every power x^j by d[j]: the left side becomes y[i], the right side
the bilinear form whose rows of bt are the coefficients of M_p, of g the powers of p over M_p(p), and whose columns of
at are the powers p^i.

A conjugate pair p, p' has conjugate summands, so that one of them is enough: together they are the trace (the sum over
conjugates) of p^i P, where P is the product of the complex numbers (g w)(p) and (bt d)(p). Every complex entry stands
as two real ones, its coordinates for 1 and theta: two rows in bt and in g, two columns in at. Since the trace is
linear, y[i] gets  sum over e of at[i][e] * trace(theta^e P)  for e = 0, 1.

Factors: bt and at are divided by their content (what all their entries have in common, a fraction where there are
denominators), the coordinates of a pair together. g pays it back, and what makes g whole is `scale`. Of the whole
number that the rows of one point then have in common, a power of two near its root goes back into at: taps whose
weights and products lie closer together round better where they share a scale, and a shift costs no addition.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tvm_wvv.transforms.matrix import IntMatrix, Matrix, identity, integers
from tvm_wvv.transforms.points import Infinity, Point, degree, factor, powers
from tvm_wvv.transforms.quadratic import Field, Quadratic, Scalar, coordinates, inverse


@dataclass(frozen=True)
class Pair:
    """Rows `place` and `place` + 1 of bt and g, and these columns of at, are coordinates in `field`."""

    place: int
    field: Field


@dataclass(frozen=True)
class Filter:
    """A bilinear algorithm of F(m, r) in integers; `bt`, `g` and `at` as in the papers, g times `scale`."""

    m: int
    r: int
    bt: IntMatrix
    g: IntMatrix
    at: IntMatrix
    scale: int
    pairs: tuple[Pair, ...] = ()

    @property
    def tile(self) -> int:
        """Inputs of one tile."""
        return self.m + self.r - 1


def cook_toom(m: int, r: int, points: Sequence[Point]) -> Filter:
    """F(m, r) over m + r - 1 distinct points, pairs counted twice, with every denominator moved into g and `scale`."""
    count = sum(map(degree, points))
    if count != m + r - 1:
        raise ValueError(f"F({m}, {r}) takes {m + r - 1} points, got {count}")
    found = [_at_point(point, points, (m, r)) for point in points]
    scale = math.lcm(*(Fraction(entry).denominator for one in found for row in one.g for entry in row))
    found = [_balanced(one, scale) for one in found]
    return Filter(
        m,
        r,
        bt=integers(tuple(row for one in found for row in one.bt)),
        g=integers(tuple(row for one in found for row in one.g)),
        at=integers(tuple(zip(*(column for one in found for column in one.at), strict=True))),
        scale=scale,
        pairs=_pairs(points),
    )


def direct(r: int) -> Filter:
    """F(1, r) by definition: r products. The other axis of an algorithm that is fast along one axis only."""
    return Filter(1, r, identity(r), identity(r), ((1,) * r,), 1)


@dataclass(frozen=True)
class _Rows:
    """What belongs to one point: rows of bt, columns of at, rows of g; one each, or two for a pair."""

    bt: Matrix
    at: Matrix
    g: Matrix


def _at_point(point: Point, points: Sequence[Point], sizes: tuple[int, int]) -> _Rows:
    basis, divisor = _basis(point, points)
    bt = basis + (Fraction(0),) * (sum(sizes) - 1 - len(basis))
    at, g = powers(point, sizes[0]), _times(powers(point, sizes[1]), divisor)
    if not isinstance(divisor, Quadratic) and divisor < 0:
        # The sign goes to bt, so that g begins with a positive entry as in the papers.
        bt, g = _times(bt, -1), _times(g, -1)
    bt_content, at_content = _content(bt), _content(at)
    cleared = _times(bt, 1 / bt_content), _times(at, 1 / at_content), _times(g, bt_content * at_content)
    parts = 2 if isinstance(point, Quadratic) else 1
    return _Rows(*(tuple(tuple(coordinates(entry)[k] for entry in row) for k in range(parts)) for row in cleared))


def _balanced(rows: _Rows, scale: int) -> _Rows:
    """g times `scale`, less what at takes of it."""
    common = math.gcd(*(int(entry * scale) for row in rows.g for entry in row))
    powers_of_two = (1 << k for k in range(math.isqrt(common).bit_length()))
    taken = max(power for power in powers_of_two if common % power == 0)
    return _Rows(rows.bt, _scaled(rows.at, Fraction(taken)), _scaled(rows.g, Fraction(scale, taken)))


def _scaled(rows: Matrix, number: Fraction) -> Matrix:
    return tuple(tuple(entry * number for entry in row) for row in rows)


def _pairs(points: Sequence[Point]) -> tuple[Pair, ...]:
    place, found = 0, []
    for point in points:
        if isinstance(point, Quadratic):
            found.append(Pair(place, point.field))
        place += degree(point)
    return tuple(found)


def _basis(point: Point, points: Sequence[Point]) -> tuple[tuple[Scalar, ...], Scalar]:
    """Coefficients of M_p, lowest power first, and 1 / M_p(p); of M itself, and 1, at infinity."""
    coefficients: tuple[Scalar, ...] = (Fraction(1),)
    for other in points:
        if other != point:
            coefficients = _product(coefficients, factor(other))
    if isinstance(point, Infinity):
        return coefficients, Fraction(1)
    if isinstance(point, Quadratic):
        coefficients = _product(coefficients, (-point.conjugate, Fraction(1)))
    at_point = zip(coefficients, powers(point, len(coefficients)), strict=True)
    return coefficients, inverse(_sum(coefficient * power for coefficient, power in at_point))


def _product(left: Sequence[Scalar], right: Sequence[Scalar]) -> tuple[Scalar, ...]:
    """The product of two polynomials."""
    places = range(len(left) + len(right) - 1)
    return tuple(_sum(a * right[k - i] for i, a in enumerate(left) if 0 <= k - i < len(right)) for k in places)


def _sum(numbers: Iterable[Scalar]) -> Scalar:
    total: Scalar = Fraction(0)
    for number in numbers:
        total = total + number
    return total


def _times(row: Sequence[Scalar], number: Scalar) -> tuple[Scalar, ...]:
    return tuple(entry * number for entry in row)


def _content(row: Sequence[Scalar]) -> Fraction:
    """The greatest positive rational of which every coordinate is a whole multiple."""
    parts = [Fraction(part) for entry in row for part in coordinates(entry)]
    denominator = math.lcm(*(part.denominator for part in parts))
    return Fraction(math.gcd(*(int(part * denominator) for part in parts)), denominator)
