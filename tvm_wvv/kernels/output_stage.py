"""The last stage of convolutions and dense layers: bias, requantization, zero point, clamp; block `requantize`.

One multiplier (numerics.md, N16) stands in the code as immediates; those of channels are read from constants. Where the
sums are proved small and every multiplier is below a half, the constants are prepared so that little is left to
compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tvm import te
from tvm.ir import Expr

from tvm_wvv.kernels.fixed_point import (
    SHORT_BOUND,
    clamped,
    finish,
    int32,
    requantize,
    requantize_by,
    requantize_short,
    shift_left,
    wrapping_add,
)
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.operators import Pair
from tvm_wvv.quant.requantize import per_channel

# With the zero point (8 bits) raised by the right shift, half a unit and |high| < 2^30 the sum stays in 32 bits.
_SHORT_RIGHT = range(1, 23)


@dataclass(frozen=True)
class OutputStage:
    """int32 sums to int8, channels on the last axis. `bound` is the proved limit of |sum + bias|."""

    bias: np.ndarray
    multipliers: tuple[Multiplier, ...]
    zero_point: int
    clamp: Pair
    bound: int

    @property
    def single(self) -> bool:
        """Whether every channel has the same multiplier."""
        return len(set(self.multipliers)) == 1

    @property
    def short(self) -> bool:
        """Whether the short form of requantization is proved for every channel."""
        return self.bound < SHORT_BOUND and all(-one.shift in _SHORT_RIGHT for one in normal(self.multipliers))

    @property
    def positive(self) -> bool:
        """Whether everything below the zero point is clamped, so that no negative number is ever seen."""
        return self.clamp[0] >= self.zero_point

    def words(self) -> np.ndarray:
        """What C microkernels read, [output, 4]: twice the bias, mantissa, rounding with zero point, right shift."""
        assert self.short, "microkernels requantize in the short form only"
        mantissas, shifts = per_channel(normal(self.multipliers))
        rights = np.broadcast_to(-shifts, self.bias.shape)
        roundings = (1 << rights >> 1) + (self.zero_point << rights)
        columns = (2 * self.bias, np.broadcast_to(mantissas, self.bias.shape), roundings, rights)
        return np.stack(columns, axis=1).astype(np.int32)

    @property
    def constants(self) -> tuple[np.ndarray, ...]:
        """The bias, and what else the stage reads for each channel."""
        return tuple(self._named_constants().values())

    def placeholders(self) -> list[te.Tensor]:
        """One for each constant, in their order."""
        return [te.placeholder(array.shape, "int32", name) for name, array in self._named_constants().items()]

    def _named_constants(self) -> dict[str, np.ndarray]:
        if self.single:
            return {"bias": self.bias}
        mantissas, shifts = per_channel(normal(self.multipliers))
        always = {"bias": self.bias, "mantissas": mantissas}
        lefts, rights = np.maximum(shifts, 0), np.maximum(-shifts, 0)
        if self.short:
            roundings = (1 << rights >> 1) + (self.zero_point << rights)
            return always | {"roundings": roundings.astype(np.int32), "rights": rights}
        masks = ((np.int64(1) << rights) - 1).astype(np.int32)
        return always | {"lefts": lefts, "rights": rights, "masks": masks}

    def of(self, sums: te.Tensor, operands: Sequence[te.Tensor]) -> te.Tensor:
        """The `requantize` stage on `sums`; `operands` are the `placeholders`."""

        def at(*index: Expr) -> Expr:
            return self.value(sums[index], [one[index[-1]] for one in operands])

        return te.compute(sums.shape, at, name="requantize")

    def value(self, acc: Expr, constants: Sequence[Expr]) -> Expr:
        """One output from its sum; `constants` are those of its channel."""
        bias, *rest = constants
        # Where the bound fits, no sum can pass it, for the bias is itself the sum of some input: all zeros.
        total = acc + bias if self.bound < 1 << 31 else wrapping_add(acc, bias)
        if self.single:
            return finish(requantize(total, self.multipliers[0], self.bound), self.zero_point, self.clamp)
        if not self.short:
            return finish(requantize_by(total, *rest), self.zero_point, self.clamp)
        return clamped(requantize_short(shift_left(total, int32(1)), *rest), self.clamp)


def normal(multipliers: Sequence[Multiplier]) -> list[Multiplier]:
    """Zero, and a shift that moves every bit out on the left, give zero; in this form of it short forms stay open."""
    return [one if one.mantissa and one.shift <= 31 else Multiplier(0, -1) for one in multipliers]
