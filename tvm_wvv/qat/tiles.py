"""Overlapping tiles of an image and back, as tensor operations with exact, deterministic gradients.

A tile is m + r - 1 cells long and the next one starts m cells further, so a tile is its own block of m cells and the
head of the blocks behind it: slices and concatenations, whose gradients need no scattered additions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid

Padding = tuple[int, int, int, int]


def tiles(x: Tensor, algorithm: Algorithm, padding: Padding) -> Tensor:
    """[cells, n * tile rows * tile columns, c] of an NHWC image with zeros around it; (top, left, bottom, right)."""
    n, height, width, c = x.shape
    grid = Grid(algorithm, tuple(x.shape), padding)
    rows, columns = grid.tiles
    (m_h, m_w), (t_h, t_w), (top, left, _, _) = algorithm.m, algorithm.tile, padding
    blocks_h, blocks_w = -(-t_h // m_h), -(-t_w // m_w)
    below = (rows + blocks_h - 1) * m_h - top - height
    beyond = (columns + blocks_w - 1) * m_w - left - width
    # Whole blocks may end before the image does where nothing of it is needed there: negative padding cuts.
    padded = functional.pad(x, (0, 0, left, beyond, top, below))
    cut = padded.reshape(n, rows + blocks_h - 1, m_h, columns + blocks_w - 1, m_w, c)
    cut = torch.cat([cut[:, j : j + rows, : min(m_h, t_h - j * m_h)] for j in range(blocks_h)], dim=2)
    cut = torch.cat([cut[:, :, :, j : j + columns, : min(m_w, t_w - j * m_w)] for j in range(blocks_w)], dim=4)
    return cut.permute(2, 4, 0, 1, 3, 5).reshape(t_h * t_w, n * rows * columns, c)


def image(y: Tensor, algorithm: Algorithm, x_shape: tuple[int, ...], padding: Padding) -> Tensor:
    """NHWC of output tiles [m_h * m_w, n * tile rows * tile columns, o], cut to the convolution's size."""
    grid = Grid(algorithm, x_shape, padding)
    (rows, columns), (m_h, m_w), (height, width) = grid.tiles, algorithm.m, grid.output
    cells = y.reshape(m_h, m_w, x_shape[0], rows, columns, -1).permute(2, 3, 0, 4, 1, 5)
    return cells.reshape(x_shape[0], rows * m_h, columns * m_w, -1)[:, :height, :width]
