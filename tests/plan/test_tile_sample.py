"""Sampled tiles hold what the image holds there, each once, the same ones each time."""

from __future__ import annotations

import numpy as np
import pytest
from tile_layers import tile_layer

from tvm_wvv.plan.tile_sample import joined, sample_tiles, split
from tvm_wvv.reference.winograd_quantized import image_tiles


@pytest.mark.parametrize("name", ["f2", "f4c", "f4x1"])
@pytest.mark.parametrize("padding", [(1, 1, 1, 1), (0, 0, 0, 0), (2, 0, 0, 1)])
def test_all_tiles_are_those_of_the_oracle_in_order(name: str, padding: tuple[int, int, int, int]):
    layer = tile_layer(name)
    sample = sample_tiles(layer.x, layer.algorithm, -128, padding, 10**6, np.random.default_rng(0))
    expected = image_tiles(layer.x.astype(np.int64) + 128, layer.algorithm, padding)
    np.testing.assert_array_equal(sample.cells, expected.reshape(sample.cells.shape))


def test_outputs_beyond_the_image_are_marked():
    layer = tile_layer("f4c")
    inside = layer.sample(10**6).inside.reshape(4, 2, 3, 4, 4)
    # 7 rows and 10 columns of outputs in tiles of 4x4: of the last ones, 3 rows and 2 columns are within.
    assert inside.sum() == 4 * 7 * 10
    assert inside[:, 1, 2, :3, :2].all()
    assert not inside[:, 1, :, 3].any() and not inside[:, :, 2, :, 2:].any()


def test_the_same_seed_picks_the_same_tiles_and_another_others():
    layer = tile_layer()
    first, again, other = (layer.sample(10, seed).cells for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert len({one.tobytes() for one in first}) == 10


def test_split_keeps_every_tile_once():
    sample = tile_layer().sample(20)
    seen, kept_back = split(sample, 6)
    assert (len(seen), len(kept_back)) == (14, 6)
    both = joined([seen, kept_back])
    assert sorted(one.tobytes() for one in both.cells) == sorted(one.tobytes() for one in sample.cells)
    assert len(both.inside) == 20


def test_a_sample_too_small_to_split_serves_twice():
    sample = tile_layer().sample(3)
    seen, kept_back = split(sample, 3)
    assert seen is sample and kept_back is sample
