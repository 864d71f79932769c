"""What the microkernels make of a sum is the requantization, for every sum that a channel can have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tvm_wvv.kernels.direct_add import add
from tvm_wvv.kernels.direct_conv import column_groups, conv2d, weight_stream
from tvm_wvv.kernels.direct_depthwise import depthwise_conv2d
from tvm_wvv.kernels.short_scales import CLAMPED, POSITIVE, SIGNED, ShortScales, finish, short_scales, sum_range
from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.requantize import requantize

X = ops.Affine(0.5, 3)
multipliers = st.builds(Multiplier, st.integers(1 << 30, (1 << 31) - 1), st.integers(-24, 4))
clamps = st.sampled_from([(-128, 127), (-128, 90), (-5, 127), (0, 0)])


def microkernel(sums: np.ndarray, channel: np.ndarray, factor: int, zero_point: int, clamp: ops.Pair) -> np.ndarray:
    """The formula of wvv_gemm.h, in 64 bits that may not leave 32."""
    _, mantissa, rounding, right = (int(word) for word in channel)
    product = sums * factor * mantissa + (1 << 31)
    negative = (sums * factor < 0) & (finish(zero_point, clamp) != POSITIVE)
    value = (product >> 32) - negative + rounding
    assert np.abs(sums * factor).max() < 1 << 31 and np.abs(value).max() < 1 << 31
    return np.clip(np.clip(value >> right, -128, 127), *clamp)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    multiplier=multipliers, zero_point=st.integers(-128, 127), clamp=clamps, width=st.integers(1, 31), data=st.data()
)
def test_short_form_is_the_requantization(multiplier, zero_point, clamp, width, data):
    low, high = sorted(data.draw(st.tuples(*[st.integers(-(1 << width) + 1, (1 << width) - 1)] * 2)))
    bias = np.zeros(1, np.int32)
    made = short_scales([multiplier], bias, (np.array([low]), np.array([high])), zero_point, clamp)
    if made is None:
        return
    # Both ends, a run around zero, around the places where results change, and random sums.
    unit = 2.0**31 / multiplier.mantissa * 2.0**-multiplier.shift
    steps = (np.arange(-300, 300) * unit / 2).astype(np.int64)
    near = (steps[:, None] + np.arange(-2, 3)).ravel()
    anywhere = np.random.default_rng(0).integers(low, high + 1, 500)
    sums = np.concatenate([[low, high], np.arange(-40, 40), near, anywhere])
    sums = sums[(sums >= low) & (sums <= high)].astype(np.int64)
    expected = np.clip(requantize(sums, multiplier.mantissa, multiplier.shift) + zero_point, *clamp)
    got = microkernel(sums, made.words[0], int(made.factors[0]), zero_point, clamp)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("zero_point", "clamp", "way"), [(-128, (-128, 127), POSITIVE), (4, (-128, 127), SIGNED), (4, (4, 127), CLAMPED)]
)
def test_finish(zero_point, clamp, way):
    assert finish(zero_point, clamp) == way


def test_a_dead_channel_needs_no_short_form():
    dead, live = Multiplier(1 << 30, -31), Multiplier(1 << 30, -9)
    sums = np.array([2**30, -(10**5)]), np.array([2**30 + 99, 10**5])
    bias = np.array([2**30, 0], np.int32)
    made = short_scales([dead, live], bias, sums, 7, (-128, 127))
    assert made is not None
    assert made.words[0].tolist() == [0, 0, 7, 0] and made.factors.tolist() == [0, 2]
    wide = np.array([-(2**30)]), np.array([2**30])
    assert short_scales([live], bias[1:], wide, 7, (-128, 127)) is None


def test_sum_range_is_reached():
    weights, bias = np.array([[3, -2, 0], [-1, -1, -128]], np.int8), np.array([10, -10], np.int32)
    low, high = sum_range(weights, bias, 5)
    images = np.stack(np.meshgrid(*[[-128, 127]] * 3)).reshape(3, -1).astype(np.int64) - 5
    sums = weights.astype(np.int64) @ images + bias[:, None]
    np.testing.assert_array_equal((low, high), (sums.min(axis=1), sums.max(axis=1)))


def test_stream_holds_each_weight_at_its_tap():
    weights = np.arange(-40, 41, dtype=np.int8).reshape(3, 3, 3, 3)[:, :2]
    scales = ShortScales(np.arange(12, dtype=np.int32).reshape(3, 4), np.array([2, 4, 0]))
    groups = column_groups(weights.shape)
    assert groups == 2 * 2 + 1  # of each row two whole words, then one byte of both
    stream = weight_stream(weights, scales)
    assert stream.shape == (2, 4 + 4 * groups + 6)
    assert stream[0, :4].tolist() == [0, 4, 0, 4] and stream[0, -6:].tolist() == [1, 2, 3, 5, 6, 7]
    words = stream[:, 4:-6].copy().view(np.int16).reshape(2, groups, 2, 4)
    first = words[0, :, 1]
    taps = weights[1].reshape(2, 9).astype(np.int64) * 4
    np.testing.assert_array_equal(first[0], taps[0, [0, 2, 1, 3]])
    np.testing.assert_array_equal(first[2], taps[1, [0, 2, 1, 3]])
    assert first[4].tolist() == [taps[0, 8], 0, taps[1, 8], 0]
    assert not words[1].any()  # a channel of factor 0, and one that fills up the pair


def test_what_has_no_microkernel():
    window, y, rng = ops.Window(), ops.Affine(4.0, 0), np.random.default_rng(1)
    weights = rng.integers(-128, 128, (2, 3, 3, 4), dtype=np.int8)
    conv = ops.Conv2d(X, y, (0.01,), window)
    assert conv2d(conv, (1, 5, 5, 4), weights, None) is not None
    assert conv2d(conv, (1, 5, 5, 8), weights, None) is None  # groups
    assert conv2d(conv, (1, 3, 3, 400), np.repeat(weights, 100, axis=3), None) is None  # long columns
    above_one = ops.Conv2d(X, y, (9000.0,), window)
    assert conv2d(above_one, (1, 5, 5, 4), weights, None) is None
    depthwise = ops.DepthwiseConv2d(X, y, (0.01,), window, 1)
    assert depthwise_conv2d(depthwise, (1, 5, 5, 4), weights[:1], None) is not None
    assert depthwise_conv2d(depthwise, (1, 5, 5, 3), weights[:1, ..., :3], None) is None
    assert depthwise_conv2d(depthwise, (1, 5, 5, 4), weights[:1, :2], None) is None
    total = ops.Add(X, X, ops.Affine(1.0, 0))
    assert add(total, (2, 3), (2, 3)) is not None
    assert add(total, (2, 3), (1, 3)) is None
