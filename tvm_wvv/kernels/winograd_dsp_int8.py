"""Winograd convolution in 8 bits by the C microkernels of `wvv_winograd.h`.

V is made exactly and then rounded where it lies; U is bytes, those of two outputs in one half of a word, 256 u1 + u0;
sums are rounded and weighted in their registers. Bytes are those of `kernels.winograd_quantized`.

Both roundings are single ones, of multipliers with one common shift (numerics.md, N18, N19):
    Vq = clip(floor((V m + 2^(30 - shift)) / 2^(31 - shift)) + zv)
    Mq = clip(floor((M 2m + 2^31) / 2^32)), or where 2m does not fit 32 bits, of 2^(shift + 1) M and m: then V is raised
by that power of two, and sums come so. Where the last multiplier shifts to the left, factors and bias are raised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.kernels.blocks import Shape
from tvm_wvv.kernels.fixed_point import SHORT_BOUND
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.kernels.microkernel import microkernels
from tvm_wvv.kernels.output_stage import OutputStage, normal
from tvm_wvv.kernels.rescaling import Rescaling
from tvm_wvv.kernels.winograd_dsp import PAIRS, signs
from tvm_wvv.kernels.winograd_dsp_calls import HEADER, QUAD, TOGETHER, Calls, in_one_round
from tvm_wvv.kernels.winograd_quantized import Parts
from tvm_wvv.quant.operators import Window
from tvm_wvv.quant.requantize import per_channel
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid

_VARIANTS = ("f2", "f4", "f4c")
_BITS = 8
# Half of V's unit, 2^(14 - shift), must be a whole number.
_V_SHIFTS = range(15)
# V in 8 bits, raised, is an int16.
_GREATEST_RAISE = 8
# With a zero point of 8 bits shifted as far, half a unit, and |high| < 2^30 the sum still fits 32 bits.
_GREATEST_RIGHT = 23
# 256 times a sum is an int32.
_SUM_END, _INT16_MAX = 1 << 23, (1 << 15) - 1
_MIXED = 1 << 8


def fits(algorithm: Algorithm, parts: Parts) -> bool:
    """Whether there are microkernels for this algorithm and for all roundings of the layer."""
    of_v, of_m = parts.of_input, parts.of_products
    if algorithm.name not in _VARIANTS or of_v is None or of_m is None:
        return False
    in_bytes = parts.u.dtype == np.int8 and of_v.bits == _BITS and of_m.bits == _BITS
    rounds = of_v.multipliers.shift in _V_SHIFTS and _raise_of(of_m) is not None
    return in_bytes and rounds and _finishes(parts)


def winograd_conv2d(algorithm: Algorithm, window: Window, zero_point: int, x_shape: Shape, parts: Parts) -> Kernel:
    """x int8 NHWC -> int8 NHWC."""
    assert fits(algorithm, parts), f"no microkernels for {algorithm} with {parts.of_input} and {parts.of_products}"
    grid, outputs = Grid(algorithm, x_shape, window.padding), parts.u.shape[1]
    stream, of_v, words = _Stream.of(parts), _input_stage(algorithm, parts), _output_words(parts.output)
    constants = {"u": stream.words, "of_v": of_v.words, "stage": words}
    parameters = {
        "x": (x_shape, "int8"),
        **{name: (array.shape, "int32") for name, array in constants.items()},
        "out": (grid.out_shape(outputs), "int8"),
    }
    calls = Calls(
        grid,
        zero_point,
        outputs,
        taps=algorithm.taps,
        quads=stream.quads,
        clamp=parts.output.clamp,
        into=f"wvv_{algorithm.name}_input",
        product="wvv_product8",
        back=f"wvv_{algorithm.name}_output8" + ("_positive" if parts.output.positive else ""),
        in_rounds=stream.starts,
        rounding=(of_v.places, of_v.raised),
    )
    func = microkernels("winograd", HEADER, parameters, calls.write, calls.scratch)
    return Kernel(f"winograd_{algorithm.name}_conv2d", func, tuple(constants.values()))


@dataclass(frozen=True, eq=False)
class _InputStage:
    """`words` [tap, 2]: mantissa and addend."""

    words: NDArray[np.int32]
    places: int
    raised: int


def _input_stage(algorithm: Algorithm, parts: Parts) -> _InputStage:
    """A tap that microkernels make negated has its mantissa negated: what is rounded is then the same."""
    of_v, of_m = parts.of_input, parts.of_products
    assert of_v is not None and of_m is not None, "a layer of 8 bits rounds V and M"
    raised, places = _raise_of(of_m), 15 - of_v.multipliers.shift
    assert raised is not None, f"no short form for {of_m}"
    mantissas = of_v.multipliers.mantissa.astype(np.int64) * signs(algorithm)
    zero_points = np.broadcast_to(of_v.zero_points, mantissas.shape).astype(np.int64)
    addends = (1 << places >> 1) + (zero_points << places)
    return _InputStage(np.stack([mantissas, addends], axis=1).astype(np.int32), places, raised)


@dataclass(frozen=True, eq=False)
class _Stream:
    """U with all that the product loop reads, [two outputs, tap, word]; `starts` says whether it has sums' starts."""

    words: NDArray[np.int32]
    quads: int
    starts: bool

    @staticmethod
    def of(parts: Parts) -> _Stream:
        """For a layer that `fits`."""
        of_m, quads = parts.of_products, -(-parts.u.shape[2] // QUAD)
        assert of_m is not None, "a layer of 8 bits rounds M"
        raised = _raise_of(of_m)
        assert raised is not None, f"no short form for {of_m}"
        taps, outputs = parts.u.shape[:2]
        mantissas = np.broadcast_to(of_m.multipliers.mantissa, (taps, outputs)) * (1 if raised else 2)
        factors = np.broadcast_to(parts.factors, (taps, outputs)) << _lefts(parts.output)
        by_pairs = [pack_bytes(parts.u), _of_outputs(mantissas), _halves(_of_outputs(factors))]
        starts = bool(parts.offset.any()) or not in_one_round(quads)
        if starts:
            by_pairs.insert(0, _of_outputs(parts.offset << raised) @ np.array([[1, 1], [0, _MIXED]], np.int32))
        return _Stream(np.concatenate(by_pairs, axis=2), quads, starts)


def pack_bytes(u: np.ndarray) -> NDArray[np.int32]:
    """[tap, o, c] as words [two outputs, tap, quad and pair], a half for each channel."""
    taps, outputs, channels = u.shape
    assert u.min() > -_MIXED // 2, "U has a weight of -128, which N7 leaves unused"
    whole = np.pad(u, ((0, 0), (0, -outputs % TOGETHER), (0, -channels % QUAD))).astype(np.int32)
    mixed = (whole[:, 0::2] + _MIXED * whole[:, 1::2]).reshape(taps, -1, whole.shape[2] // QUAD, QUAD)
    words = _halves(mixed[..., PAIRS].reshape(taps, -1, whole.shape[2] // 2, 2))
    return words[..., 0].transpose(1, 0, 2)


def _raise_of(rescaling: Rescaling) -> int | None:
    """By which power of two V is raised so that the product's upper word is M rounded; None where none does.

    0 where mantissas can be doubled instead.
    """
    shift, largest = rescaling.multipliers.shift, int(rescaling.multipliers.mantissa.max())
    raised = 0 if shift == 0 and largest < SHORT_BOUND else shift + 1
    return raised if shift >= 0 and raised <= _GREATEST_RAISE and rescaling.bound << raised < _SUM_END else None


def _finishes(parts: Parts) -> bool:
    """Whether the last stage has the short form, factors of 16 bits raised by its shifts to the left."""
    _, shifts = per_channel(normal(parts.output.multipliers))
    lefts = _lefts(parts.output)
    fit = int((np.abs(parts.factors.astype(np.int64)) << lefts).max()) <= _INT16_MAX
    return fit and parts.output.bound << int(lefts.max()) < SHORT_BOUND and int(-shifts.min()) <= _GREATEST_RIGHT


def _lefts(stage: OutputStage) -> NDArray[np.int32]:
    """Of each output."""
    _, shifts = per_channel(normal(stage.multipliers))
    return np.broadcast_to(np.maximum(shifts, 0), stage.bias.shape)


def _output_words(stage: OutputStage) -> NDArray[np.int32]:
    """Those of `OutputStage.words`, with shifts of 0 to 23 places; zeros where an output is missing."""
    mantissas, shifts = per_channel(normal(stage.multipliers))
    rights = np.broadcast_to(np.maximum(-shifts, 0), stage.bias.shape)
    roundings = (1 << rights >> 1) + (stage.zero_point << rights)
    columns = (2 * (stage.bias << _lefts(stage)), np.broadcast_to(mantissas, rights.shape), roundings, rights)
    words = np.stack(columns, axis=1).astype(np.int32)
    return np.pad(words, ((0, -len(words) % TOGETHER), (0, 0)))


def _of_outputs(values: np.ndarray) -> NDArray[np.int32]:
    """[tap, o] as [two outputs, tap, output]."""
    whole = np.pad(values.astype(np.int32), ((0, 0), (0, -values.shape[1] % TOGETHER)))
    return np.ascontiguousarray(whole.reshape(len(whole), -1, TOGETHER).transpose(1, 0, 2))


def _halves(pairs: NDArray[np.int32]) -> NDArray[np.int32]:
    """The last axis of two as one word, the first in its lower half."""
    return np.ascontiguousarray(pairs.astype("<i2")).view("<i4").astype(np.int32)
