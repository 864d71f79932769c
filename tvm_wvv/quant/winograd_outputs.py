"""On which scale the taps' sums of products meet in the output transform, and the proof that they fit int32 there
(numerics.md, N15).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvm_wvv.errors import WvvError
from tvm_wvv.quant.requantize import Int32Array
from tvm_wvv.quant.stage import FloatArray, StageQuantizer
from tvm_wvv.quant.winograd_ranges import program_weights
from tvm_wvv.transforms.bilinear import Algorithm

INT32_MAX = (1 << 31) - 1
# Half of what int32 holds: requantization of sums below 2^30 is short, and the bit lost is the last of 30.
_MOST_SUM = (1 << 30) - 1
# Factors fit int16, for the short multiplications of small cores. Where the taps' scales lie within 2^5 of each other
# even the least factor has ten bits, and its own rounding is 2^-11 of a value that was rounded to 8 bits.
_MOST_FACTOR = (1 << 15) - 1
_LEAST_TOP_FACTOR = 127
# Scales that differ by less are the same, written in single precision.
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class OutputScale:
    """`scale` [o] of y, in steps of the grid of M; `m_scale` [t, o] of the rescaled M; `factors` [t, o] or [t, 1].

    `bias` [o] is on y's scale. `bound` limits |y + bias| and every value of the output transform.
    """

    scale: FloatArray
    m_scale: FloatArray
    factors: Int32Array
    bias: Int32Array
    bound: int


def wide_output(algorithm: Algorithm, reached: FloatArray, step: FloatArray, bias: FloatArray) -> OutputScale:
    """For M that is rescaled to y's own scale in 32 bits. `reached` [t, o] limits M and `step` [t, o] is its step.

    The scale of each output is the finest that fits, but not finer than every step: that would carry nothing.
    """
    weights = program_weights(algorithm.output_program)
    most = (weights @ reached).max(axis=0) + np.abs(bias)
    slack = 2 * weights.sum(axis=1).max() + 1
    # All multipliers share one shift: where one is above one, all sums are shifted to the left, and must have room.
    room = min(1.0, 2 * (reached / step).max() / INT32_MAX)
    scale = np.maximum.reduce([step.min(axis=0), step.max(axis=0) * room, most / (_MOST_SUM - slack)])
    rounded_bias = np.rint(bias / scale)
    values = np.floor(reached / scale) + 1
    bound = _fit((weights @ values).max(axis=0) + np.abs(rounded_bias))
    factors = np.ones((algorithm.taps, 1), np.int32)
    return OutputScale(scale, np.broadcast_to(scale, step.shape), factors, rounded_bias.astype(np.int32), bound)


def narrow_output(algorithm: Algorithm, m: StageQuantizer, bias: FloatArray) -> OutputScale:
    """For M of few bits: whole factors bring its scales onto a common one, as fine as int32 and 15 bits allow.

    Equal scales need no factors, powers of two times a number for each output get powers of two. Where the scales are a
    number for each tap times one for each output, all outputs share their factors.
    """
    try:
        m_scale = m.scales(algorithm.taps, len(bias))
    except ValueError as error:
        raise WvvError(f"m: {error}") from error
    weights, largest = program_weights(algorithm.output_program), -m.limits[0]
    most = (weights @ (m_scale * largest)).max(axis=0) + np.abs(bias)
    slack = largest * weights.sum(axis=1).max() / 2 + 1
    scale = np.maximum(m_scale.max(axis=0) / _MOST_FACTOR, most / (_MOST_SUM - slack))
    outputs, least = m_scale.max(axis=0), m_scale.min(axis=0)
    shared = np.allclose(m_scale / outputs, (m_scale / outputs)[:, :1], rtol=_SAME, atol=0)
    if shared:
        scale = outputs * (scale / outputs).max()
    if np.allclose(m_scale, outputs, rtol=_SAME, atol=0):
        scale = outputs
    elif shared and (least >= scale).all() and _powers_of_two(m_scale / least):
        scale = least
    elif m.power_of_two:
        scale = np.maximum(least, 2.0 ** np.ceil(np.log2(scale)))
    factors = np.rint(m_scale / scale)
    if shared:
        factors = np.broadcast_to(factors[:, :1], factors.shape)
    needed = np.minimum(_LEAST_TOP_FACTOR, outputs / least)
    if (factors.max(axis=0) < needed).any():
        raise WvvError(
            f"bias up to {np.abs(bias).max():.3g} steps beside sums of products of {(m_scale * largest).max():.3g} "
            f"leaves the taps' factors no more than {factors.max(axis=0).min():.0f}, need {needed.max():.0f}"
        )
    rounded_bias = np.rint(bias / scale)
    bound = _fit((weights @ (factors * largest)).max(axis=0) + np.abs(rounded_bias))
    kept = factors[:, :1] if shared else factors
    return OutputScale(scale, m_scale, kept.astype(np.int32), rounded_bias.astype(np.int32), bound)


def _powers_of_two(ratios: FloatArray) -> bool:
    return np.allclose(ratios, np.exp2(np.rint(np.log2(ratios))), rtol=_SAME, atol=0)


def _fit(bound: FloatArray) -> int:
    most = int(bound.max())
    if most > INT32_MAX:
        raise WvvError(f"output sums with bias may reach {most}, int32 ends at {INT32_MAX}")
    return most
