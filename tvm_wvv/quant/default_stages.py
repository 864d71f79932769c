"""Stage quantizers without any data: from matrices, weights and the input's zero point alone. They never clip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.errors import WvvError
from tvm_wvv.quant.operators import Conv2d
from tvm_wvv.quant.stage import FloatArray, Granularity, StageQuantizer, Stages, by_clip
from tvm_wvv.quant.winograd_ranges import WideArray, product_ranges, transformed_input_ranges, transformed_weights
from tvm_wvv.transforms.bilinear import Algorithm

_INT32_MAX = (1 << 31) - 1
_INT16_MAX = (1 << 15) - 1
_MULTIPLIER_MARGIN = 1 + 2.0**-10


def from_ranges(
    algorithm: Algorithm,
    op: Conv2d,
    weights: NDArray[np.int8],
    arithmetic: str,
    granularity: Granularity = "tap",
    power_of_two: bool = False,
) -> Stages:
    """`int16`: weights as fine as 16 bits and int32 sums over all input channels allow, V as it is if it fits int16.
    `int8`: 8 bits for each stage, scaled to the greatest value that it may ever reach.
    """
    assert arithmetic in ("int16", "int8"), f"{arithmetic} has no stage quantizers"
    u = transformed_weights(weights, algorithm)
    low, high = transformed_input_ranges(algorithm, op.input.zero_point)
    if arithmetic == "int16":
        return _int16_stages(u, low, high, granularity, power_of_two)
    v = by_clip(greatest(low, high), 8, input_granularity(granularity), power_of_two=power_of_two)
    weight = weight_quantizer(u, 8, weight_granularity(granularity), power_of_two)
    reached = greatest(*product_ranges(u, low, high))
    m = by_clip(reached, 8, granularity, power_of_two=power_of_two, least=product_step(v, weight, u.shape[:2]))
    return Stages(weight, v, m)


def input_granularity(granularity: Granularity) -> Granularity:
    """V has no output channels: per tap is as fine as it gets."""
    return "tensor" if granularity == "tensor" else "tap"


def weight_granularity(granularity: Granularity) -> Granularity:
    """Scales of U per tap and channel cost nothing, as M's multipliers are per tap and channel in any case."""
    return "tensor" if granularity == "tensor" else "tap_channel"


def weight_quantizer(
    u: WideArray, bits: int, granularity: Granularity = "tap_channel", power_of_two: bool = False
) -> StageQuantizer:
    """The quantizer that clips no entry of U [t, o, c]."""
    return by_clip(np.abs(u).max(axis=2), bits, granularity, power_of_two=power_of_two)


def widest_weights(
    u: WideArray, low: NDArray, high: NDArray, granularity: Granularity = "tap_channel", power_of_two: bool = False
) -> StageQuantizer:
    """The finest quantizer of U [t, o, c] with 16 bits whose products' sums fit int32 for V within [low, high] [t].

    Where sums are long, a scale is larger than 16 bits would ask for: the weights then use fewer of their bits.
    """
    reach = greatest(low, high)
    # Rounding moves a weight by half a step at most.
    room = _INT32_MAX - u.shape[2] * (reach / 2 + 1)
    if (room <= 0).any():
        raise WvvError(
            f"sums of products over {u.shape[2]} input channels with transformed inputs up to {reach.max():.0f} "
            f"leave int32 (2^31) through the rounding of the weights alone"
        )
    least = np.maximum(greatest(*product_ranges(u, low, high)) / room[:, None], 1.0)
    return by_clip(np.abs(u).max(axis=2), 16, granularity, power_of_two=power_of_two, least=least)


def product_step(v: StageQuantizer, u: StageQuantizer, shape: tuple[int, ...]) -> FloatArray:
    """The step in which M comes, [taps, outputs]: a finer scale for it carries nothing."""
    taps, outputs = shape
    return v.scales(taps) * u.scales(taps, outputs)


def greatest(low: NDArray, high: NDArray) -> FloatArray:
    """The largest magnitude within each range."""
    return np.maximum(-low, high).astype(np.float64)


def _int16_stages(
    u: WideArray, low: WideArray, high: WideArray, granularity: Granularity, power_of_two: bool
) -> Stages:
    of_weights = weight_granularity(granularity)
    if greatest(low, high).max() <= _INT16_MAX:
        return Stages(widest_weights(u, low, high, of_weights, power_of_two))
    v = by_clip(greatest(low, high), 16, input_granularity(granularity), power_of_two=power_of_two)
    scale = v.scales(len(low))[:, 0]
    # More than the quotients: requantization rounds, its multipliers too.
    stored = low / scale * _MULTIPLIER_MARGIN - 1, high / scale * _MULTIPLIER_MARGIN + 1
    return Stages(widest_weights(u, *stored, of_weights, power_of_two), v)
