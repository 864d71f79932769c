"""Transforms that were learned: one-dimensional matrices in fixed point that take the place of an algorithm's own.

The form of the algorithm stays, the same matrices down the height and along the width (numerics.md, N3); but its
result is no longer a convolution: what becomes of the rounding of few bits was learned together with the weights.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm_wvv.transforms.matrix import IntMatrix, integers

MOST_CODE = (1 << 15) - 1
MOST_ROW = 2896
"""Of the magnitudes of a row of codes: 2896^2 * 256 < 2^31, so that the transform of an int8 image fits int32."""
MOST_DENOMINATOR = 1 << 15


@dataclass(frozen=True)
class FixedPoint:
    """The matrix codes / denominator."""

    codes: IntMatrix
    denominator: int = 1

    def reduced(self) -> FixedPoint:
        """The same matrix, halved above and below as often as codes stay whole."""
        codes, denominator = self.codes, self.denominator
        while denominator % 2 == 0 and not any(entry % 2 for row in codes for entry in row):
            codes, denominator = tuple(tuple(entry // 2 for entry in row) for row in codes), denominator // 2
        return FixedPoint(codes, denominator)


@dataclass(frozen=True)
class Transforms:
    """`input` (tile x tile), `weight` (tile x r) and `output` (m x tile) in the place of those of `base`, whose name it
    is, in the units of these.
    """

    base: str
    input: FixedPoint
    weight: FixedPoint
    output: FixedPoint

    @property
    def name(self) -> str:
        """What reports and functions call it."""
        return f"{self.base}_flex"

    @property
    def denominator(self) -> int:
        """Of all three together, along one axis."""
        return self.input.denominator * self.weight.denominator * self.output.denominator

    def spelled(self) -> str:
        """All of it as text: `f2(1 0 -1 0; ... / 16 | ... / 1 | ... / 8)`."""
        return f"{self.base}({' | '.join(map(_spelled, (self.input, self.weight, self.output)))})"


def read_spelled(text: str) -> Transforms:
    """What `spelled` wrote."""
    base, _, rest = text.removesuffix(")").partition("(")
    return Transforms(base, *map(_read, rest.split("|")))


def _spelled(matrix: FixedPoint) -> str:
    return "; ".join(" ".join(map(str, row)) for row in matrix.codes) + f" / {matrix.denominator}"


def _read(text: str) -> FixedPoint:
    codes, _, denominator = text.partition("/")
    rows = [tuple(int(entry) for entry in row.split()) for row in codes.split(";")]
    return FixedPoint(integers(rows), int(denominator))
