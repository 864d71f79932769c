"""A quantized Winograd layer in plain double arithmetic from its real scales: an oracle for the integer one.

Rounding is to the nearest, halves up, as the integer stages round where one multiplication is all they do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from winograd_cases import WinogradCase

from tvm_wvv.quant.stage import StageQuantizer, Stages


@dataclass(frozen=True)
class Simulated:
    """Steps of V and M before rounding; V and M as stored; y in steps of the grid of M (bias not included)."""

    v_steps: np.ndarray
    v: np.ndarray
    m_steps: np.ndarray
    m: np.ndarray
    y: np.ndarray


def simulate(case: WinogradCase, stages: Stages, *, excess: int = 0, correct_zero_points: bool = True) -> Simulated:
    """`excess` moves both ends of every clip; without `correct_zero_points` they stay in the sums: both are wrong."""
    algorithm = case.algorithm
    taps, outputs = algorithm.taps, case.weights.shape[0]
    u_real = np.einsum("tk,okc->toc", np.array(algorithm.weight_matrix, float), _cells(case.weights.astype(float)))
    u_scale = stages.u.scales(taps, outputs)
    u = np.clip(np.rint(u_real / u_scale[:, :, None]), -stages.u.limits[1], stages.u.limits[1])
    v_scale, zero_points = np.ones(taps), np.zeros(taps)
    v_steps = stored = np.einsum("tk,nabkc->nabtc", np.array(algorithm.input_matrix, float), _tiles(case))
    if stages.v is not None:
        v_scale, zero_points = stages.v.scales(taps)[:, 0], np.array(stages.v.zero_points(taps), float)
        v_steps = v_steps / v_scale[:, None] + zero_points[:, None]
        stored = _rounded(v_steps, stages.v, excess)
    centred = stored - zero_points[:, None] if correct_zero_points else stored
    products = np.einsum("nabtc,toc->nabto", centred, u) * v_scale[:, None] * u_scale
    m_scale = np.ones((taps, outputs)) if stages.m is None else stages.m.scales(taps, outputs)
    m = m_steps = products / m_scale
    if stages.m is not None:
        m = _rounded(m_steps, stages.m, excess)
    tiles = np.einsum("yt,nabto->nabyo", np.array(algorithm.output_matrix, float), m * m_scale)
    return Simulated(v_steps, stored, m_steps, m, _image(tiles, case))


def _rounded(steps: np.ndarray, stage: StageQuantizer, excess: int) -> np.ndarray:
    low, high = stage.limits
    return np.clip(np.floor(steps + 0.5), low - excess, high + excess)


def _cells(weights: np.ndarray) -> np.ndarray:
    return weights.reshape(weights.shape[0], -1, weights.shape[3])


def _tiles(case: WinogradCase) -> np.ndarray:
    grid, (tile_h, tile_w), (m_h, m_w) = case.grid, case.algorithm.tile, case.algorithm.m
    top, left, _, _ = case.padding
    image = np.zeros(grid.padded_shape)
    _, height, width, _ = case.x.shape
    image[:, top : top + height, left : left + width] = case.x.astype(float) - case.zero_point
    rows, columns = grid.tiles
    tiles = np.empty((*grid.v_shape[:3], tile_h * tile_w, case.x.shape[3]))
    for row in range(rows):
        for column in range(columns):
            cut = image[:, row * m_h : row * m_h + tile_h, column * m_w : column * m_w + tile_w]
            tiles[:, row, column] = cut.reshape(len(cut), -1, cut.shape[3])
    return tiles


def _image(tiles: np.ndarray, case: WinogradCase) -> np.ndarray:
    grid, (m_h, m_w) = case.grid, case.algorithm.m
    image = np.empty(grid.y_shape(tiles.shape[-1]))
    for row in range(grid.tiles[0]):
        for column in range(grid.tiles[1]):
            place = np.s_[:, row * m_h : (row + 1) * m_h, column * m_w : (column + 1) * m_w]
            image[place] = tiles[:, row, column].reshape(len(tiles), m_h, m_w, -1)
    return image[:, : grid.output[0], : grid.output[1]]
