"""Quantized Winograd convolution stage by stage, in the integers of `quant.winograd_parameters` (the formula is there).

Layouts are those of `transforms.grid.Grid`. `trace` keeps what every stage made, before and after its rounding, so
that calibration and comparison see the values; `winograd_conv2d` is the layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.quant.operators import Conv2d, Pair
from tvm_wvv.quant.requantize import requantize, requantize_by
from tvm_wvv.quant.winograd_parameters import WinogradIntegers
from tvm_wvv.reference.finish import Int8Array, Int32Array, WideArray, finish
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid

Padding = tuple[int, int, int, int]
StoredArray = NDArray[Any]  # int8 or int16


@dataclass(frozen=True, eq=False)
class Trace:
    """Every stage's result: V [n, tile row, tile column, tap, c], M [.., tap, o], y NHWC without bias, and the output.

    `stored_v` and `rescaled_m` are V and M after their own rounding and clipping.
    """

    v: Int32Array
    stored_v: StoredArray
    m: Int32Array
    rescaled_m: Int32Array
    y: Int32Array
    output: Int8Array


def winograd_conv2d(x: Int8Array, op: Conv2d, algorithm: Algorithm, integers: WinogradIntegers) -> Int8Array:
    """int8 NHWC in and out."""
    return trace(x, op, algorithm, integers).output


def trace(x: Int8Array, op: Conv2d, algorithm: Algorithm, integers: WinogradIntegers) -> Trace:
    """All stages one after the other."""
    v = input_transform(x, algorithm, op.input.zero_point, op.window.padding)
    stored = requantize_input(v, integers)
    m = tile_product(stored, integers)
    rescaled = requantize_products(m, integers)
    y = output_transform(rescaled, algorithm, integers, Grid(algorithm, x.shape, op.window.padding).output)
    return Trace(v, stored, m, rescaled, y, requantize_output(y, integers, op))


def input_transform(x: Int8Array, algorithm: Algorithm, zero_point: int, padding: Padding) -> Int32Array:
    """V = B (x - zero point), exact; outside the image lies the zero point (numerics.md, N6)."""
    tiles = image_tiles(x.astype(np.int64) - zero_point, algorithm, padding)
    return _exact(_float(algorithm.input_matrix) @ tiles, "transformed inputs")


def image_tiles(image: WideArray, algorithm: Algorithm, padding: Padding) -> NDArray[np.float64]:
    """The overlapping tiles [n, tile row, tile column, cell, c] of an NHWC image with zeros around it."""
    (top, left, _, _), (batch, height, width, channels) = padding, image.shape
    grid = Grid(algorithm, image.shape, padding)
    below, beyond = grid.padded[0] - top - height, grid.padded[1] - left - width
    padded = np.pad(image, ((0, 0), (top, below), (left, beyond), (0, 0)))
    windows = _windows(padded, algorithm.tile)
    (rows, columns), (m_h, m_w) = grid.tiles, algorithm.m
    chosen = windows[:, : rows * m_h : m_h, : columns * m_w : m_w].transpose(0, 1, 2, 4, 5, 3)
    return chosen.reshape(batch, rows, columns, -1, channels).astype(np.float64)


def requantize_input(v: Int32Array, integers: WinogradIntegers) -> StoredArray:
    """V as it is stored: requantized with clip and zero point, or unchanged (numerics.md, N8)."""
    if integers.v_multipliers is None:
        return _exact(v, "transformed inputs", np.int16)
    scaled = requantize(v, integers.v_multipliers.mantissa[:, None], integers.v_multipliers.shift)
    moved = scaled.astype(np.int64) + integers.v_zero_points[:, None]
    return _clipped(moved, integers.v_bits).astype(np.int8 if integers.v_bits <= 8 else np.int16)


def tile_product(stored_v: StoredArray, integers: WinogradIntegers) -> Int32Array:
    """M: for each tap, products summed over the input channels, starting from what takes off V's zero points
    (numerics.md, N9).
    """
    by_tap = np.moveaxis(stored_v, 3, -2).astype(np.float64)
    # As matrix products in double, which are exact below 2^53.
    sums = np.einsum("...tc,toc->...to", by_tap, integers.u.astype(np.float64), optimize=True)
    return _exact(sums + integers.m_offset, "sums of products")


def requantize_products(m: Int32Array, integers: WinogradIntegers) -> Int32Array:
    """M on few bits, clipped; or in 32 bits on y's scale (numerics.md, N10)."""
    if integers.m_multipliers is None:
        return m
    scaled = requantize(m, integers.m_multipliers.mantissa, integers.m_multipliers.shift)
    return scaled if integers.m_bits == 32 else _clipped(scaled, integers.m_bits).astype(np.int32)


def output_transform(
    rescaled_m: Int32Array, algorithm: Algorithm, integers: WinogradIntegers, size: Pair
) -> Int32Array:
    """y = A (k M) without bias, NHWC, cut to `size` (h, w) (numerics.md, N11)."""
    batch, rows, columns, _, outputs = rescaled_m.shape
    m_h, m_w = algorithm.m
    weighted = rescaled_m.astype(np.float64) * integers.factors
    tiles = _exact(_float(algorithm.output_matrix) @ weighted, "output sums")
    image = tiles.reshape(batch, rows, columns, m_h, m_w, outputs).transpose(0, 1, 3, 2, 4, 5)
    return image.reshape(batch, rows * m_h, columns * m_w, outputs)[:, : size[0], : size[1], :]


def requantize_output(y: Int32Array, integers: WinogradIntegers, op: Conv2d) -> Int8Array:
    """Bias, requantization, zero point, clamp."""
    biased = _exact(y.astype(np.int64) + integers.bias_y, "output sums with bias")
    return finish(requantize_by(biased, integers.out_multipliers), op.output.zero_point, op.clamp)


def _windows(image: WideArray, size: Pair) -> WideArray:
    """[n, row, column, c, window row, window column] for each place of a window."""
    view = np.lib.stride_tricks.sliding_window_view
    return view(view(image, size[0], axis=1), size[1], axis=2)


def _clipped(values: NDArray, bits: int) -> NDArray:
    return np.clip(values, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def _float(matrix: tuple[tuple[int, ...], ...]) -> NDArray[np.float64]:
    return np.array(matrix, np.float64)


def _exact(values: NDArray, what: str, dtype: type = np.int32) -> NDArray:
    """Whole numbers in the type that holds them, as was proved."""
    low, high = int(values.min()), int(values.max())
    limits: np.iinfo[Any] = np.iinfo(dtype)
    assert limits.min <= low and high <= limits.max, f"{what} reach [{low}, {high}], more than {limits.dtype} holds"
    return values.astype(dtype)
