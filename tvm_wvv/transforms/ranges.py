"""The exact range of every stage, and whether each fits its integer type.

Every value between input and output is a sum over input cells of coefficient * cell, once the weights are known. Cells
range independently over [lo, hi], so with the coefficients added up by sign the sum ranges from positive * lo +
negative * hi to positive * hi + negative * lo, ends included; no partial sum goes beyond, as lo <= 0 <= hi.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.straight_line import combinations_of_inputs

Range = tuple[int, int]
INT8: Range = (-(1 << 7), (1 << 7) - 1)
INT16: Range = (-(1 << 15), (1 << 15) - 1)
INT32: Range = (-(1 << 31), (1 << 31) - 1)


@dataclass(frozen=True)
class WeightSums:
    """What the ranges need to know of a layer's weights.

    `transformed`: least and greatest entry of U. The others: (negative, positive) sums of the coefficients that input
    cells have in a value, one entry for each output channel and each tap (`products`), each intermediate sum of the
    output transform (`outputs`), and one output before the scale is divided out (`scaled`).
    """

    transformed: Range
    products: tuple[Range, ...]
    outputs: tuple[Range, ...]
    scaled: tuple[Range, ...]


@dataclass(frozen=True)
class StageRanges:
    """Least and greatest value of each stage, intermediate results of the transforms included.

    `sums` are those of direct convolution, without bias.
    """

    v: Range
    u: Range
    products: Range
    outputs: Range
    sums: Range

    def overflow(self) -> str | None:
        """Why exact arithmetic with int16 operands and int32 sums is impossible, or None where it is proved."""
        stages = (
            ("transformed inputs", self.v, INT16, "int16"),
            ("transformed weights", self.u, INT16, "int16"),
            ("sums of products", self.products, INT32, "int32"),
            ("scaled output sums", self.outputs, INT32, "int32"),
        )
        for what, reached, limits, kind in stages:
            if not fits(reached, limits):
                worst = max(reached, key=abs)
                return f"{what} may reach {worst}, {kind} ends at {limits[worst > 0]}"
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
        products=hull(range_of(*pair, cells) for pair in sums.products),
        outputs=hull(range_of(*pair, cells) for pair in (*sums.outputs, *sums.scaled)),
        sums=(low // algorithm.scale, high // algorithm.scale),
    )


def _by_sign(row: Sequence[int]) -> Range:
    return sum(min(entry, 0) for entry in row), sum(max(entry, 0) for entry in row)
