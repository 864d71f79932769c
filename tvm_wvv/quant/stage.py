"""The quantizer of one stage of a Winograd layer: real values of a stage to a few bits, clipped.

    q = clip(round(value / scale) + zero_point),   value is about scale * (q - zero_point)        (numerics.md, N14)

Values count on the stage's integer grid, not in real units: V in steps of the input's scale, U in steps of weight
scale / algorithm scale, M in steps of their product. So a quantizer holds for a layer whatever its activations' scales.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tvm_wvv.quant.operators import Pair

Granularity = Literal["tensor", "tap", "tap_channel"]
GRANULARITIES: tuple[Granularity, ...] = get_args(Granularity)
FloatArray = NDArray[np.float64]
# One bit holds a sign and nothing else; more than 16 do not fit what kernels store.
LEAST_BITS, MOST_BITS = 2, 16


@dataclass(frozen=True)
class StageQuantizer:
    """`scale` is flat: one entry, one for each tap, or one for each (tap, channel) with channels innermost.

    Channels are output channels, so the input stage V knows only tensor and tap. `zero_point` has one entry or one for
    each tap. Where `power_of_two` is set, every scale is a power of two and a multiplier becomes a shift.
    """

    bits: int
    scale: tuple[float, ...]
    granularity: Granularity = "tensor"
    zero_point: tuple[int, ...] = (0,)
    power_of_two: bool = False

    @property
    def limits(self) -> Pair:
        """Least and greatest quantized value."""
        return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1

    @property
    def clip(self) -> tuple[float, ...]:
        """The greatest magnitude that each scale holds on both sides of zero, the zero point being 0."""
        return tuple(one * self.limits[1] for one in self.scale)

    def scales(self, taps: int, channels: int = 1) -> FloatArray:
        """[taps, channels], whatever the granularity; ValueError where the number of scales is another."""
        expected = scale_count(self.granularity, taps, channels)
        if len(self.scale) != expected:
            raise ValueError(f"{len(self.scale)} scales, need {expected} (one for each {self.granularity})")
        shape = {"tensor": (1, 1), "tap": (taps, 1), "tap_channel": (taps, channels)}[self.granularity]
        return np.broadcast_to(np.array(self.scale, np.float64).reshape(shape), (taps, channels))

    def zero_points(self, taps: int) -> tuple[int, ...]:
        """One for each tap."""
        if len(self.zero_point) not in (1, taps):
            raise ValueError(f"{len(self.zero_point)} zero points, need 1 or {taps}")
        return self.zero_point * taps if len(self.zero_point) == 1 else self.zero_point


@dataclass(frozen=True)
class Stages:
    """The quantizers of one layer. Without `v`, V stays as it is, in int16; without `m`, M is rescaled in 32 bits."""

    u: StageQuantizer
    v: StageQuantizer | None = None
    m: StageQuantizer | None = None


def scale_count(granularity: Granularity, taps: int, channels: int) -> int:
    """How many scales a granularity has."""
    return {"tensor": 1, "tap": taps, "tap_channel": taps * channels}[granularity]


def by_clip(
    greatest: ArrayLike, bits: int, granularity: Granularity, *, power_of_two: bool = False, least: ArrayLike = 1.0
) -> StageQuantizer:
    """The symmetric quantizer that holds the magnitudes `greatest` [taps] or [taps, channels]; beyond, it clips.

    No scale falls below `least`, the step in which the stage's values come anyway.
    """
    shared = _shared(greatest, granularity) / ((1 << (bits - 1)) - 1)
    scale = _rounded(np.maximum(shared, _shared(least, granularity)), power_of_two)
    return StageQuantizer(bits, tuple(scale.ravel().tolist()), granularity, (0,), power_of_two)


def by_range(
    low: ArrayLike, high: ArrayLike, bits: int, granularity: Granularity, *, power_of_two: bool = False
) -> StageQuantizer:
    """The quantizer of values within `low` and `high` [taps] whose zero points use all steps, even where a tap's values
    lie on one side of zero.
    """
    steps, least = (1 << bits) - 1, -(1 << (bits - 1))
    floor = np.minimum(-_shared(-np.asarray(low, np.float64), granularity), 0.0)
    ceiling = np.maximum(_shared(high, granularity), 0.0)
    scale = _rounded(np.maximum((ceiling - floor) / steps, 1.0), power_of_two)
    zero_point = np.clip(np.rint(least - floor / scale), least, least + steps)
    return StageQuantizer(
        bits, tuple(scale.ravel().tolist()), granularity, tuple(map(int, zero_point.ravel())), power_of_two
    )


def _shared(greatest: ArrayLike, granularity: Granularity) -> FloatArray:
    """The maxima over all values that share one scale."""
    values = np.asarray(greatest, np.float64)
    if granularity == "tap_channel":
        return values
    axes = tuple(range(values.ndim)) if granularity == "tensor" else tuple(range(1, values.ndim))
    return np.asarray(values.max(axis=axes))


def _rounded(scale: FloatArray, power_of_two: bool) -> FloatArray:
    """Each scale raised to the next power of two, if wished."""
    return np.exp2(np.ceil(np.log2(scale))) if power_of_two else scale
