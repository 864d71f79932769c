"""Scales to integers: refusals with their numbers, the taps' factors, bounds that hold for every intermediate value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import seeds

from tvm_wvv.errors import WvvError
from tvm_wvv.quant.default_stages import from_ranges, weight_quantizer, widest_weights
from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.quant.requantize import requantize
from tvm_wvv.quant.stage import GRANULARITIES, StageQuantizer, Stages
from tvm_wvv.quant.winograd_parameters import WinogradIntegers, multipliers, winograd_integers
from tvm_wvv.quant.winograd_ranges import (
    product_ranges,
    program_weights,
    transformed_input_ranges,
    transformed_weights,
)
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import ALGORITHMS, F2, F4, F4C, F4H, F6
from tvm_wvv.transforms.straight_line import run

OP = Conv2d(Affine(0.05, -128), Affine(0.1, 3), (0.01,), Window(padding=(1, 1, 1, 1)))
algorithms = st.sampled_from(list(ALGORITHMS.values()))


def normal_weights(channels: int, outputs: int = 4) -> np.ndarray:
    real = np.random.default_rng(2).normal(size=(outputs, 3, 3, channels))
    return np.rint(real / np.abs(real).max() * 127).astype(np.int8)


def made(algorithm: Algorithm, stages: Stages, weights: np.ndarray, bias: int = 0, op: Conv2d = OP) -> WinogradIntegers:
    return winograd_integers(algorithm, op, weights, np.full(len(weights), bias, np.int32), stages)


def tensor(scale: float, bits: int = 8) -> StageQuantizer:
    return StageQuantizer(bits, (scale,))


def taps(algorithm: Algorithm, *scales: float) -> StageQuantizer:
    """`scales` over and over."""
    return StageQuantizer(8, tuple(scales[t % len(scales)] for t in range(algorithm.taps)), "tap")


WEIGHTS = normal_weights(8)
FIVE = StageQuantizer(8, (1.0,) * 5, "tap")
U, V, M = tensor(16.0), tensor(8.0), tensor(64.0)
MOVED = StageQuantizer(8, (64.0,), zero_point=(1,))
REFUSED = [
    (F6, Stages(tensor(90.0, 16)), 0, "transformed inputs may reach 360060, int16 ends at 32767: they need a quanti"),
    (F4H, Stages(tensor(1.0, 16)), 0, "sums of products over 8 input channels may reach "),
    (F2, Stages(U, tensor(2.0**-25), M), 0, "v.scale: 2.98023e-08 raises transformed inputs to "),
    (F2, Stages(U, V, tensor(2.0**-20)), 0, "m.scale: finer than the step of the sums of products, which it raises "),
    (F2, Stages(FIVE), 0, "stage quantizers do not fit 16 taps and 4 outputs: 5 scales"),
    (F2, Stages(U, V, FIVE), 0, "m: 5 scales, need 16 "),
    (F2, Stages(U, V, MOVED), 0, "m.zero_point: weights and sums of products are symmetric, need 0"),
    (F2, Stages(MOVED, V), 0, "u.zero_point: weights and sums of products are symmetric, need 0"),
    (F2, Stages(U, V, taps(F2, 256.0, 1.0)), 2**31 - 1, "bias up to 8.59e+09 steps beside sums of products of "),
    (F2, Stages(U, V, tensor(2.0)), 2**31 - 1, "output sums with bias may reach 42949"),
]


@pytest.mark.parametrize(("algorithm", "stages", "bias", "message"), REFUSED, ids=[case[3][:40] for case in REFUSED])
def test_what_may_overflow_or_does_not_fit_is_refused_with_its_numbers(algorithm, stages, bias, message):
    with pytest.raises(WvvError) as caught:
        made(algorithm, stages, WEIGHTS, bias)
    assert str(caught.value).startswith(message)


def test_an_output_scale_so_fine_that_it_overflows_is_refused():
    op = replace(OP, output=Affine(1e-9, 0))
    with pytest.raises(WvvError, match=r"output scale 1e-09 is so fine that it raises the sums to \d+, past 2\^31"):
        made(F2, from_ranges(F2, op, WEIGHTS, "int8"), WEIGHTS, op=op)


def test_more_channels_than_any_weights_could_serve_are_refused():
    u = np.ones((1, 1, 140_000), np.int64)
    with pytest.raises(WvvError, match=r"over 140000 input channels with transformed inputs up to 32767 leave int32"):
        widest_weights(u, np.array([-32767]), np.array([32767]))


@settings(deadline=None)
@given(algorithm=algorithms, seed=seeds, channels=st.integers(1, 40), granularity=st.sampled_from(GRANULARITIES),
       powers=st.booleans(), zero_point=st.integers(-128, 127))  # fmt: skip
def test_scales_from_ranges_are_never_refused(algorithm, seed, channels, granularity, powers, zero_point):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, (3, *algorithm.r, channels), np.int8) * rng.integers(0, 2, (3, 1, 1, 1), np.int8)
    bias = rng.integers(-(2**20), 2**20, 3, dtype=np.int32)
    op = replace(OP, input=Affine(0.05, zero_point), output=Affine(50.0, 3))
    for arithmetic in ("int16", "int8"):
        stages = from_ranges(algorithm, op, weights, arithmetic, granularity, powers)
        integers = winograd_integers(algorithm, op, weights, bias, stages)
        assert max(integers.products_bound, integers.y_bound) < 2**31


def test_weights_are_as_wide_as_the_sums_allow():
    """Exact where 16 bits hold them; else int32 is used up to the last percent."""
    exact = from_ranges(F4C, OP, WEIGHTS, "int16").u
    assert set(exact.scale) == {1.0}
    weights = normal_weights(256)
    integers = made(F4, from_ranges(F4, OP, weights, "int16"), weights)
    assert 0.99 * 2**31 < integers.products_bound < 2**31
    assert 2**10 < np.abs(integers.u).max() < 2**15


@given(scales=st.lists(st.floats(1.0, 32.0), min_size=16, max_size=16))
def test_factors_are_the_scales_of_the_taps_to_ten_bits(scales):
    # Equal ones need none.
    assume(max(scales) > 1.00001 * min(scales))
    m = StageQuantizer(8, tuple(1000 * one for one in scales), "tap")
    factors = made(F2, Stages(tensor(16.0), tensor(8.0), m), WEIGHTS).factors
    assert factors.shape == (16, 1)
    assert factors.max() == 2**15 - 1
    np.testing.assert_allclose(factors[:, 0] / factors.max(), np.array(scales) / max(scales), rtol=2.0**-10)


def test_equal_scales_need_no_factors_and_powers_of_two_have_powers_of_two():
    shared = Stages(tensor(16.0), tensor(8.0), tensor(900.0))
    assert made(F2, shared, WEIGHTS).factors.tolist() == [[1]] * 16
    powers = replace(taps(F2, 256.0, 2048.0, 512.0), power_of_two=True)
    assert made(F2, replace(shared, m=powers), WEIGHTS).factors[:3, 0].tolist() == [1, 8, 2]


def test_powers_of_two_times_a_number_for_each_output_have_powers_of_two():
    powers, of_outputs = 2.0 ** np.array(F2.constant_axes), np.array([1.0, 0.37, 5.5, 2.0])[: len(WEIGHTS)]
    m = StageQuantizer(8, tuple((powers[:, None] * of_outputs * 601.3).ravel().tolist()), "tap_channel")
    found = made(F2, Stages(tensor(16.0), tensor(8.0), m), WEIGHTS)
    assert found.factors[:, 0].tolist() == powers.tolist()
    assert found.factors.shape == (16, 1)


def test_each_output_channel_may_have_factors_of_its_own():
    scale = np.random.default_rng(1).uniform(500, 5000, 16 * 4)
    m = StageQuantizer(8, tuple(scale.tolist()), "tap_channel")
    factors = made(F2, Stages(tensor(16.0), tensor(8.0), m), WEIGHTS).factors
    by_channel = scale.reshape(16, 4)
    np.testing.assert_allclose(factors / factors.max(axis=0), by_channel / by_channel.max(axis=0), rtol=2.0**-10)


def test_outputs_share_factors_where_scales_are_of_a_tap_times_of_an_output():
    of_taps, of_outputs = np.arange(16) * 3.0 + 50, np.array([1.0, 0.37, 5.5, 2.0])[: len(WEIGHTS)]
    m = StageQuantizer(8, tuple((of_taps[:, None] * of_outputs).ravel().tolist()), "tap_channel")
    found = made(F2, Stages(tensor(16.0), tensor(8.0), m), WEIGHTS)
    assert found.factors.shape == (16, 1)
    np.testing.assert_allclose(found.factors[:, 0] / found.factors.max(), of_taps / of_taps.max(), rtol=2.0**-10)
    # One scale for all taps of each output leaves nothing to weigh.
    alike = replace(m, scale=tuple(np.tile(of_outputs * 60, (16, 1)).ravel().tolist()))
    assert made(F2, Stages(tensor(16.0), tensor(8.0), alike), WEIGHTS).factors.tolist() == [[1]] * 16


def test_the_zero_point_of_v_is_taken_off_by_the_offset():
    v = StageQuantizer(8, (8.0,) * 16, "tap", tuple(range(-8, 8)))
    integers = made(F2, Stages(tensor(16.0), v, tensor(900.0)), WEIGHTS)
    sums = integers.u.astype(int).sum(axis=2)
    np.testing.assert_array_equal(integers.m_offset, -np.arange(-8, 8)[:, None] * sums)


@given(exponent=st.integers(-24, 6), spread=st.floats(1, 50), bits=st.sampled_from((8, 16)))
def test_multipliers_round_values_to_the_nearest(exponent, spread, bits):
    """Up to a mantissa's own rounding, which may move what lies just beside a half."""
    most = 1 << (bits - 1)
    reals = 2.0**exponent / np.array([1.0, 1.1, spread])
    found = multipliers(reals)
    for real, mantissa in zip(reals, found.mantissa, strict=True):
        bound = min(most / real, (2**31 - 1) / 2.0 ** max(found.shift, 0))
        values = np.unique(np.linspace(-bound, bound, 2001).astype(np.int64)).astype(np.int32)
        steps = values * real
        error = np.abs(requantize(values, mantissa, found.shift) - steps)
        assert (error <= 0.5 + 2.0**-8 + np.abs(steps) / (2 * mantissa)).all()


