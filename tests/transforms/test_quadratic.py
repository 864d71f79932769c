"""Exact quadratic numbers against Python's complex floats, and by the rules of a field."""

from __future__ import annotations

import cmath
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvm_wvv.transforms.quadratic import IMAGINARY_UNIT, SIXTH_ROOT, Field, coordinates, inverse, trace

fields = st.sampled_from((Field(0, 1), Field(1, 1), Field(-2, 5), Field(3, 7)))
fractions = st.fractions(-9, 9, max_denominator=8)


def floating(number) -> complex:
    t, n = number.field.trace, number.field.norm
    return complex(number.a) + complex(number.b) * (t + cmath.sqrt(t * t - 4 * n)) / 2


@given(field=fields, parts=st.lists(fractions, min_size=4, max_size=4))
def test_arithmetic_is_that_of_complex_numbers(field, parts):
    x, y = field.number(*parts[:2]), field.number(*parts[2:])
    assert floating(x + y) == pytest.approx(floating(x) + floating(y))
    assert floating(x * y) == pytest.approx(floating(x) * floating(y))
    assert floating(-x) == pytest.approx(-floating(x))
    assert floating(x.conjugate) == pytest.approx(floating(x).conjugate())
    assert x.norm == pytest.approx(abs(floating(x)) ** 2)
    assert x.trace == pytest.approx(2 * floating(x).real)


@given(field=fields, a=fractions, b=fractions)
def test_one_over_a_number(field, a, b):
    number = field.number(a, b or 1)
    assert number * inverse(number) == field.number(1, 0)


def test_rational_numbers_mix_in():
    third = Fraction(1, 3)
    assert coordinates(third + IMAGINARY_UNIT * 2) == (third, 2)
    assert coordinates(2 * SIXTH_ROOT + 1) == (1, 2)
    assert (coordinates(third), trace(third), inverse(third)) == ((third, 0), third, 3)


def test_roots_of_unity():
    i, w = IMAGINARY_UNIT, SIXTH_ROOT
    assert i * i == i.field.number(-1, 0)
    assert w * w * w == w.field.number(-1, 0)
    assert w * w == w + -1
    assert floating(w) == pytest.approx(cmath.exp(1j * cmath.pi / 3))
    assert (trace(i), trace(w), w.norm) == (0, 1, 1)


def test_two_fields_do_not_mix():
    with pytest.raises(ValueError, match="do not mix"):
        IMAGINARY_UNIT + SIXTH_ROOT
