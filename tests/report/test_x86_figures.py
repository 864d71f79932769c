"""Shares of the peak by hand, and what stands in the table where there is nothing to multiply."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from tvm_wvv.report.figures import LayerFigures, Totals
from tvm_wvv.report.x86_figures import (
    PeakFigures,
    Speed,
    X86Profile,
    speeds,
    x86_notes,
    x86_profile_object,
    x86_profile_table,
)

PEAK = PeakFigures(bytes_gmac_per_s=500.0, int16_gmac_per_s=250.0)


def layer(name: str, algorithm: str, macs: int, multiplications: int) -> LayerFigures:
    return LayerFigures(name, "conv2d", algorithm, None, macs, multiplications, None, None, 100, 10)


LAYERS = (
    layer("a", "direct", 1_000_000, 1_000_000),  # 2 us at best
    layer("b", "f4:exact", 2_000_000, 500_000),  # 2 us too, of int16
    layer("c", "direct", 0, 0),
)


def profile() -> X86Profile:
    each, whole = speeds(LAYERS, (4.0, 2.5, 1.5), 10.0, PEAK)
    return X86Profile("net", "znver4", "avx512vnni", "a CPU", Totals(weight_bytes=300), LAYERS, each, whole, PEAK, 7)


def test_shares_of_the_peak() -> None:
    made = profile()
    first, second, third = made.speeds
    assert astuple(first) == pytest.approx((4.0, 0.5, 250, 0.5))
    assert astuple(second) == pytest.approx((2.5, 0.3125, 800, 0.8))
    assert third == Speed(1.5, 0.1875, None, None)
    assert astuple(made.whole) == pytest.approx((10.0, 1.0, 300, 0.4))


def test_a_layer_that_takes_no_time_has_no_speed() -> None:
    each, _ = speeds(LAYERS[:1], (0.0,), 1.0, PEAK)
    assert each == (Speed(0.0, 0.0, None, None),)


def test_object_and_table_agree() -> None:
    value = x86_profile_object(profile())
    assert [one["share"] for one in value["layers"]] == [0.5, 0.3125, 0.1875]
    assert value["totals"]["microseconds"] == 10.0
    assert "share" not in value["totals"]
    table = x86_profile_table(profile())
    by_name = {str(column.header): [str(cell) for cell in column.cells] for column in table.columns}
    assert by_name["us"] == ["4.00", "2.50", "1.50", "10.00"]
    assert by_name["of peak"] == ["50.00 %", "80.00 %", "-", "40.00 %"]
    assert by_name["GMAC/s"] == ["250", "800", "-", "300"]
    assert by_name["multiplications"][-1] == "1,500,000"
    assert "7 runs" in x86_notes(profile())[0]
    assert "500 GMAC/s of bytes" in x86_notes(profile())[1]
