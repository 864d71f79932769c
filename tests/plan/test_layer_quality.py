"""What a layer loses, told from its tiles, is what the oracle loses on whole images; clipped shares are counted."""

from __future__ import annotations

import numpy as np
import pytest
from tile_layers import tile_layer

from tvm_wvv.plan.calibrate import stages_of
from tvm_wvv.plan.clip_search import Wish, search, unclipped
from tvm_wvv.plan.layer_quality import quality
from tvm_wvv.quant.stage import StageQuantizer, Stages
from tvm_wvv.quant.winograd_parameters import winograd_integers
from tvm_wvv.reference.conv import conv2d
from tvm_wvv.reference.winograd_quantized import trace

ALL = 10**6


@pytest.mark.parametrize("name", ["f2", "f4c", "f4x1"])
@pytest.mark.parametrize("zero_points", [False, True])
def test_all_tiles_tell_what_whole_images_do(name: str, zero_points: bool):
    layer, wish = tile_layer(name), Wish("tap", zero_points=zero_points)
    stages = stages_of(search(layer.exact(layer.sample()), wish), wish)
    integers = winograd_integers(layer.algorithm, layer.op, layer.weights, layer.bias, stages)
    found = quality(layer.sample(ALL), layer.algorithm, layer.op, layer.weights, layer.bias, integers)
    whole = trace(layer.x, layer.op, layer.algorithm, integers)
    direct = conv2d(layer.x, layer.weights, layer.bias, layer.op).astype(np.int64)
    signal, noise = np.square(direct - layer.op.output.zero_point).sum(), np.square(direct - whole.output).sum()
    assert found.sqnr_db == pytest.approx(10 * np.log10(signal / noise))
    # The ends of the range may be reached without clipping.
    assert found.clipped_v <= np.mean(np.isin(whole.stored_v, (-128, 127)))
    assert found.clipped_m <= np.mean(np.isin(whole.rescaled_m, (-128, 127)))


def test_shares_of_clipped_values_are_those_beyond_the_clips():
    layer = tile_layer("f4c")
    exact = layer.exact(layer.sample(ALL))
    stages = stages_of(unclipped(exact, Wish("tap")), Wish("tap"))
    assert stages.v is not None and stages.m is not None
    halved = StageQuantizer(8, tuple(one / 2 for one in stages.v.scale), "tap")
    integers = winograd_integers(
        layer.algorithm, layer.op, layer.weights, layer.bias, Stages(stages.u, halved, stages.m)
    )
    found = quality(layer.sample(ALL), layer.algorithm, layer.op, layer.weights, layer.bias, integers)
    scales = np.array(halved.scale)[:, None, None]
    expected = np.mean((exact.v / scales >= 127.5) | (exact.v / scales < -128.5))
    assert expected > 0.001
    assert found.clipped_v == pytest.approx(expected, abs=1e-4)
    assert found.clipped_m < expected


def test_a_layer_without_differences_has_no_ratio():
    layer = tile_layer("f2", channels=(1, 1))
    wide = Stages(StageQuantizer(16, (1.0,)), StageQuantizer(16, (1.0,)), StageQuantizer(16, (8.0,)))
    layer.weights[:] = 0
    integers = winograd_integers(layer.algorithm, layer.op, layer.weights, layer.bias, wide)
    assert quality(layer.sample(), layer.algorithm, layer.op, layer.weights, layer.bias, integers).sqnr_db is None
