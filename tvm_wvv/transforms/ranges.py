"""The exact ranges of operands and results (numerics.md, N13), and whether arithmetic modulo 2^32 gets results right.

Every value between input and output is a sum over input cells of coefficient * cell, once the weights are known. Cells
range independently over [lo, hi], so with the coefficients added up by sign the sum ranges from positive * lo +
negative * hi to positive * hi + negative * lo, ends included; no partial sum goes beyond, as lo <= 0 <= hi. Sums of
products and what the output transform makes of them may wrap around: see `transforms.modular`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.modular import quotient
from tvm_wvv.transforms.straight_line import combinations_of_inputs

Range = tuple[int, int]
INT8: Range = (-(1 << 7), (1 << 7) - 1)
INT16: Range = (-(1 << 15), (1 << 15) - 1)


@dataclass(frozen=True)
class WeightSums:
    """What the ranges need to know of a layer's weights.

    `transformed`: least and greatest entry of U. `scaled`: for each output channel the (negative, positive) sums of the
    coefficients that input cells have in an output before the scale is divided out.
    """

    transformed: Range
    scaled: tuple[Range, ...]


@dataclass(frozen=True)
class StageRanges:
    """Least and greatest value of V, intermediate sums included, of U, and of direct convolution without bias (`sums`).

    `known` are the ends between which the algorithm tells sums apart.
    """

    v: Range
    u: Range
    sums: Range
    known: Range

    def overflow(self) -> str | None:
        """Why exact arithmetic with int16 operands and 32-bit sums is impossible, or None where it is proved."""
        stages = (
            ("transformed inputs", self.v, INT16, "int16 ends"),
            ("transformed weights", self.u, INT16, "int16 ends"),
            ("sums", self.sums, self.known, "what 32 bits tell apart ends"),
        )
        for what, reached, limits, end in stages:
            if not fits(reached, limits):
                worst = max(reached, key=abs)
                return f"{what} may reach {worst}, {end} at {limits[worst > 0]}"
        return None


def fits(reached: Range, limits: Range) -> bool:
    """Whether every value of `reached` is within `limits`."""
    return limits[0] <= reached[0] and reached[1] <= limits[1]


def range_of(negative: int, positive: int, cells: Range) -> Range:
    """Exact range of a sum whose coefficients add up to `negative` and `positive` by sign, each cell within `cells`."""
    low, high = cells
    return positive * low + negative * high, positive * high + negative * low


def hull(ranges: Iterable[Range]) -> Range:
    """The least range that holds all of `ranges`."""
    lows, highs = zip(*ranges, strict=True)
    return min(lows), max(highs)


def input_range(algorithm: Algorithm, cells: Range) -> Range:
    """Range of the transformed input and of every intermediate sum of its program."""
    return hull(range_of(*_by_sign(row), cells) for row in combinations_of_inputs(algorithm.input_program))


def stage_ranges(algorithm: Algorithm, cells: Range, sums: WeightSums) -> StageRanges:
    """Ranges of all stages for inputs (zero point taken off) within `cells`, which must hold zero."""
    if not cells[0] <= 0 <= cells[1]:
        raise ValueError(f"input range {cells} does not hold 0, which padding brings in")
    low, high = hull(range_of(*pair, cells) for pair in sums.scaled)
    return StageRanges(
        v=input_range(algorithm, cells),
        u=sums.transformed,
        sums=(low // algorithm.scale, high // algorithm.scale),
        known=quotient(algorithm.scale).limits,
    )


def _by_sign(row: Sequence[int]) -> Range:
    return sum(min(entry, 0) for entry in row), sum(max(entry, 0) for entry in row)
