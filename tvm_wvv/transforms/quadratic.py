"""Exact numbers a + b theta of a quadratic field, where theta^2 = trace * theta - norm.

theta and its conjugate are the two roots of x^2 - trace * x + norm. The Gaussian numbers hold i, the Eisenstein numbers
the sixth roots of unity: there, complex arithmetic is arithmetic with pairs of fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tvm_wvv.transforms.matrix import Number


@dataclass(frozen=True)
class Field:
    """Sum and product of theta and its conjugate; they are not real, so trace^2 < 4 * norm."""

    trace: int
    norm: int

    @property
    def theta(self) -> Quadratic:
        """The root itself."""
        return self.number(0, 1)

    def number(self, a: Number, b: Number) -> Quadratic:
        """a + b theta."""
        return Quadratic(Fraction(a), Fraction(b), self)


@dataclass(frozen=True)
class Quadratic:
    """a + b theta. Numbers of two fields do not mix; rational numbers mix with all of them."""

    a: Fraction
    b: Fraction
    field: Field

    def __add__(self, other: Scalar) -> Quadratic:
        one = self._same(other)
        return Quadratic(self.a + one.a, self.b + one.b, self.field)

    def __mul__(self, other: Scalar) -> Quadratic:
        one, high = self._same(other), self.b * self._same(other).b
        low, middle = self.a * one.a, self.a * one.b + self.b * one.a
        return Quadratic(low - self.field.norm * high, middle + self.field.trace * high, self.field)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Quadratic:
        return Quadratic(-self.a, -self.b, self.field)

    @property
    def conjugate(self) -> Quadratic:
        """The number with theta's conjugate, trace - theta, in its place."""
        return Quadratic(self.a + self.b * self.field.trace, -self.b, self.field)

    @property
    def trace(self) -> Fraction:
        """The sum of the number and its conjugate: twice the real part."""
        return (self + self.conjugate).a

    @property
    def norm(self) -> Fraction:
        """The product of the number and its conjugate: the square of the absolute value."""
        return (self * self.conjugate).a

    def _same(self, other: Scalar) -> Quadratic:
        if not isinstance(other, Quadratic):
            return self.field.number(other, 0)
        if other.field != self.field:
            raise ValueError(f"numbers of {self.field} and {other.field} do not mix")
        return other


Scalar = Number | Quadratic

# i, and exp(i pi / 3): the sixth root of unity whose square is the other one above the real axis.
IMAGINARY_UNIT = Field(trace=0, norm=1).theta
SIXTH_ROOT = Field(trace=1, norm=1).theta


def trace(number: Scalar) -> Number:
    """The sum over conjugates; a rational number has none but itself."""
    return number.trace if isinstance(number, Quadratic) else number


def inverse(number: Scalar) -> Scalar:
    """One over `number`, which is not zero."""
    return number.conjugate * (1 / number.norm) if isinstance(number, Quadratic) else 1 / Fraction(number)


def coordinates(number: Scalar) -> tuple[Number, Number]:
    """a and b of a + b theta."""
    return (number.a, number.b) if isinstance(number, Quadratic) else (number, 0)
