"""Small exact matrices: tuples of rows of integers or fractions. Nothing here rounds."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce

Number = int | Fraction
Row = tuple[Number, ...]
Matrix = tuple[Row, ...]
IntMatrix = tuple[tuple[int, ...], ...]


def identity(size: int) -> IntMatrix:
    """Ones on the diagonal, zeros elsewhere."""
    return tuple(tuple(int(row == column) for column in range(size)) for row in range(size))


def multiply(left: Sequence[Sequence[Number]], right: Sequence[Sequence[Number]]) -> Matrix:
    """The matrix product."""
    columns = tuple(zip(*right, strict=True))
    return tuple(tuple(sum((a * b for a, b in zip(row, col, strict=True)), 0) for col in columns) for row in left)


def kronecker(left: Sequence[Sequence[Number]], right: Sequence[Sequence[Number]]) -> Matrix:
    """The tensor product: entry ((i, j), (k, l)) is left[i][k] * right[j][l], pairs laid out row-major."""
    return tuple(tuple(a * b for a in left_row for b in right_row) for left_row in left for right_row in right)


def chain(factors: Sequence[Sequence[Sequence[Number]]]) -> Matrix:
    """One matrix that does what `factors` do one after the other, the first of them first."""
    return reduce(lambda done, factor: multiply(factor, done), factors[1:], tuple(tuple(row) for row in factors[0]))


def integers(matrix: Sequence[Sequence[Number]]) -> IntMatrix:
    """The same matrix with plain ints as entries; ValueError where an entry is no whole number."""
    for row in matrix:
        for entry in row:
            if Fraction(entry).denominator != 1:
                raise ValueError(f"matrix entry {entry} is not a whole number")
    return tuple(tuple(int(entry) for entry in row) for row in matrix)
