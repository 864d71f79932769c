"""Differences of a layer against figures worked out by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvm_wvv.quant.operators import Affine
from tvm_wvv.report.differences import (
    Comparison,
    Difference,
    LayerDifference,
    by_lowest_sqnr,
    comparison_object,
    difference,
)


def codes(*values: int) -> np.ndarray:
    return np.array(values, np.int8)


def test_codes_by_hand():
    # Less the zero point the reference is (3, -4, 0, 5), the device (3, -2, 1, 5).
    found = difference(codes(13, 8, 11, 15), codes(13, 6, 10, 15), Affine(0.25, 10))
    assert found == Difference(differing_bytes=2, bytes=4, largest=2, signal=9 + 16 + 25, noise=4 + 1)
    assert found.sqnr_db == pytest.approx(10.0, abs=1e-12)  # 50 : 5
    assert not found.identical


def test_the_scale_takes_no_part():
    device, reference = codes(-128, 127, 3), codes(-127, 127, 0)
    assert difference(device, reference, Affine(1e-6, -5)) == difference(device, reference, Affine(123.0, -5))


def test_both_ends_of_int8_do_not_wrap():
    found = difference(codes(-128, 127), codes(127, -128), Affine(1.0, -128))
    assert found == Difference(2, 2, 255, 255**2, 2 * 255**2)
    assert found.sqnr_db == pytest.approx(10 * math.log10(0.5))


def test_squares_of_a_large_layer_are_summed_exactly():
    device, reference = np.full((40, 1000), -128, np.int8), np.full((40, 1000), 127, np.int8)
    assert difference(device, reference, Affine(1.0, -128)).signal == 40_000 * 255**2


def test_floats_count_in_steps_and_their_bytes_by_the_bit():
    reference = np.array([0.0, 1.5, -2.0], np.float32)
    device = np.array([-0.0, 1.5, -1.0], np.float32)
    found = difference(device, reference, Affine(0.5, 7))
    assert (found.largest, found.signal, found.noise) == (2.0, 9.0 + 16.0, 4.0)
    # The zeros differ in the sign's byte; 0xC0000000 and 0xBF800000 in two.
    assert (found.differing_bytes, found.bytes) == (3, 12)


def test_no_ratio_without_noise_or_without_signal():
    same = difference(codes(1, 2), codes(1, 2), Affine(1.0, 0))
    assert (same.identical, same.sqnr_db) == (True, None)
    silent = difference(codes(1, 0), codes(0, 0), Affine(1.0, 0))
    assert (silent.identical, silent.largest, silent.sqnr_db) == (False, 1, None)


def test_other_shapes_and_types_are_our_mistake():
    with pytest.raises(AssertionError, match=r"the device gave \(2,\), the reference \(1,\)"):
        difference(codes(1, 2), codes(1), Affine(1.0, 0))
    with pytest.raises(AssertionError, match="the device gave int8, the reference float32"):
        difference(codes(1), np.zeros(1, np.float32), Affine(1.0, 0))


BYTES = st.lists(st.tuples(st.integers(-128, 127), st.integers(-128, 127)), min_size=2, max_size=30)


@given(pairs=BYTES, zero_point=st.integers(-128, 127), data=st.data())
def test_parts_add_up_to_the_whole(pairs: list[tuple[int, int]], zero_point: int, data: st.DataObject):
    cut = data.draw(st.integers(0, len(pairs)))
    device, reference = (np.array(column, np.int8) for column in zip(*pairs, strict=True))
    affine = Affine(0.1, zero_point)
    parts = difference(device[:cut], reference[:cut], affine) + difference(device[cut:], reference[cut:], affine)
    assert parts == difference(device, reference, affine)
    assert Difference() + parts == parts
    plain = [(d - r, r - zero_point) for d, r in pairs]
    assert parts.noise == sum(e * e for e, _ in plain)
    assert parts.signal == sum(r * r for _, r in plain)
    assert (parts.differing_bytes, parts.largest) == (sum(e != 0 for e, _ in plain), max(abs(e) for e, _ in plain))


def layer(name: str, signal: int, noise: int, differing: int) -> LayerDifference:
    return LayerDifference(name, "conv2d", "f4:int16", Difference(differing, 100, 1 if noise else 0, signal, noise))


def test_the_object_names_the_first_layer_that_differs():
    layers = (layer("a", 7, 0, 0), layer("b", 1000, 1, 1), layer("c", 10, 1, 1))
    value = json.loads(json.dumps(comparison_object(Comparison("x86", 3, False, layers)), allow_nan=False))
    assert list(value) == ["board", "n", "each", "identical", "first_difference", "layers"]
    assert (value["board"], value["n"], value["identical"], value["first_difference"]) == ("x86", 3, False, "b")
    assert [row["sqnr_db"] for row in value["layers"]] == [None, pytest.approx(30.0), pytest.approx(10.0)]
    assert value["layers"][0] == {
        "name": "a", "op": "conv2d", "algorithm": "f4:int16", "identical": True, "differing_bytes": 0, "bytes": 100,
        "largest_difference": 0, "sqnr_db": None,
    }  # fmt: skip
    noisiest = by_lowest_sqnr(layers)
    assert noisiest is not None
    assert noisiest.name == "c"


def test_without_a_difference_nothing_is_named():
    same = Comparison("x86", 1, False, (layer("a", 7, 0, 0),))
    assert (same.first_difference, comparison_object(same)["identical"]) == (None, True)
    assert by_lowest_sqnr(same.layers) is None
