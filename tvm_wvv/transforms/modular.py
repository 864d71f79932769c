"""Exact sums out of 32 bits that may have wrapped around: why products need not fit, only results (numerics.md, N12).

A M = scale * y holds for whole numbers, hence also modulo 2^32, where additions and products may wrap. With
scale = odd * 2^shift the odd factor has an inverse there:

    A M * inverse = 2^shift * y   (mod 2^32)

Read as a signed word and shifted right this is y itself, as long as 2^shift * y lies within int32. What the stages in
between reach does not matter. So real F(4x4, 3x3) is exact: 576 = 9 * 2^6 leaves sums 26 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

WORD_BITS = 32


@dataclass(frozen=True)
class Quotient:
    """Division by a scale modulo 2^32: multiply by `inverse` [0, 2^32), then shift the signed word right by `shift`."""

    inverse: int
    shift: int

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the greatest quotient that comes out right."""
        bits = WORD_BITS - 1 - self.shift
        return -(1 << bits), (1 << bits) - 1


def quotient(scale: int) -> Quotient:
    """How to divide multiples of `scale`, at least 1, known modulo 2^32."""
    shift = (scale & -scale).bit_length() - 1
    return Quotient(pow(scale >> shift, -1, 1 << WORD_BITS), shift)
