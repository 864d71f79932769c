"""Shapes of the stages, counted by hand."""

from __future__ import annotations

from algorithms import TALL

from tvm_wvv.transforms.catalog import F2
from tvm_wvv.transforms.grid import Grid


def test_odd_size_with_same_padding():
    grid = Grid(F2, (2, 7, 5, 3), (1, 1, 1, 1))
    assert (grid.output, grid.tiles, grid.padded) == ((7, 5), (4, 3), (10, 8))
    assert grid.v_shape == (2, 4, 3, 16, 3)
    assert grid.m_shape(6) == (2, 4, 3, 16, 6)
    assert grid.y_shape(6) == (2, 8, 6, 6)
    assert grid.out_shape(6) == (2, 7, 5, 6)
    assert grid.multiplications(6) == 2 * 12 * 16 * 3 * 6


def test_even_size_without_padding_reads_the_image_as_it_is():
    grid = Grid(F2, (1, 8, 6, 4), (0, 0, 0, 0))
    assert grid.padded_shape == grid.x_shape


def test_asymmetric_padding_and_a_tile_that_is_not_square():
    grid = Grid(TALL, (1, 6, 4, 1), (0, 2, 1, 0))
    assert (grid.output, grid.tiles, grid.padded) == ((5, 4), (2, 4), (10, 6))
