"""Two axes with conjugate pairs of points, as real products: the tensor product of two filters, taken apart.

A filter's real parts belong to real points (one part) or to pairs (two parts: coordinates for 1 and theta). The tensor
product of two axes therefore holds, for a point of each,

    real x real     one real number
    real x pair     one complex number; its conjugate belongs to the conjugate point and need not be computed
    pair x pair     two complex numbers, at (p, q) and (p, conjugate of q); the other two are their conjugates

Each number is a combination  sum over parts k of e[k] * x[k]  with e[k] in the field, and the same e leads back to the
outputs: at of both axes applied to  Q[k] = trace(e[k] P), P being the number's product. Three real multiplications make
a complex product. There are several such forms; they are equally exact, but round unequally well on few bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tvm_wvv.transforms.cook_toom import Filter
from tvm_wvv.transforms.matrix import IntMatrix, Matrix, integers
from tvm_wvv.transforms.quadratic import Field, Scalar, coordinates, trace


@dataclass(frozen=True)
class ThreeProducts:
    """(a + b theta)(c + d theta) = results . ((inputs (a, b)) . (weights (c, d))), elementwise in the middle
    (numerics.md, N5).
    """

    inputs: IntMatrix
    weights: IntMatrix
    results: IntMatrix


_ONE = ThreeProducts(((1,),), ((1,),), ((1,),))
_PARTS_ALONG_ONE_AXIS = 2


@dataclass(frozen=True)
class RealProducts:
    """For parts x[k] of the input, u[k] of the weights, k running over both axes' parts row-major:

    V = inputs x,  U = weights u,  Q = gather (U . V)

    Each is two factors, the first of them first: numbers, then operands; the numbers' products, then their traces.
    """

    inputs: tuple[IntMatrix, IntMatrix]
    weights: tuple[IntMatrix, IntMatrix]
    gather: tuple[IntMatrix, IntMatrix]


def three_products(field: Field, along_one_axis: bool = False) -> ThreeProducts:
    """Where theta is purely imaginary, one addition less: c (a + b), a (d - c), b (c + norm d).

    Of a number that is complex `along_one_axis` only: d (a - norm b), a (c - d), b (c + norm d). The product that both
    results share then rounds less. Of the weights (w0, w1, w2) at i, c is w0 - w2 and d is w1 alone; of an image, which
    is smooth, a and b are differences that resemble each other, and their difference is smaller than their sum.
    """
    inputs = ((1, 1), (1, 0), (0, 1))
    if field.trace == 0 and along_one_axis:
        inputs = ((1, -field.norm), *inputs[1:])
        return ThreeProducts(inputs, ((0, 1), (1, -1), (1, field.norm)), ((1, 1, 0), (1, 0, 1)))
    if field.trace == 0:
        return ThreeProducts(inputs, ((1, 0), (-1, 1), (1, field.norm)), ((1, 0, -1), (1, 1, 0)))
    # (a + b)(c + d), a c, b d; theta^2 brings b d back as -norm + trace * theta.
    return ThreeProducts(inputs, ((1, 1), (1, 0), (0, 1)), ((0, 1, -field.norm), (1, -1, field.trace - 1)))


def real_products(rows: Filter, columns: Filter) -> RealProducts:
    """Of all numbers of `rows` (x) `columns`, the real ones first."""
    values = sorted(_values(rows, columns), key=lambda value: value.field is not None)
    size = len(rows.bt) * len(columns.bt)
    products = [value.products for value in values]
    numbers = integers([row for value in values for row in _coordinates(value, size)])
    traces = integers(tuple(zip(*(row for value in values for row in _traces(value, size)), strict=True)))
    return RealProducts(
        inputs=(numbers, _diagonal([one.inputs for one in products])),
        weights=(numbers, _diagonal([one.weights for one in products])),
        gather=(_diagonal([one.results for one in products]), traces),
    )


@dataclass(frozen=True)
class _Value:
    """A number of the tensor product: its field, None where it is real, and e by part."""

    field: Field | None
    e: dict[int, Scalar]

    @property
    def products(self) -> ThreeProducts:
        """How its product with another of its kind is made."""
        return _ONE if self.field is None else three_products(self.field, len(self.e) == _PARTS_ALONG_ONE_AXIS)


def _values(rows: Filter, columns: Filter) -> Iterator[_Value]:
    width = len(columns.bt)
    for row, row_field in _slots(rows):
        for column, column_field in _slots(columns):
            first = row * width + column
            match row_field, column_field:
                case None, None:
                    yield _Value(None, {first: 1})
                case Field() as field, None:
                    yield _Value(field, {first: 1, first + width: field.theta})
                case None, Field() as field:
                    yield _Value(field, {first: 1, first + 1: field.theta})
                case Field() as field, Field() as other:
                    if field != other:
                        raise ValueError(f"pairs of {field} along the height and {other} along the width do not mix")
                    theta, places = field.theta, (first, first + 1, first + width, first + width + 1)
                    for along in (theta, theta.conjugate):
                        yield _Value(field, dict(zip(places, (1, along, theta, theta * along), strict=True)))


def _slots(one: Filter) -> Iterator[tuple[int, Field | None]]:
    """First part and field of each point."""
    fields = {pair.place: pair.field for pair in one.pairs}
    seconds = {pair.place + 1 for pair in one.pairs}
    yield from ((place, fields.get(place)) for place in range(len(one.bt)) if place not in seconds)


def _coordinates(value: _Value, size: int) -> Matrix:
    """Rows that give the number, or its coordinates, from the parts."""
    rows = tuple(zip(*(coordinates(value.e.get(k, 0)) for k in range(size)), strict=True))
    return rows[:1] if value.field is None else rows


def _traces(value: _Value, size: int) -> Matrix:
    """For each coordinate of P, what it adds to trace(e[k] P), part by part."""
    if value.field is None:
        return _coordinates(value, size)
    basis = value.field.number(1, 0), value.field.theta
    return tuple(tuple(trace(one * value.e.get(k, 0)) for k in range(size)) for one in basis)


def _diagonal(blocks: Sequence[IntMatrix]) -> IntMatrix:
    """Blocks along the diagonal, zeros elsewhere."""
    width, before = sum(len(block[0]) for block in blocks), 0
    rows: list[tuple[int, ...]] = []
    for block in blocks:
        after = width - before - len(block[0])
        rows += [(0,) * before + row + (0,) * after for row in block]
        before += len(block[0])
    return tuple(rows)
