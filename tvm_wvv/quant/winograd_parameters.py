"""From a layer and its stage quantizers to the integers of its quantized Winograd form: scales become integers here.

    V  = B (x - zx)                                  exact, int32
    Vq = clip(rq(V, v_multipliers[t]) + zv[t])       or V itself, where it fits int16
    M  = m_offset[t,o] + sum over c of u[t,o,c] Vq   int32
    Mq = clip(rq(M, m_multipliers[t,o]))             few bits, or 32 and then without clipping
    y  = sum over t of A[i,t] k[t,o] Mq[t,o]         int32, on one scale for all taps
    out = clip(rq(y + bias_y[o], out_multipliers[o]) + zo)

rq is `quant.requantize`. `winograd_integers` proves from exact ranges that nothing leaves int32, partial sums and the
intermediate values of the transforms included, or refuses with the numbers; only the clips named above ever clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.errors import WvvError
from tvm_wvv.quant.fixed_point import MANTISSA_BITS, Multiplier, quantize_multiplier
from tvm_wvv.quant.operators import Conv2d
from tvm_wvv.quant.requantize import Int32Array, requantize
from tvm_wvv.quant.stage import FloatArray, StageQuantizer, Stages
from tvm_wvv.quant.winograd_outputs import INT32_MAX, OutputScale, narrow_output, wide_output
from tvm_wvv.quant.winograd_ranges import (
    WideArray,
    greatest_while_transforming,
    product_ranges,
    transformed_input_ranges,
    transformed_weights,
)
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.ranges import INT16

WeightArray = NDArray[Any]  # int8 or int16
_LONGEST_ZEROS, _GUARD_BITS, _LEAST_SHIFT = 15, 8, -22


@dataclass(frozen=True, eq=False)
class MultiplierArray:
    """Fixed-point multipliers mantissa * 2^(shift - 31), ready for `requantize`; kernels shift by a constant."""

    mantissa: Int32Array
    shift: int

    @property
    def powers_of_two(self) -> bool:
        """Whether each one is a power of two."""
        return bool((self.mantissa & (self.mantissa - 1) == 0).all())


@dataclass(frozen=True, eq=False)
class WinogradIntegers:
    """All that oracle and kernels need beside the algorithm's matrices and the operator's window, zero points, clamp.

    `u` [t, o, c] is int8 where `u_bits` <= 8, else int16. `v_multipliers` [t] is None where V is stored as it is, in
    int16. `m_multipliers` [t, o] is None where M is on y's scale already. `m_bits` is 32 where M is rescaled without
    clipping. `factors` k is [t, o], or [t, 1] where all outputs share it. `products_bound` limits |M| and its partial
    sums, `y_bound` limits |y + bias_y| and all that the output transform makes on the way.
    """

    u: WeightArray
    u_bits: int
    v_multipliers: MultiplierArray | None
    v_zero_points: Int32Array
    v_bits: int
    m_offset: Int32Array
    m_multipliers: MultiplierArray | None
    m_bits: int
    factors: Int32Array
    bias_y: Int32Array
    out_multipliers: tuple[Multiplier, ...]
    products_bound: int
    y_bound: int


def winograd_integers(
    algorithm: Algorithm, op: Conv2d, weights: NDArray[np.int8], bias: Int32Array | None, stages: Stages
) -> WinogradIntegers:
    """The layer's integers. WvvError where a sum may leave int32 or the quantizers do not fit the layer."""
    taps, outputs = algorithm.taps, weights.shape[0]
    v_scale, u_scale = _checked_scales(stages, taps, outputs)
    zero_points = np.array(stages.v.zero_points(taps) if stages.v else (0,) * taps, np.int64)
    v_multipliers = None if stages.v is None else multipliers(1 / v_scale)
    v_range = _stored_inputs(algorithm, op, stages.v, v_multipliers, zero_points)
    u = _quantized_weights(transformed_weights(weights, algorithm), u_scale, stages.u)
    offset = -zero_points[:, None] * u.sum(axis=2)
    reached = _partial_sums(u, offset, *v_range)
    step = v_scale[:, None] * u_scale
    # The bias counts on the grid of M, of which the true sums are `scale` times as many steps.
    grid_bias = np.zeros(outputs) if bias is None else bias.astype(np.float64) * algorithm.scale
    if stages.m is None:
        out = wide_output(algorithm, reached * step, step, grid_bias)
    else:
        out = narrow_output(algorithm, stages.m, grid_bias)
    return WinogradIntegers(
        u=u.astype(np.int8 if stages.u.bits <= 8 else np.int16),
        u_bits=stages.u.bits,
        v_multipliers=v_multipliers,
        v_zero_points=zero_points.astype(np.int32),
        v_bits=16 if stages.v is None else stages.v.bits,
        m_offset=offset.astype(np.int32),
        m_multipliers=_rescaling(step / out.m_scale, reached, stages.m),
        m_bits=32 if stages.m is None else stages.m.bits,
        factors=out.factors,
        bias_y=out.bias,
        out_multipliers=_out_multipliers(algorithm, op, out),
        products_bound=int(reached.max()),
        y_bound=out.bound,
    )


