"""Exact Winograd convolution by F(4x4, 3x3) as one call of the microkernel `wvv_mve_winograd`: for cores with vectors.

Two tiles and four outputs are worked on together; channels go in vectors of eight. Bytes are those of
`kernels.winograd`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.kernels.blocks import Shape
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.kernels.output_stage import OutputStage
from tvm_wvv.kernels.whole_layer import whole_layer
from tvm_wvv.kernels.winograd_dsp import signs
from tvm_wvv.quant.operators import Window
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid

LANES, TOGETHER = 8, 4
# 64 times a sum, its bias included, is an int32.
_SUM_BOUND = 1 << 25
# Of the tap that the bias enters by: 576 over the factors of 2 that the transform leaves out.
_BIAS_FACTOR = 144


def fits(algorithm: Algorithm, stage: OutputStage) -> bool:
    """Whether there is a microkernel for this algorithm and this kind of requantization."""
    return algorithm.name == "f4" and stage.short and stage.bound < _SUM_BOUND


def winograd_conv2d(
    algorithm: Algorithm, window: Window, zero_point: int, x_shape: Shape, u: np.ndarray, stage: OutputStage
) -> Kernel:
    """x int8 NHWC -> int8 NHWC; `u` is U int16 [tap, o, c]."""
    grid, (taps, outputs, channels) = Grid(algorithm, x_shape, window.padding), u.shape
    out_shape, vectors = grid.out_shape(outputs), -(-channels // LANES)
    top, left, _, _ = window.padding
    layer = [*x_shape, *out_shape[1:3], outputs, top, left, zero_point]
    layer += [stage.zero_point, int(stage.positive), *stage.clamp]
    constants = {
        "u": pack_weights(u * signs(algorithm)[:, None, None]),
        "stage": pack_stage(stage.words()),
        "layer": np.array(layer, np.int32),
    }
    scratch = taps * vectors * LANES + 2 * TOGETHER * taps
    func = whole_layer("wvv_mve_winograd", {"x": x_shape}, constants, out_shape, scratch)
    return Kernel(f"winograd_{algorithm.name}_conv2d", func, tuple(constants.values()))


def pack_weights(u: np.ndarray) -> NDArray[np.int32]:
    """[tap, o, c] as pairs [four outputs, tap, vector, output, pair]."""
    taps, outputs, channels = u.shape
    whole = np.pad(u, ((0, 0), (0, -outputs % TOGETHER), (0, -channels % LANES))).astype("<i2")
    parts = whole.reshape(taps, whole.shape[1] // TOGETHER, TOGETHER, -1, LANES).transpose(1, 0, 3, 2, 4)
    return np.ascontiguousarray(parts).view("<i4").astype(np.int32)


def pack_stage(words: np.ndarray) -> NDArray[np.int32]:
    """`OutputStage.words` [o, 4] as [four outputs, 3, output]: bias raised, mantissa, right shift negated."""
    doubled, mantissa, _, right = words.astype(np.int64).T
    made = np.stack([doubled // 2 * _BIAS_FACTOR, mantissa, -right], axis=1).astype(np.int32)
    whole = np.pad(made, ((0, -len(words) % TOGETHER), (0, 0)))
    return np.ascontiguousarray(whole.reshape(-1, TOGETHER, 3).transpose(0, 2, 1))
