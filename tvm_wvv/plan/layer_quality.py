"""What a quantized Winograd layer loses on sampled tiles, in integer arithmetic: its bytes against direct form's.

A tile is an image of its own without padding, whose output is one tile of the layer's. So the oracles of `reference`
compute it, which share no line with the model in floats that chose the scales.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.plan.tile_sample import TileSample
from tvm_wvv.quant.operators import Conv2d
from tvm_wvv.quant.requantize import requantize
from tvm_wvv.quant.winograd_parameters import MultiplierArray, WinogradIntegers
from tvm_wvv.reference import winograd_quantized as oracle
from tvm_wvv.reference.conv import conv2d
from tvm_wvv.transforms.bilinear import Algorithm


@dataclass(frozen=True)
class Quality:
    """`sqnr_db`: outputs of direct form against their differences, both int8; None where nothing differs.

    `clipped_v` and `clipped_m`: shares of all V and M that lie beyond their 8 bits.
    """

    sqnr_db: float | None
    clipped_v: float
    clipped_m: float


def quality(
    sample: TileSample,
    algorithm: Algorithm,
    op: Conv2d,
    weights: NDArray[np.int8],
    bias: NDArray[np.int32] | None,
    integers: WinogradIntegers,
) -> Quality:
    """Of a layer on these tiles."""
    alone = replace(op, window=replace(op.window, padding=(0, 0, 0, 0)))
    cells = sample.cells.reshape(len(sample), *algorithm.tile, -1)
    x = (cells + op.input.zero_point).astype(np.int8)
    trace = oracle.trace(x, alone, algorithm, integers)
    direct = conv2d(x, weights, bias, alone).astype(np.int64)
    inside = sample.inside.reshape(len(sample), *algorithm.m)
    signal = np.square(direct[inside] - op.output.zero_point).sum()
    noise = np.square(direct[inside] - trace.output[inside]).sum()
    assert integers.v_multipliers is not None and integers.m_multipliers is not None, "V and M are on few bits"
    return Quality(
        10 * math.log10(signal / noise) if signal and noise else None,
        _clipped(trace.v, integers.v_multipliers, integers.v_zero_points, integers.v_bits, column=True),
        _clipped(trace.m, integers.m_multipliers, np.int32(0), integers.m_bits),
    )


def _clipped(
    values: NDArray[np.int32],
    multipliers: MultiplierArray,
    zero_points: NDArray[np.int32] | np.int32,
    bits: int,
    column: bool = False,
) -> float:
    """The share of values [.., tap, channel] that leave so many bits; `column` says that scales are [tap]."""
    mantissa, moved = multipliers.mantissa, np.asarray(zero_points)
    if column:
        mantissa, moved = mantissa[:, None], moved[:, None]
    stored = requantize(values, mantissa, multipliers.shift).astype(np.int64) + moved
    limit = 1 << (bits - 1)
    return float(np.mean((stored < -limit) | (stored >= limit)))
