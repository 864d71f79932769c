"""Winograd convolution stage by stage in exact integer arithmetic, for any algorithm of the catalog.

    V = B (x - zero_point) for each tile;  U = G w;  M = sum over input channels of U . V;
    sums = A M / scale;  out = requantize(sums + bias)

Layouts are those of `transforms.grid.Grid`. It is the bilinear form (numerics.md, N3); no stage rounds before the last.
M and A M are known modulo 2^32, which is enough for the sums (`transforms.modular`), so that the output is, byte for
byte, that of `reference.conv.conv2d`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tvm_wvv.quant.operators import Affine, Conv2d, Pair
from tvm_wvv.quant.parameters import conv_multipliers
from tvm_wvv.quant.requantize import requantize_by
from tvm_wvv.reference.finish import Int8Array, Int32Array, WideArray, centred, finish, wrapped
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid
from tvm_wvv.transforms.modular import quotient
from tvm_wvv.transforms.ranges import WeightSums

Int16Array = NDArray[np.int16]


def input_transform(
    x: Int8Array, algorithm: Algorithm, zero_point: int, padding: tuple[int, int, int, int]
) -> Int16Array:
    """V [n, tile row, tile column, tap, c] of an int8 NHWC image; outside lies the zero point (numerics.md, N6)."""
    grid = Grid(algorithm, x.shape, padding)
    tiles = np.zeros((x.shape[0], *grid.tiles, algorithm.tile[0] * algorithm.tile[1], x.shape[3]), np.int64)
    image = _padded(x, zero_point, grid)
    (rows, columns), (m_h, m_w), (tile_h, tile_w) = grid.tiles, algorithm.m, algorithm.tile
    for i in range(tile_h):
        for j in range(tile_w):
            down, along = slice(i, i + rows * m_h, m_h), slice(j, j + columns * m_w, m_w)
            tiles[..., i * tile_w + j, :] = image[:, down, along, :]
    return _fitting(np.einsum("tk,nabkc->nabtc", _array(algorithm.input_matrix), tiles), np.int16, "transformed inputs")


def transform_weights(weights: Int8Array, algorithm: Algorithm) -> Int16Array:
    """U [tap, o, c] of filters OHWI (numerics.md, N7)."""
    flat = weights.astype(np.int64).reshape(weights.shape[0], -1, weights.shape[3])
    return _fitting(np.einsum("tk,okc->toc", _array(algorithm.weight_matrix), flat), np.int16, "transformed weights")


def tile_product(v: Int16Array, u: Int16Array) -> Int32Array:
    """M [n, tile row, tile column, tap, o]: for each tap, products summed over the input channels, modulo 2^32
    (numerics.md, N9).
    """
    return np.einsum("nabtc,toc->nabto", v.astype(np.int64), u.astype(np.int64)).astype(np.int32)


def output_transform(m: Int32Array, algorithm: Algorithm, size: Pair) -> Int32Array:
    """The sums of direct convolution without bias, [n, h, w, o], cut to `size` (h, w) (numerics.md, N11, N12)."""
    batch, rows, columns, _, outputs = m.shape
    (m_h, m_w), division = algorithm.m, quotient(algorithm.scale)
    tiles = np.einsum("yt,nabto->nabyo", _array(algorithm.output_matrix), m.astype(np.int64))
    scaled = tiles.astype(np.uint32) * np.uint32(division.inverse)
    assert not (scaled % (1 << division.shift)).any(), f"scaled sums are no multiples of {algorithm.scale}"
    sums = scaled.view(np.int32) >> division.shift
    image = sums.reshape(batch, rows, columns, m_h, m_w, outputs).transpose(0, 1, 3, 2, 4, 5)
    return image.reshape(batch, rows * m_h, columns * m_w, outputs)[:, : size[0], : size[1], :]


def winograd_requantize(sums: Int32Array, bias: Int32Array | None, op: Conv2d) -> Int8Array:
    """The int8 output: bias, requantization, zero point, clamp, as at the end of a direct convolution."""
    biased = wrapped(sums.astype(np.int64) if bias is None else sums.astype(np.int64) + bias)
    return finish(requantize_by(biased, conv_multipliers(op)), op.output.zero_point, op.clamp)


def winograd_conv2d(
    x: Int8Array, weights: Int8Array, bias: Int32Array | None, op: Conv2d, algorithm: Algorithm
) -> Int8Array:
    """All stages one after the other."""
    grid = Grid(algorithm, x.shape, op.window.padding)
    v = input_transform(x, algorithm, op.input.zero_point, op.window.padding)
    m = tile_product(v, transform_weights(weights, algorithm))
    return winograd_requantize(output_transform(m, algorithm, grid.output), bias, op)


def weight_sums(u: Int16Array, algorithm: Algorithm) -> WeightSums:
    """What `transforms.ranges` must know of the transformed filters [tap, o, c] to bound every later stage."""
    # Coefficients and their sums stay far below 2^53, so that products in double, which BLAS does fast, are exact.
    wide = np.ascontiguousarray(u.transpose(1, 2, 0)).astype(np.float64)

    # All outputs of a tile see the same weights.
    by_tap = (_array(algorithm.output_matrix[0])[:, None] * _array(algorithm.input_matrix)).astype(np.float64)
    cells = wide @ by_tap
    negative, positive = (sign(cells, 0).sum(axis=(1, 2)) for sign in (np.minimum, np.maximum))
    pairs = zip(negative.tolist(), positive.tolist(), strict=True)
    return WeightSums((int(u.min()), int(u.max())), tuple((int(low), int(high)) for low, high in pairs))


def _padded(x: Int8Array, zero_point: int, grid: Grid) -> WideArray:
    """x - zero_point, zeros around it, as large as whole tiles need."""
    top, left, _, _ = grid.padding
    _, height, width, _ = x.shape
    # The scale does not matter here: `centred` takes off the zero point.
    image = centred(x, Affine(1.0, zero_point))
    below, beyond = grid.padded[0] - top - height, grid.padded[1] - left - width
    return np.pad(image, ((0, 0), (top, below), (left, beyond), (0, 0)))


def _array(matrix: Sequence[Any]) -> WideArray:
    return np.array(matrix, np.int64)


def _fitting(values: WideArray, dtype: DTypeLike, what: str) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    low, high = int(values.min()), int(values.max())
    assert limits.min <= low and high <= limits.max, f"{what} reach [{low}, {high}], more than {limits.dtype} holds"
    return values.astype(dtype)
