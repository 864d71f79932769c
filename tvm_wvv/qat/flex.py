"""The transforms of a Winograd layer in training: an algorithm's own, or matrices that are learned ("flex").

Learned ones are those of one axis, in fixed point, straight through; they begin at the algorithm's own, exactly. Their
Kronecker product with themselves is what tiles see, so that kernels apply them to columns, then rows. All count in the
units of the algorithm's own matrices: scales of stages mean the same in both kinds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import axis_of, learned
from tvm_wvv.transforms.learned import MOST_CODE, MOST_ROW, FixedPoint, Transforms
from tvm_wvv.transforms.matrix import IntMatrix

_ROOM = 1.25  # how far the sum of a row's magnitudes may go beyond the algorithm's own greatest
# Most binary places of B and A: finer ones learn no better, and V's multipliers would lose the bits. G costs nothing.
_FINEST, _FINEST_WEIGHT = 4, 7
_LEAST_SUM = 1e-6
_INT8, _FACTOR = 1 << 7, 127  # greatest magnitude of M; what its greatest factor must reach: `narrow_output`
_MOST_SUM = (1 << 30) - 1  # of the output transform


class TileTransforms(Protocol):
    """What a layer needs: matrices on tiles, and how the integers call them.

    `grid` says how many times finer the integers of V and of U count than these matrices do.
    """

    def input(self) -> Tensor: ...
    def weight(self) -> Tensor: ...
    def output(self) -> Tensor: ...
    def output_step(self) -> Tensor | float: ...
    def exported(self) -> Algorithm: ...
    def grid(self) -> tuple[int, int]: ...


class FixedTransforms(nn.Module):
    """Those of `algorithm`."""

    b: Tensor
    g: Tensor
    a: Tensor

    def __init__(self, algorithm: Algorithm) -> None:
        super().__init__()
        self.algorithm = algorithm
        for name, matrix in (
            ("b", algorithm.input_matrix),
            ("g", algorithm.weight_matrix),
            ("a", algorithm.output_matrix),
        ):
            self.register_buffer(name, torch.tensor(matrix, dtype=torch.float32), persistent=False)

    def input(self) -> Tensor:
        """B."""
        return self.b

    def weight(self) -> Tensor:
        """G."""
        return self.g

    def output(self) -> Tensor:
        """A."""
        return self.a

    def output_step(self) -> float:
        """In what parts of M's steps y counts."""
        return 1.0

    def exported(self) -> Algorithm:
        """The algorithm that integers run."""
        return self.algorithm

    def grid(self) -> tuple[int, int]:
        """Nothing is finer."""
        return 1, 1


@dataclass(frozen=True)
class _Format:
    """Fixed point in steps of 2^-places; magnitudes of a row add up to `row` at most, but for the rounding."""

    places: int
    row: float

    @property
    def steps(self) -> int:
        """Codes in one."""
        return 1 << self.places


class _Matrix(nn.Module):
    """One learned matrix, kept in units of its greatest entry, or nearly: a step of the optimizer is then a share of
    the matrix, whatever its size.
    """

    def __init__(self, start: IntMatrix, form: _Format, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.form, self.dtype = form, dtype
        self.unit = 2 ** math.floor(math.log2(_greatest(start)))
        self.own = nn.Parameter(torch.tensor(start, dtype=torch.float32) / self.unit)

    def codes(self) -> Tensor:
        """Whole numbers."""
        return self._rounded(self._limited().detach())

    def forward(self) -> Tensor:
        limited = self._limited()
        # The difference is zero to the bit; only its gradient is wanted.
        return (self._rounded(limited.detach()) / self.form.steps + (limited - limited.detach())).to(self.dtype)

    def exported(self) -> FixedPoint:
        """In lowest terms: as it began, the algorithm's own matrix."""
        codes = tuple(tuple(int(entry) for entry in row) for row in self.codes().cpu().tolist())
        return FixedPoint(codes, self.form.steps).reduced()

    def _limited(self) -> Tensor:
        """Rows whose sums go too far are scaled down: sums of all stages are then known to fit."""
        real = self.own * self.unit
        return real * (self.form.row / real.abs().sum(1, keepdim=True).clamp_min(_LEAST_SUM)).clamp_max(1.0)

    def _rounded(self, real: Tensor) -> Tensor:
        return (real * self.form.steps).round()


class LearnedTransforms(nn.Module):
    """One set of matrices for a layer; WvvError with the reason where `algorithm` has none that could be learned."""

    def __init__(self, algorithm: Algorithm) -> None:
        super().__init__()
        self.base = algorithm.name
        axis = axis_of(algorithm.name)
        self.of_input = _Matrix(axis.bt, _format(axis.bt, MOST_ROW, _FINEST))
        self.of_weight = _Matrix(axis.g, _format(axis.g, MOST_CODE, _FINEST_WEIGHT), torch.float64)
        # The sums of A on tiles leave the taps' factors that many bits.
        most = math.isqrt(_MOST_SUM // (_INT8 * _FACTOR))
        self.of_output = _Matrix(axis.at, _format(axis.at, most, _FINEST))

    def input(self) -> Tensor:
        """B."""
        return _on_tiles(self.of_input)

    def weight(self) -> Tensor:
        """G, in double: U is then exact, as the compiler has it."""
        return _on_tiles(self.of_weight)

    def output(self) -> Tensor:
        """A."""
        return _on_tiles(self.of_output)

    def output_step(self) -> Tensor:
        """In what parts of M's steps y counts: the square of the matrix's own, in lowest terms."""
        codes, places = self.of_output.codes(), self.of_output.form.places
        common = sum((codes % (1 << place) == 0).all().double() for place in range(1, places + 1))
        return torch.exp2(2 * (common - places))

    def exported(self) -> Algorithm:
        """The algorithm with these matrices."""
        return learned(self.transforms())

    def transforms(self) -> Transforms:
        """The matrices as a recipe has them."""
        matrices = (self.of_input, self.of_weight, self.of_output)
        return Transforms(self.base, *(one.exported() for one in matrices))

    def grid(self) -> tuple[int, int]:
        """The denominators along both axes."""
        made = self.transforms()
        return made.input.denominator**2, made.weight.denominator**2


def _on_tiles(matrix: _Matrix) -> Tensor:
    own: Tensor = matrix()
    return torch.kron(own, own)


def _format(start: IntMatrix, most: int, finest: int) -> _Format:
    """The finest places with which rows may grow by `_ROOM` and codes of a row, rounded, add up to `most`."""
    row = _ROOM * max(sum(map(abs, one)) for one in start)
    places = math.floor(math.log2((most - len(start[0])) / row))
    return _Format(max(0, min(places, finest)), row)


def _greatest(matrix: IntMatrix) -> int:
    return max(abs(entry) for row in matrix for entry in row)
