"""Input tiles of one convolution, picked at random over many images: what calibration looks at instead of everything.

The same seed picks the same tiles. Beyond the image lie zeros, as the input's zero point is taken off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid

Padding = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class TileSample:
    """`cells` int16 [tile, h * w, c] without zero point; `inside` [tile, h * w of the output tile] marks outputs that
    lie within the image.
    """

    cells: NDArray[np.int16]
    inside: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.cells)


def sample_tiles(
    x: NDArray[np.int8],
    algorithm: Algorithm,
    zero_point: int,
    padding: Padding,
    count: int,
    random: np.random.Generator,
) -> TileSample:
    """`count` tiles of the images x [n, h, w, c], none of them twice; all of them where there are no more."""
    grid = Grid(algorithm, x.shape, padding)
    shape = len(x), *grid.tiles
    chosen = np.sort(random.choice(math.prod(shape), min(count, math.prod(shape)), replace=False))
    image, row, column = np.unravel_index(chosen, shape)
    windows = np.lib.stride_tricks.sliding_window_view(_padded(x, zero_point, grid), algorithm.tile, (1, 2))  # type: ignore[call-overload]
    m_h, m_w = algorithm.m
    picked = windows[image, row * m_h, column * m_w].transpose(0, 2, 3, 1)
    cells = np.ascontiguousarray(picked).reshape(len(chosen), -1, x.shape[3])
    return TileSample(cells, _inside(row * m_h, column * m_w, grid))


def joined(parts: Sequence[TileSample]) -> TileSample:
    """All tiles of several samples."""
    return TileSample(np.concatenate([one.cells for one in parts]), np.concatenate([one.inside for one in parts]))


def split(sample: TileSample, count: int) -> tuple[TileSample, TileSample]:
    """All tiles but `count`, and these, spread evenly over the sample; all of them twice where there are no more."""
    if len(sample) <= count:
        return sample, sample
    apart = np.zeros(len(sample), bool)
    apart[np.arange(count) * len(sample) // count] = True
    return tuple(TileSample(sample.cells[chosen], sample.inside[chosen]) for chosen in (~apart, apart))  # type: ignore[return-value]


def _padded(x: NDArray[np.int8], zero_point: int, grid: Grid) -> NDArray[np.int16]:
    top, left, _, _ = grid.padding
    # Never negative: valid padding may end before the image does.
    below, beyond = (max(0, grid.padded[axis] - grid.padding[axis] - x.shape[1 + axis]) for axis in (0, 1))
    return np.pad(x.astype(np.int16) - np.int16(zero_point), ((0, 0), (top, below), (left, beyond), (0, 0)))


def _inside(top: NDArray[np.intp], left: NDArray[np.intp], grid: Grid) -> NDArray[np.bool_]:
    """Whole tiles hang over the lower and right edge; what they make there is dropped."""
    (m_h, m_w), (height, width) = grid.algorithm.m, grid.output
    rows, columns = top[:, None] + np.arange(m_h) < height, left[:, None] + np.arange(m_w) < width
    return (rows[:, :, None] & columns[:, None, :]).reshape(len(top), -1)
