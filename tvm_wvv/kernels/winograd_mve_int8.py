"""Winograd convolution with every stage on 8 bits as one call of a microkernel `wvv_mve_winograd_*_int8`.

V and U are int8, so that one instruction multiplies 16 channels; V and M are rounded as `kernels.rescaling` has it.
Bytes are those of `kernels.winograd_quantized`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.kernels.blocks import Shape
from tvm_wvv.kernels.fixed_point import SHORT_BOUND
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.kernels.output_stage import OutputStage
from tvm_wvv.kernels.winograd_dsp import signs
from tvm_wvv.kernels.winograd_mve import (
    ALWAYS,
    NEVER,
    SOME,
    VECTOR_BYTES,
    in_fours,
    layer_kernel,
    layer_words,
    normal_columns,
    pack_weights,
)
from tvm_wvv.kernels.winograd_quantized import Parts
from tvm_wvv.quant.operators import Window
from tvm_wvv.quant.winograd_parameters import MultiplierArray
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid

_VARIANTS = ("f2", "f4", "f4c")
_BITS = 8
_INT32_MAX = (1 << 31) - 1
# V is added to its zero point in 16 bits.
_GREATEST_V = (1 << 15) - 1 - (1 << 7)
# `vrshl` moves to the right by so many places at most; of sums with half a unit the short form proves fewer.
_LEAST_SHIFT, _LEAST_RIGHT = -30, -22


def fits(algorithm: Algorithm, parts: Parts) -> bool:
    """Whether there is a microkernel for this algorithm and these roundings."""
    v, m = parts.of_input, parts.of_products
    if algorithm.name not in _VARIANTS or v is None or m is None or not _finishes(parts.output):
        return False
    shifts = v.multipliers.shift in (0, 1) and _LEAST_SHIFT <= m.multipliers.shift <= 1
    return shifts and v.bits == _BITS and v.bound <= _GREATEST_V and m.bits <= _BITS and parts.u.dtype == np.int8


def winograd_conv2d(algorithm: Algorithm, window: Window, zero_point: int, x_shape: Shape, parts: Parts) -> Kernel:
    """x int8 NHWC -> int8 NHWC."""
    grid, outputs, of_products = Grid(algorithm, x_shape, window.padding), parts.u.shape[1], parts.of_products
    assert of_products is not None, "`fits` tells that M is rounded"
    mantissas, places = unshifted(of_products.multipliers)
    end, factors = _End.of(parts.output), raised_factors(parts)
    of_channels = 2 if not _same_for_all(factors) else 0 if _same_for_all(mantissas) else 1
    sections = [in_fours(end.words)]
    if parts.offset.any():
        sections.append(in_fours(parts.offset))
    if of_channels:
        # Behind the mantissas of a tap its factors.
        numbers = np.stack([mantissas.astype(np.int64), factors], axis=1)
        sections.append(in_fours(numbers[:, :of_channels].reshape(-1, outputs)))
    stage = np.concatenate(sections, axis=1)
    kinds = [stage[0].size, int(parts.offset.any()), of_channels, places, (1 << (of_products.bits - 1)) - 1]
    words = layer_words(grid, zero_point, parts.output, end.away)
    constants = {
        "u": pack_weights(parts.u),
        "taps": tap_words(algorithm, parts),
        "stage": stage,
        "layer": np.array([*words, *kinds], np.int32),
    }
    return layer_kernel(grid, f"wvv_mve_winograd_{algorithm.name}_int8", constants, outputs, VECTOR_BYTES)


@dataclass(frozen=True, eq=False)
class _End:
    """The last stage, on sums of channels that are `raised` by so many places: no multiplier shifts to the left.

    `words` is [3, o]: bias, mantissas, shifts.
    """

    words: NDArray[np.int64]
    raised: NDArray[np.int64]
    away: int

    @staticmethod
    def of(stage: OutputStage) -> _End:
        """A channel is raised by its own shift, for only what is shifted to the right is rounded twice."""
        mantissas, shifts = normal_columns(stage)
        raised, left = np.maximum(shifts, 0), np.minimum(shifts, 0)
        away = NEVER if stage.positive or not left.any() else ALWAYS if left.all() else SOME
        return _End(np.stack([stage.bias.astype(np.int64) << raised, mantissas, left]), raised, away)


def _finishes(stage: OutputStage) -> bool:
    """Whether raised sums stay below 2^30 and shifts to the right within those of the short form."""
    end = _End.of(stage)
    return stage.bound << int(end.raised.max()) < SHORT_BOUND and int(end.words[2].min()) >= _LEAST_RIGHT


def raised_factors(parts: Parts) -> NDArray[np.int64]:
    """[tap, o]: M's factors on the scale of `_End`."""
    return parts.factors.astype(np.int64) << _End.of(parts.output).raised


def tap_words(algorithm: Algorithm, parts: Parts) -> NDArray[np.int32]:
    """[tap, 4]: V's mantissa, negative where the microkernel makes -V, and its zero point; M's mantissa and factor."""
    v, m = parts.of_input, parts.of_products
    assert v is not None and m is not None, "`fits` tells that V and M are rounded"
    columns = (
        unshifted(v.multipliers)[0].astype(np.int64) * signs(algorithm),
        np.broadcast_to(v.zero_points, algorithm.taps),
        unshifted(m.multipliers)[0][:, 0],
        raised_factors(parts)[:, 0],
    )
    return np.stack(columns, axis=1).astype(np.int32)


def unshifted(multipliers: MultiplierArray) -> tuple[NDArray[np.int32], int]:
    """Mantissas that need no shift to the left, and the shift that is left, zero or negative.

    Doubled, a mantissa of 2^30 would leave int32; one less makes no difference to what is below 2^30, and what is not
    is clipped.
    """
    if multipliers.shift <= 0:
        return multipliers.mantissa, multipliers.shift
    doubled = np.minimum(multipliers.mantissa.astype(np.int64) << multipliers.shift, _INT32_MAX)
    return doubled.astype(np.int32), 0


def _same_for_all(of_outputs: np.ndarray) -> bool:
    return bool((of_outputs == of_outputs[:, :1]).all())
