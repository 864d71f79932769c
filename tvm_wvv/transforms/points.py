"""Interpolation points: where Cook-Toom evaluates polynomials.

A point is a rational number or infinity. Evaluation at infinity means taking the leading coefficient. Each point stands
for one factor of the modulus and gives one product; a conjugate pair would be a factor of degree two.
"""

from __future__ import annotations

from enum import Enum
from fractions import Fraction

from tvm_wvv.transforms.matrix import Number


class Infinity(Enum):
    """The point at infinity, as a type of one value so that `match` and type checkers tell it from numbers."""

    INFINITY = "inf"

    def __str__(self) -> str:
        return self.value


INFINITY = Infinity.INFINITY
Point = Fraction | Infinity


def points(*values: Number | str | Infinity) -> tuple[Point, ...]:
    """Points from integers, fractions, texts such as "1/2", and INFINITY; ValueError where one occurs twice."""
    found = tuple(value if isinstance(value, Infinity) else Fraction(value) for value in values)
    if len(set(found)) != len(found):
        raise ValueError(f"points are not distinct: {', '.join(map(str, found))}")
    return found


def powers(point: Point, count: int) -> tuple[Number, ...]:
    """The values at `point` of 1, x, x^2, ..., `count` of them: coefficients times these give a polynomial's value."""
    if isinstance(point, Infinity):
        return (0,) * (count - 1) + (1,)
    return tuple(point**exponent for exponent in range(count))
