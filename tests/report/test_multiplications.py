"""Counts of whole networks, against published ones and against sums written out here."""

from __future__ import annotations

import pytest

from tvm_wvv.report.multiplications import (
    NETWORKS,
    RESNET8,
    RESNET18,
    RESNET20,
    ConvShape,
    NetworkShape,
    direct_multiplications,
    multiplications,
    saving,
)
from tvm_wvv.transforms.catalog import ALGORITHMS, F2, F4C, F6


@pytest.mark.parametrize(("network", "published"), [(RESNET20, 2.785), (RESNET18, 2.112)], ids=["resnet20", "resnet18"])
def test_complex_points_save_what_is_published(network, published):
    """2.8 times and 2.1 times in "Wino Vidi Vici", WACV 2024."""
    assert saving(network, F4C) == pytest.approx(published, abs=0.0005)


@pytest.mark.parametrize(
    ("network", "macs"),
    [(RESNET8, 12_501_632), (RESNET20, 40_551_040), (RESNET18, 1_814_073_344)],
    ids=lambda x: str(x)[:30],
)
def test_macs_are_those_of_the_papers(network, macs):
    assert direct_multiplications(network) == macs


def test_whole_tiles_count_where_they_hang_over_the_edge():
    """7x7 outputs take 2x2 tiles of 4x4."""
    network = NetworkShape("one", "none", (ConvShape(7, 3, 5, times=2),), dense=10)
    assert direct_multiplications(network) == 2 * 49 * 9 * 15 + 10
    assert multiplications(network, F4C) == 2 * 4 * 46 * 15 + 10
    assert multiplications(network, F6) == 2 * 4 * 64 * 15 + 10
    assert multiplications(network, F2) == 2 * 16 * 16 * 15 + 10


def test_strides_and_other_kernels_stay_direct():
    layers = (ConvShape(9, 2, 3, stride=2), ConvShape(8, 2, 3, kernel=1), ConvShape(8, 2, 3, kernel=7, stride=2))
    network = NetworkShape("none", "none", layers, dense=0)
    assert direct_multiplications(network) == 25 * 9 * 6 + 64 * 6 + 16 * 49 * 6
    assert {saving(network, one) for one in ALGORITHMS.values()} == {1.0}


def test_no_algorithm_saves_more_on_a_network_than_on_its_tile():
    for network in NETWORKS:
        for one in ALGORITHMS.values():
            assert 1 < saving(network, one) < 9 * one.m[0] * one.m[1] / one.taps
