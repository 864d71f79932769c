"""Two-dimensional Winograd convolution of one tile as one real bilinear form over the integers.

    scale * y = A ((G w) . (B d))                    for every tile d and kernel w (numerics.md, N3)

d is the input tile and y the output tile, both row-major; A, B, G are plain matrices and the dot is elementwise over
the taps. Points may be complex or differ along the axes: all of that has become real rows before it gets here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tvm_wvv.transforms.cook_toom import Filter
from tvm_wvv.transforms.learned import Transforms
from tvm_wvv.transforms.matrix import IntMatrix, Matrix, chain, identity, integers, kronecker
from tvm_wvv.transforms.pairs import real_products
from tvm_wvv.transforms.straight_line import Program, straight_line

Pair = tuple[int, int]


@dataclass(frozen=True)
class Algorithm:
    """`m`, `r` are (h, w) of an output tile and of the kernel.

    `input_factors` and `output_factors` are sparse matrices to be applied one after the other, the first of them first;
    their product is B (taps x tile) and A (outputs x taps). They are kept apart because that is the cheap way to
    compute them: a tensor product as its columns, then its rows. `weight_matrix` is G (taps x kernel) times `scale`.
    Where the matrices were `learned`, the form above gives an approximation of the convolution.
    """

    name: str
    m: Pair
    r: Pair
    input_factors: tuple[IntMatrix, ...]
    weight_matrix: IntMatrix
    output_factors: tuple[IntMatrix, ...]
    scale: int
    learned: Transforms | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def tile(self) -> Pair:
        """(h, w) of an input tile."""
        return self.m[0] + self.r[0] - 1, self.m[1] + self.r[1] - 1

    @property
    def taps(self) -> int:
        """Real products of one tile and channel pair."""
        return len(self.weight_matrix)

    @cached_property
    def input_matrix(self) -> IntMatrix:
        """B: taps x (tile_h * tile_w)."""
        return integers(chain(self.input_factors))

    @cached_property
    def output_matrix(self) -> IntMatrix:
        """A: (m_h * m_w) x taps."""
        return integers(chain(self.output_factors))

    @cached_property
    def input_program(self) -> Program:
        """Straight-line form of B."""
        return straight_line(self.input_factors, products=self.learned is not None)

    @cached_property
    def output_program(self) -> Program:
        """Straight-line form of A."""
        return straight_line(self.output_factors, products=self.learned is not None)

    @cached_property
    def input_row_sums(self) -> tuple[int, ...]:
        """What each tap makes of a tile of ones: how often a zero point counts in it.

        Zero for every tap of an axis point other than 1, since (1, 1, ...) is evaluation at 1.
        """
        return tuple(sum(row) for row in self.input_matrix)

    @cached_property
    def constant_axes(self) -> tuple[int, ...]:
        """Along how many of the two axes each tap lets a constant pass, less what all taps have in common.

        What such a tap sees of an image, which is smooth and lies on one side of zero, is about twice as large for each
        of these axes: other taps take differences.
        """
        width = self.tile[1]
        passed = [
            any(sum(row[k::width]) for k in range(width))
            + any(sum(row[k : k + width]) for k in range(0, len(row), width))
            for row in self.input_matrix
        ]
        return tuple(count - min(passed) for count in passed)


def tensor(name: str, rows: Filter, columns: Filter) -> Algorithm:
    """The two-dimensional algorithm that uses `rows` down the height and `columns` along the width."""
    inputs, outputs = _factors(rows.bt, columns.bt), _factors(rows.at, columns.at)
    weights: tuple[Matrix, ...] = (kronecker(rows.g, columns.g),)
    if rows.pairs or columns.pairs:
        products = real_products(rows, columns)
        inputs, outputs = (*inputs, *products.inputs), (*products.gather, *outputs)
        weights = (*weights, *products.weights)
    return Algorithm(
        name,
        m=(rows.m, columns.m),
        r=(rows.r, columns.r),
        input_factors=inputs,
        weight_matrix=integers(chain(weights)),
        output_factors=outputs,
        scale=rows.scale * columns.scale,
    )


def computes_convolution(algorithm: Algorithm) -> bool:
    """Whether the bilinear form is direct convolution, coefficient by coefficient: a proof, not a sample.

    The coefficient of w[k] * d[j] in scale * y[i] must be `scale` where tile cell j lies under kernel cell k of
    output i, and zero elsewhere.
    """
    a, b, g = algorithm.output_matrix, algorithm.input_matrix, algorithm.weight_matrix
    (m_h, m_w), (r_h, r_w), width = algorithm.m, algorithm.r, algorithm.tile[1]
    for i, output_row in enumerate(a):
        for k in range(r_h * r_w):
            met = (i // m_w + k // r_w) * width + i % m_w + k % r_w
            for j in range(len(b[0])):
                coefficient = sum(output_row[t] * g[t][k] * b[t][j] for t in range(algorithm.taps))
                if coefficient != (algorithm.scale if j == met else 0):
                    return False
    return len(a) == m_h * m_w


def _factors(rows: IntMatrix, columns: IntMatrix) -> tuple[IntMatrix, ...]:
    """rows (x) columns as: `rows` upon each column of the tile, then `columns` upon each row of the result.

    A factor that is the identity is left out.
    """
    first = integers(kronecker(rows, identity(len(columns[0]))))
    second = integers(kronecker(identity(len(rows)), columns))
    factors = tuple(factor for factor in (first, second) if factor != identity(len(factor)))
    return factors or (first,)
