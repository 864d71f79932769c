"""The stage quantizer: counts of scales, clips, zero points, powers of two; never coarser or finer than asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tvm_wvv.quant.stage import GRANULARITIES, StageQuantizer, by_clip, by_range

TAPS, CHANNELS = 5, 3
magnitudes = arrays(np.float64, (TAPS, CHANNELS), elements=st.floats(0, 1e6))
bits = st.integers(2, 16)
granularities = st.sampled_from(GRANULARITIES)


@given(greatest=magnitudes, bits=bits, granularity=granularities, powers=st.booleans())
def test_nothing_within_the_magnitudes_is_clipped(greatest, bits, granularity, powers):
    stage = by_clip(greatest, bits, granularity, power_of_two=powers)
    scales = stage.scales(TAPS, CHANNELS)
    assert (np.rint(greatest / scales) <= stage.limits[1]).all()
    assert scales.min() >= 1
    assert max(stage.clip) == pytest.approx(scales.max() * (2 ** (bits - 1) - 1))


@given(greatest=magnitudes, bits=bits, granularity=granularities)
def test_scales_are_shared_as_the_granularity_says_and_no_coarser(greatest, bits, granularity):
    scales = by_clip(greatest, bits, granularity).scales(TAPS, CHANNELS)
    expected = {
        "tensor": greatest.max(keepdims=True),
        "tap": greatest.max(axis=1, keepdims=True),
        "tap_channel": greatest,
    }[granularity]
    np.testing.assert_allclose(scales, np.broadcast_to(np.maximum(expected / (2 ** (bits - 1) - 1), 1), scales.shape))


@given(greatest=magnitudes, granularity=granularities)
def test_powers_of_two_are_less_than_twice_the_free_scale(greatest, granularity):
    free = np.array(by_clip(greatest, 8, granularity).scale)
    powers = np.array(by_clip(greatest, 8, granularity, power_of_two=True).scale)
    np.testing.assert_array_equal(np.frexp(powers)[0], 0.5)
    assert (free <= powers).all()
    assert (powers < 2 * free).all()


def test_no_scale_is_finer_than_the_step_of_its_values():
    stage = by_clip([10.0, 1e6], 8, "tap", least=np.array([7.0, 9.0]))
    assert stage.scale == (7.0, 1e6 / 127)


@given(
    ends=arrays(np.float64, (2, TAPS), elements=st.floats(-1e5, 1e5)),
    bits=bits,
    granularity=st.sampled_from(("tensor", "tap")),
    powers=st.booleans(),
)
def test_a_range_fits_with_its_zero_point_to_half_a_step(ends, bits, granularity, powers):
    low, high = ends.min(axis=0), ends.max(axis=0)
    stage = by_range(low, high, bits, granularity, power_of_two=powers)
    scale, zero_point = stage.scales(TAPS)[:, 0], np.array(stage.zero_points(TAPS))
    assert ((stage.limits[0] <= zero_point) & (zero_point <= stage.limits[1])).all()
    for end in (low, high):
        # Half a step for the zero point's own rounding, half for the value's.
        clipped = np.clip(np.rint(end / scale) + zero_point, *stage.limits)
        assert (np.abs((clipped - zero_point) * scale - end) <= 1.001 * scale).all()


def test_values_of_one_sign_use_every_step():
    stage = by_range(np.zeros(1), np.full(1, 2550.0), 8, "tap")
    assert (stage.scale, stage.zero_point) == ((10.0,), (-128,))


def test_one_scale_or_zero_point_stands_for_all_taps():
    stage = StageQuantizer(8, (2.0,), "tensor", (3,))
    assert stage.zero_points(4) == (3, 3, 3, 3)
    np.testing.assert_array_equal(stage.scales(4, 2), np.full((4, 2), 2.0))
    assert (stage.limits, stage.clip) == ((-128, 127), (254.0,))


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (StageQuantizer(8, (1.0, 2.0), "tensor"), "2 scales, need 1 "),
        (StageQuantizer(8, (1.0, 2.0), "tap"), "2 scales, need 4 "),
        (StageQuantizer(8, (1.0,) * 4, "tap_channel"), "4 scales, need 8 "),
    ],
)
def test_a_wrong_number_of_scales_is_an_error(stage, message):
    with pytest.raises(ValueError, match=message):
        stage.scales(4, 2)


def test_a_wrong_number_of_zero_points_is_an_error():
    with pytest.raises(ValueError, match="2 zero points, need 1 or 4"):
        StageQuantizer(8, (1.0,), "tensor", (0, 1)).zero_points(4)
