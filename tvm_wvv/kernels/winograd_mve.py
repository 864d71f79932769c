"""Exact Winograd convolution as one call of a microkernel `wvv_mve_winograd_*`: for cores with vectors.

Two tiles and four outputs are worked on together; channels go in vectors of eight. Bytes are those of
`kernels.winograd`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.kernels.blocks import Shape
from tvm_wvv.kernels.kernel import AS_BY_DEFAULT, Blocking, Kernel
from tvm_wvv.kernels.output_stage import OutputStage, normal
from tvm_wvv.kernels.whole_layer import whole_layer
from tvm_wvv.kernels.winograd_dsp import signs
from tvm_wvv.quant.operators import Window
from tvm_wvv.quant.requantize import per_channel
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid

LANES, TOGETHER = 8, 4
VECTOR_BYTES = 16
_HEADER = "wvv_mve_winograd.h"
# enum wvv_mve_away.
NEVER, ALWAYS, SOME = range(3)
# By variant: f4 divides by 9 modulo 2^32, where 64 times a sum, its bias included, must be an int32, and its bias
# enters before that, by a tap of 576 over the factors of 2 that the transform leaves out.
_SUM_BOUNDS = {"f2": 1 << 30, "f4": 1 << 25, "f4c": 1 << 30}
VARIANTS = tuple(_SUM_BOUNDS)
_BIAS_FACTORS = {"f2": 1, "f4": 144, "f4c": 1}


def fits(algorithm: Algorithm, stage: OutputStage) -> bool:
    """Whether there is a microkernel for this algorithm and this kind of requantization."""
    return algorithm.name in _SUM_BOUNDS and stage.short and stage.bound < _SUM_BOUNDS[algorithm.name]


def winograd_conv2d(
    algorithm: Algorithm,
    window: Window,
    zero_point: int,
    x_shape: Shape,
    u: np.ndarray,
    stage: OutputStage,
    _blocking: Blocking = AS_BY_DEFAULT,
) -> Kernel:
    """x int8 NHWC -> int8 NHWC; `u` is U int16 [tap, o, c]. There is one way to cut the loops."""
    grid, (mantissas, shifts) = Grid(algorithm, x_shape, window.padding), normal_columns(stage)
    blocks = in_fours(np.stack([stage.bias.astype(np.int64) * _BIAS_FACTORS[algorithm.name], mantissas, shifts]))
    words = layer_words(grid, zero_point, stage, NEVER if stage.positive else ALWAYS)
    constants = {
        "u": pack_weights((u * signs(algorithm)[:, None, None]).astype("<i2")),
        "stage": blocks,
        "layer": np.array([*words, blocks[0].size, 0, 0, 0, 0], np.int32),
    }
    return layer_kernel(grid, f"wvv_mve_winograd_{algorithm.name}", constants, stage.bias.size, LANES)


def layer_kernel(grid: Grid, name: str, constants: Mapping[str, np.ndarray], outputs: int, lanes: int) -> Kernel:
    """The call of `name`; V has `lanes` in a vector."""
    taps, cells = grid.algorithm.taps, math.prod(grid.algorithm.tile)
    vectors = -(-grid.x_shape[3] // lanes)
    # M takes the place of what the input transform needs: a tile of eight channels on 16 bits, one of bytes, and in
    # int8 all taps before they are rounded.
    transform = cells * LANES * 3 // 4 + (taps * LANES // 2 if lanes > LANES else 0)
    scratch = taps * vectors * VECTOR_BYTES // 2 + max(2 * TOGETHER * taps, transform)
    func = whole_layer(name, {"x": grid.x_shape}, constants, grid.out_shape(outputs), scratch, header=_HEADER)
    return Kernel(f"winograd_{grid.algorithm.name}_conv2d", func, tuple(constants.values()))


def layer_words(grid: Grid, zero_point: int, stage: OutputStage, away: int) -> list[int]:
    """What `struct wvv_mve_winograd` begins with."""
    top, left, _, _ = grid.padding
    shapes = [*grid.x_shape, *grid.out_shape(stage.bias.size)[1:], top, left]
    return [*map(int, shapes), zero_point, stage.zero_point, away, *stage.clamp]


def normal_columns(stage: OutputStage) -> NDArray[np.int64]:
    """[2, o]: mantissas and shifts."""
    mantissas, shifts = per_channel(normal(stage.multipliers))
    return np.stack([np.broadcast_to(one, stage.bias.shape) for one in (mantissas, shifts)]).astype(np.int64)


def pack_weights(u: np.ndarray) -> NDArray[np.int32]:
    """[tap, o, c] of int16 or int8 as words [four outputs, tap, vector, output, word]."""
    taps, outputs, channels = u.shape
    lanes = VECTOR_BYTES // u.itemsize
    whole = np.pad(u, ((0, 0), (0, -outputs % TOGETHER), (0, -channels % lanes)))
    parts = whole.reshape(taps, whole.shape[1] // TOGETHER, TOGETHER, -1, lanes).transpose(1, 0, 3, 2, 4)
    return np.ascontiguousarray(parts).view("<i4").astype(np.int32)


def in_fours(rows: np.ndarray) -> NDArray[np.int32]:
    """[.., o] as int32 [four outputs, .., output], zeros where an output is missing."""
    whole = np.pad(rows, (*[(0, 0)] * (rows.ndim - 1), (0, -rows.shape[-1] % TOGETHER)))
    parts = np.moveaxis(whole.reshape(*rows.shape[:-1], -1, TOGETHER), -2, 0)
    return np.ascontiguousarray(parts).astype(np.int32)
