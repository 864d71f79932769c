"""What the vector microkernels of Winograd read: layouts of weights and stages, and which layers have one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from quantized_cases import QuantizedCase, by_ranges
from winograd_cases import WinogradCase
from winograd_mve_cases import rounded_twice

from tvm_wvv.kernels import winograd_mve_int8
from tvm_wvv.kernels.output_stage import OutputStage
from tvm_wvv.kernels.winograd_dsp import signs
from tvm_wvv.kernels.winograd_mve import TOGETHER, fits, in_fours, pack_weights
from tvm_wvv.kernels.winograd_quantized import Parts
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.quant.requantize import requantize
from tvm_wvv.quant.winograd_parameters import MultiplierArray
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import F2, F4, F4C, F6C


def quantized(algorithm: Algorithm, arithmetic: str = "int8", outputs: int = 5) -> QuantizedCase:
    rng = np.random.default_rng(2)
    op = Conv2d(Affine(1.0, -3), Affine(500.0, 4), (0.5,), Window(padding=(1, 1, 1, 1)))
    weights = rng.integers(-128, 128, (outputs, 3, 3, 20), dtype=np.int8)
    x = rng.integers(-128, 128, (1, 5, 6, 20), dtype=np.int8)
    return by_ranges(WinogradCase(algorithm, op, x, weights, np.arange(outputs, dtype=np.int32)), arithmetic)


def int8_constants(one: QuantizedCase) -> tuple[np.ndarray, ...]:
    case = one.case
    made = winograd_mve_int8.winograd_conv2d(case.algorithm, case.op.window, -3, case.x.shape, one.parts)
    return made.constants


@pytest.mark.parametrize(("dtype", "lanes"), [("int16", 8), ("int8", 16)])
def test_weights_lie_in_the_order_of_the_product(dtype, lanes):
    u = np.arange(2 * 5 * 19).reshape(2, 5, 19).astype(dtype)
    packed = pack_weights(u.astype(np.dtype(dtype).newbyteorder("<")))
    assert packed.shape == (2, 2, -(-19 // lanes), TOGETHER, 4)
    # four outputs, tap, vector, output, lane
    entries = packed.astype("<i4").view(f"<i{u.itemsize}")
    for tap, o, c in ((1, 4, 18), (1, 3, 7), (0, 2, 16)):
        assert entries[o // 4, tap, c // lanes, o % 4, c % lanes] == u[tap, o, c]
    assert not entries[1, :, :, 1:].any() and not entries[:, :, -1, :, 19 % lanes :].any()


def test_rows_are_cut_into_fours():
    made = in_fours(np.arange(12).reshape(2, 6))
    np.testing.assert_array_equal(made, [[[0, 1, 2, 3], [6, 7, 8, 9]], [[4, 5, 0, 0], [10, 11, 0, 0]]])


def test_f4_turns_signs_of_v_by_mantissas():
    one = quantized(F4)
    _, taps, _, _ = int8_constants(one)
    assert one.integers.v_multipliers is not None
    assert set(signs(F4)) == {-1, 1}
    np.testing.assert_array_equal(np.sign(taps[:, 0]), signs(F4))
    np.testing.assert_array_equal(np.abs(taps[:, 0]), one.integers.v_multipliers.mantissa)


@pytest.mark.parametrize("value", [-(1 << 29), -513, -1, 0, 1, 77, (1 << 30) - 1])
def test_a_shift_to_the_left_goes_into_mantissas(value):
    given = MultiplierArray(np.array([1 << 30, (1 << 30) - 1, 12345], np.int32), 1)
    mantissas, shift = winograd_mve_int8.unshifted(given)
    assert shift == 0
    wide = (2 * value * given.mantissa.astype(np.int64) + (1 << 30)) >> 31
    np.testing.assert_array_equal(requantize(np.full(3, value), mantissas, 0), wide)


def test_a_stage_grows_by_what_belongs_to_channels():
    one = quantized(F4C)
    taps = F4C.taps
    assert one.integers.m_multipliers is not None
    whole = replace(one, integers=replace(one.integers, factors=np.ones((taps, 5), np.int32)))
    uneven = replace(one, integers=replace(one.integers, factors=np.arange(5 * taps, dtype=np.int32).reshape(taps, 5)))
    moved = replace(one, integers=replace(one.integers, m_offset=np.ones((taps, 5), np.int32)))
    widths = [int8_constants(case)[2].shape[1] for case in (whole, uneven, moved)]
    assert widths == [3 + taps, 3 + 2 * taps, 3 + taps + taps]
    layers = [int8_constants(case)[-1].tolist() for case in (whole, uneven, moved)]
    assert [(layer[14], layer[15:17]) for layer in layers] == [
        (4 * widths[0], [0, 1]), (4 * widths[1], [0, 2]), (4 * widths[2], [1, 1]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shifts", "clamp", "away", "raised"),
    [
        ((-1, -3), (-128, 127), 1, [0, 0]),
        ((-1, -3), (9, 127), 0, [0, 0]),
        ((2, 0), (-128, 127), 0, [2, 0]),
        ((2, -1), (-128, 127), 2, [2, 0]),
    ],
)
def test_sums_are_raised_by_what_a_channel_is_shifted_to_the_left(shifts, clamp, away, raised):
    """Only a shift to the right rounds a second time, so channels cannot share one raise."""
    stage = OutputStage(np.array([5, -7], np.int32), tuple(Multiplier(1 << 30, s) for s in shifts), 9, clamp, 1 << 20)
    one = quantized(F2, outputs=2)
    parts = replace(one.parts, output=stage)
    case = one.case
    _, _, words, layer = winograd_mve_int8.winograd_conv2d(F2, case.op.window, -3, case.x.shape, parts).constants
    assert layer[11] == away
    np.testing.assert_array_equal(words[0, 0, :2], stage.bias << np.array(raised))
    np.testing.assert_array_equal(words[0, 2, :2], np.minimum(shifts, 0))
    factors = winograd_mve_int8.raised_factors(parts)
    np.testing.assert_array_equal(factors, one.integers.factors.astype(np.int64) << np.array(raised))


def _parts(one: QuantizedCase, **changed: object) -> Parts:
    return replace(one.parts, **changed)  # type: ignore[arg-type]


def test_which_layers_have_an_int8_kernel():
    one = quantized(F4C)
    assert winograd_mve_int8.fits(F4C, one.parts)
    assert winograd_mve_int8.fits(F4C, rounded_twice(one).parts)
    assert not winograd_mve_int8.fits(F6C, quantized(F6C).parts)
    assert not winograd_mve_int8.fits(F4C, quantized(F4C, "int16").parts)
    assert one.parts.of_input is not None
    for changed in (
        _parts(one, of_input=replace(one.parts.of_input, bits=5)),
        _parts(one, of_input=replace(one.parts.of_input, bound=1 << 15)),
        _parts(one, output=replace(one.parts.output, bound=1 << 30)),
        _parts(one, output=replace(one.parts.output, multipliers=(Multiplier(1 << 30, 12),))),
        _parts(one, output=replace(one.parts.output, multipliers=(Multiplier(1 << 30, -23),))),
        _parts(one, u=one.parts.u.astype(np.int16)),
    ):
        assert not winograd_mve_int8.fits(F4C, changed)


@pytest.mark.parametrize(
    ("algorithm", "shift", "bound", "there"),
    [
        (F2, -1, (1 << 30) - 1, True), (F4C, -22, (1 << 30) - 1, True), (F4C, 0, 1, False), (F2, -23, 1, False),
        (F4, -1, (1 << 25) - 1, True), (F4, -1, 1 << 25, False), (F6C, -1, 1, False),
    ],
)  # fmt: skip
def test_which_exact_layers_have_a_kernel(algorithm, shift, bound, there):
    stage = OutputStage(np.zeros(4, np.int32), (Multiplier(1 << 30, shift),), 0, (-128, 127), bound)
    assert fits(algorithm, stage) == there
