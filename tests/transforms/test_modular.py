"""Division modulo 2^32 against whole numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvm_wvv.transforms.modular import WORD_BITS, quotient

WORD = 1 << WORD_BITS


def divided(word: int, scale: int) -> int:
    """What kernels compute: multiply, read as signed, shift."""
    division = quotient(scale)
    scaled = word * division.inverse % WORD
    return (scaled - WORD if scaled >= WORD // 2 else scaled) >> division.shift


@given(scale=st.integers(1, 1 << 20), data=st.data())
def test_every_quotient_within_the_limits_comes_back(scale, data):
    low, high = quotient(scale).limits
    y = data.draw(st.one_of(st.sampled_from((low, high, 0, -1)), st.integers(low, high)))
    assert divided(scale * y % WORD, scale) == y


@pytest.mark.parametrize(("scale", "bits"), [(1, 31), (4, 29), (9, 31), (16, 27), (36, 29), (576, 25)])
def test_limits_are_what_the_powers_of_two_leave(scale, bits):
    low, high = quotient(scale).limits
    assert (low, high) == (-(1 << bits), (1 << bits) - 1)
    assert divided(scale * (high + 1) % WORD, scale) != high + 1