def multipliers(reals: FloatArray) -> MultiplierArray:
    """Each of `reals` in fixed point, all with one shift (numerics.md, N19).

    V and M are whole numbers of only a few steps: with a shift to the right after the multiplication, `requantize`
    would round values of few bits twice, which moves one V in five and costs 1 dB of the layer. So the shift is 0
    where the largest mantissa then keeps 16 bits; else it leaves eight more bits to the first rounding, so that the
    second is the only one that counts.
    """
    exponent = int(np.frexp(reals.max())[1])
    if exponent < -_LONGEST_ZEROS:
        shift = max(exponent + _GUARD_BITS, _LEAST_SHIFT)
    else:
        # A fraction just below one rounds up to 2^31, which 31 bits cannot hold.
        full = np.rint(np.ldexp(reals.max(), MANTISSA_BITS - max(exponent, 0))) > INT32_MAX
        shift = max(exponent, 0) + int(full)
    return MultiplierArray(np.rint(np.ldexp(reals, MANTISSA_BITS - shift)).astype(np.int32), shift)


def _checked_scales(stages: Stages, taps: int, outputs: int) -> tuple[FloatArray, FloatArray]:
    """Scales of V [t] and of U [t, o]."""
    for name, stage in (("u", stages.u), ("m", stages.m)):
        if stage is not None and any(stage.zero_point):
            raise WvvError(f"{name}.zero_point: weights and sums of products are symmetric, need 0")
    try:
        v = np.ones(taps) if stages.v is None else stages.v.scales(taps)[:, 0]
        return v, stages.u.scales(taps, outputs)
    except ValueError as error:
        raise WvvError(f"stage quantizers do not fit {taps} taps and {outputs} outputs: {error}") from error


def _stored_inputs(
    algorithm: Algorithm, op: Conv2d, v: StageQuantizer | None, scaled: MultiplierArray | None, zero_points: WideArray
) -> tuple[WideArray, WideArray]:
    """Least and greatest stored value of each tap's transformed input."""
    low, high = transformed_input_ranges(algorithm, op.input.zero_point)
    if v is None or scaled is None:
        worst = max(-int(low.min()), int(high.max()))
        if worst > INT16[1]:
            raise WvvError(f"transformed inputs may reach {worst}, int16 ends at {INT16[1]}: they need a quantizer")
        return low, high
    raised = greatest_while_transforming(algorithm, op.input.zero_point) << max(0, scaled.shift)
    if raised > INT32_MAX:
        raise WvvError(f"v.scale: {min(v.scale):g} raises transformed inputs to {raised}, int32 ends at {INT32_MAX}")
    ends = [requantize(end, scaled.mantissa, scaled.shift).astype(np.int64) + zero_points for end in (low, high)]
    return np.clip(ends[0], *v.limits), np.clip(ends[1], *v.limits)


def _quantized_weights(u: WideArray, scale: FloatArray, quantizer: StageQuantizer) -> WideArray:
    """U in steps of its scale, symmetric: the least negative value stays unused, as in TFLite's weights
    (numerics.md, N7).
    """
    most = quantizer.limits[1]
    return np.clip(np.rint(u / scale[:, :, None]), -most, most).astype(np.int64)


def _partial_sums(u: WideArray, offset: WideArray, low: WideArray, high: WideArray) -> FloatArray:
    """The largest magnitude [t, o] of the products' sums and of every partial sum that starts from `offset`."""
    below, above = product_ranges(u, low, high)
    reached = np.maximum(-(offset + below), offset + above)
    if reached.max() > INT32_MAX:
        raise WvvError(
            f"sums of products over {u.shape[2]} input channels may reach {reached.max():.0f}, int32 ends at "
            f"{INT32_MAX}: take coarser scales for the transformed weights, or fewer bits"
        )
    return reached


def _rescaling(reals: FloatArray, reached: FloatArray, m: StageQuantizer | None) -> MultiplierArray | None:
    """The multipliers from M to its quantized form; None where all of them are one and nothing clips."""
    if m is None:
        if (reals == 1.0).all():
            return None
        if reals.max() == 1.0:
            # One itself would take a shift to the left, for which wide sums may have no room.
            reals = np.minimum(reals, 1 - 2.0**-MANTISSA_BITS)
    found = multipliers(reals)
    raised = reached.max() * 2.0 ** max(found.shift, 0)
    if raised > INT32_MAX:
        raise WvvError(
            f"m.scale: finer than the step of the sums of products, which it raises to {raised:.0f}, int32 ends at "
            f"{INT32_MAX}: take a scale {raised / INT32_MAX:.2g} times as large"
        )
    return found


def _out_multipliers(algorithm: Algorithm, op: Conv2d, out: OutputScale) -> tuple[Multiplier, ...]:
    """From y's scale to the output's."""
    weight_scales = np.broadcast_to(np.array(op.weight_scales, np.float64), out.scale.shape)
    reals = op.input.scale * weight_scales / op.output.scale * out.scale / algorithm.scale
    found = tuple(quantize_multiplier(float(real)) for real in reals)
    raised = out.bound << max(0, *(one.shift for one in found))
    if raised > INT32_MAX:
        raise WvvError(f"output scale {op.output.scale:g} is so fine that it raises the sums to {raised}, past 2^31")
    return found
