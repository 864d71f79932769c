"""The rounding between two Winograd stages: int32 values to another scale, with zero point and clip
(numerics.md, N8, N10): the stage quantizer (numerics.md, N14) in fixed point.

    q = clip(rq(value, mantissa, shift) + zero_point)               rq is `quant.requantize`

All multipliers of a stage have one shift (numerics.md, N19), which becomes an immediate. Mantissas are read from a
constant, one for each tap or for each tap and output channel, unless all of them are the same; one power of two becomes
a shift.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from tvm import tirx
from tvm.ir import Expr

from tvm_wvv.kernels.fixed_point import SHORT_BOUND, int32, requantize_doubled, requantize_shifted
from tvm_wvv.quant.fixed_point import MANTISSA_BITS
from tvm_wvv.quant.winograd_parameters import MultiplierArray

WIDE = 32
_INT32_MAX = (1 << 31) - 1
# `requantize_doubled` adds half a unit of the shift to a word below 2^30.
_DOUBLED_SHIFTS = range(-22, 1)


@dataclass(frozen=True, eq=False)
class Rescaling:
    """`bound` is the proved limit of |value|; `bits` of the result, 32 for one that fits without a clip."""

    multipliers: MultiplierArray
    bits: int
    bound: int
    zero_points: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int32))

    @property
    def dtype(self) -> str:
        """The type that the result is stored in."""
        return "int8" if self.bits <= 8 else "int16" if self.bits <= 16 else "int32"

    @property
    def constants(self) -> dict[str, np.ndarray]:
        """What is read at run time, by name, in the order in which `value` takes it."""
        given = {"mantissas": self._mantissas, "zero_points": self.zero_points}
        return {name: array for name, array in given.items() if not _uniform(array)}

    def at_tap(self, tap: int) -> Rescaling:
        """That of one tap alone, for which nothing is read at run time: multipliers are [tap]."""
        multipliers = MultiplierArray(self.multipliers.mantissa[tap : tap + 1], self.multipliers.shift)
        moved = self.zero_points if _uniform(self.zero_points) else self.zero_points[tap : tap + 1]
        return Rescaling(multipliers, self.bits, self.bound, moved)

    def value(self, acc: Expr, constants: Sequence[Expr], keep: Callable[[Expr], Expr]) -> Expr:
        """One result; `constants` are those of its place, and `keep` makes an int32 a value of its own."""
        rest = list(constants)
        mantissa = int32(int(self._mantissas.flat[0])) if _uniform(self._mantissas) else rest.pop(0)
        rescaled = self._rescaled(acc, mantissa)
        moved = rescaled + rest[0] if rest else rescaled
        if self.bits == WIDE:
            return moved
        # A clip to 0 and 2^bits - 1 is one instruction, usat, if what follows is kept apart; GCC 12 makes six of one
        # whose lower end is negative.
        low, greatest = -(1 << (self.bits - 1)), (1 << self.bits) - 1
        unsigned = tirx.min(tirx.max(moved, int32(0)), int32(greatest))
        return tirx.Cast(self.dtype, keep(unsigned) + int32(low))

    def _rescaled(self, acc: Expr, mantissa: Expr) -> Expr:
        match self._form:
            case "shift":
                return (acc + int32(self._shift_addend)) >> int32(self._places)
            case "doubled":
                return requantize_doubled(acc, mantissa, self.multipliers.shift, self._offset)
            case _:
                return self._moved(requantize_shifted(acc, mantissa, self.multipliers.shift, self.bound))

    def _moved(self, rescaled: Expr) -> Expr:
        if self.bits == WIDE:
            return rescaled
        if self.bound << max(self.multipliers.shift, 0) >= SHORT_BOUND:
            # An offset could lead out of int32 here; far outside of the clip, every value is as good as another.
            rescaled = tirx.min(tirx.max(rescaled, int32(-SHORT_BOUND)), int32(SHORT_BOUND))
        return rescaled + int32(self._offset)

    @property
    def _offset(self) -> int:
        """What is added to every result before its clip: half the range, and the zero point if there is but one."""
        half_range = 0 if self.bits == WIDE else 1 << (self.bits - 1)
        return half_range + (int(self.zero_points.flat[0]) if _uniform(self.zero_points) else 0)

    @cached_property
    def _form(self) -> Literal["shift", "doubled", "any"]:
        """The shortest way that is proved to give the same bits."""
        given = self.multipliers.mantissa
        if _uniform(given) and self.multipliers.powers_of_two and self.multipliers.shift == 0 and given.flat[0] > 0:
            return "shift" if self.bound + self._shift_addend <= _INT32_MAX else "any"
        return "doubled" if given.max() < SHORT_BOUND and self.multipliers.shift in _DOUBLED_SHIFTS else "any"

    @property
    def _places(self) -> int:
        """A mantissa of 2^(31 - places) is a shift by so many places."""
        return MANTISSA_BITS + 1 - int(self.multipliers.mantissa.flat[0]).bit_length()

    @property
    def _shift_addend(self) -> int:
        return (1 << self._places >> 1) + (self._offset << self._places)

    @cached_property
    def _mantissas(self) -> np.ndarray:
        """As they are read at run time."""
        return self.multipliers.mantissa * (2 if self._form == "doubled" else 1)


def _uniform(array: np.ndarray) -> bool:
    return bool((array == array.flat[0]).all())
