"""Ranges are exact: some input reaches each end, and none goes beyond."""

from __future__ import annotations

import pytest
from algorithms import ALL
from hypothesis import given
from hypothesis import strategies as st

from tvm_wvv.transforms.catalog import F2, F4, F6
from tvm_wvv.transforms.ranges import StageRanges, WeightSums, fits, hull, input_range, range_of, stage_ranges

SMALL = StageRanges(v=(-1020, 1020), u=(-1152, 1152), sums=(0, 1), known=(-4, 3))


@given(
    row=st.lists(st.integers(-5, 5), min_size=1, max_size=5),
    low=st.integers(-255, 0),
    high=st.integers(0, 255),
)
def test_range_of_a_sum_is_reached_and_not_left(row, low, high):
    negative, positive = sum(e for e in row if e < 0), sum(e for e in row if e > 0)
    reached = range_of(negative, positive, (low, high))
    greatest = sum(e * (high if e > 0 else low) for e in row)
    least = sum(e * (low if e > 0 else high) for e in row)
    assert reached == (least, greatest)


@pytest.mark.parametrize("algorithm", ALL, ids=str)
def test_input_range_is_that_of_the_widest_tap_or_sum(algorithm):
    widest = max(sum(map(abs, row)) for row in algorithm.input_matrix)
    low, high = input_range(algorithm, (-255, 255))
    assert -low == high >= 255 * widest


def test_f2_inputs_stay_below_1021():
    assert input_range(F2, (-255, 255)) == (-1020, 1020)
    assert input_range(F2, (-128, 127)) == (-512, 510)


def test_real_f4_fits_int16_and_leaves_sums_26_bits():
    assert input_range(F4, (-255, 255)) == (-25500, 25500)
    ranges = stage_ranges(F4, (-128, 127), WeightSums((-6272, 6272), ((0, 0),)))
    assert ranges.overflow() is None
    assert ranges.known == (-(1 << 25), (1 << 25) - 1)


def test_real_f6_leaves_int16_in_its_inputs():
    reason = stage_ranges(F6, (-128, 127), WeightSums((0, 0), ((0, 0),))).overflow()
    assert reason == "transformed inputs may reach -318912, int16 ends at -32768"


def test_the_first_stage_that_overflows_is_named_with_its_numbers():
    assert SMALL.overflow() is None
    over = StageRanges(SMALL.v, (0, 40000), sums=(-5, 4), known=(-4, 3))
    assert over.overflow() == "transformed weights may reach 40000, int16 ends at 32767"
    above = StageRanges(SMALL.v, SMALL.u, sums=(0, 4), known=(-4, 3))
    assert above.overflow() == "sums may reach 4, what 32 bits tell apart ends at 3"


def test_an_input_range_without_zero_is_refused():
    with pytest.raises(ValueError, match="does not hold 0"):
        stage_ranges(F2, (1, 5), WeightSums((0, 0), ((0, 0),)))


def test_hull_and_fits():
    assert hull([(0, 3), (-2, 1)]) == (-2, 3)
    assert fits((-2, 3), (-2, 3))
    assert not fits((-3, 3), (-2, 3))
