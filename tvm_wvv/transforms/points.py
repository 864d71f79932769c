"""Interpolation points: where Cook-Toom evaluates polynomials.

A point is a rational number, infinity, or a conjugate pair of complex numbers. Evaluation at infinity means taking the
leading coefficient. Each point stands for one factor of the modulus: of degree one, or two for a pair, which is written
as either of its numbers.
"""

from __future__ import annotations

from enum import Enum
from fractions import Fraction

from tvm_wvv.transforms.matrix import Number
from tvm_wvv.transforms.quadratic import Quadratic, Scalar


class Infinity(Enum):
    """The point at infinity, as a type of one value so that `match` and type checkers tell it from numbers."""

    INFINITY = "inf"

    def __str__(self) -> str:
        return self.value


INFINITY = Infinity.INFINITY
Point = Fraction | Infinity | Quadratic


def points(*values: Number | str | Infinity | Quadratic) -> tuple[Point, ...]:
    """Points from integers, fractions, texts such as "1/2", INFINITY, and one number of each conjugate pair.

    ValueError where one occurs twice.
    """
    found = tuple(value if isinstance(value, Infinity | Quadratic) else Fraction(value) for value in values)
    for point in found:
        if isinstance(point, Quadratic) and point.b == 0:
            raise ValueError(f"{point.a} is its own conjugate: no pair")
    if len({factor(point) for point in found}) != len(found):
        raise ValueError(f"points are not distinct: {', '.join(map(str, found))}")
    return found


def factor(point: Point) -> tuple[Number, ...]:
    """The point's factor of the modulus: coefficients, lowest power first. Infinity has none to give, and gives 1."""
    match point:
        case Infinity():
            return (Fraction(1),)
        case Quadratic():
            return (point.norm, -point.trace, Fraction(1))
        case _:
            return (-point, Fraction(1))


def degree(point: Point) -> int:
    """How many of the points that a tile needs this one is."""
    return 2 if isinstance(point, Quadratic) else 1


def powers(point: Point, count: int) -> tuple[Scalar, ...]:
    """The values at `point` of 1, x, x^2, ..., `count` of them: coefficients times these give a polynomial's value."""
    if isinstance(point, Infinity):
        return (0,) * (count - 1) + (1,)
    found: list[Scalar] = [Fraction(1)]
    for _ in range(count - 1):
        found.append(found[-1] * point)
    return tuple(found)