def test_the_range_of_sums_is_reached():
    weights = np.random.default_rng(4).integers(-128, 128, (2, 3, 3, 3), np.int8)
    u = transformed_weights(weights, F2)
    low, high = transformed_input_ranges(F2, -20)
    below, above = product_ranges(u, low, high)
    for t in range(16):
        for o in range(2):
            ends = np.where(u[t, o] > 0, high[t], low[t]) @ u[t, o], np.where(u[t, o] > 0, low[t], high[t]) @ u[t, o]
            assert ends == (above[t, o], below[t, o])


@settings(deadline=None)
@given(algorithm=algorithms, seed=seeds)
def test_no_value_of_a_program_leaves_its_bound_shifts_included(algorithm, seed):
    weights = program_weights(algorithm.output_program)
    rng, seen = np.random.default_rng(seed), []
    inputs = [int(one) for one in rng.choice([-128, 127], algorithm.taps)]

    class Watched(int):
        """An int that remembers every result it took part in."""

        def __add__(self, other):
            return watched(int(self) + int(other))

        def __sub__(self, other):
            return watched(int(self) - int(other))

        def __mul__(self, other):
            return watched(int(self) * int(other))

        def __neg__(self):
            return watched(-int(self))

    def watched(value: int) -> Watched:
        seen.append(abs(value))
        return Watched(value)

    run(algorithm.output_program, [watched(one) for one in inputs])
    assert max(seen) <= (weights @ np.full(algorithm.taps, 128.0)).max()


def test_the_weights_quantizer_clips_nothing():
    u = transformed_weights(WEIGHTS, F4)
    for granularity in GRANULARITIES:
        stage = weight_quantizer(u, 8, granularity)
        assert (np.abs(u) <= 127.5 * stage.scales(36, 4)[:, :, None]).all()
