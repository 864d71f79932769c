"""The search for scales: its model in floats against the integers, never worse than no clipping, who shares a scale."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from tile_layers import TileLayer, tile_layer

from tvm_wvv.plan.calibrate import stages_of
from tvm_wvv.plan.clip_search import ROUNDS, Wish, search, unclipped
from tvm_wvv.plan.layer_error import LOW, cost, errors, tap_error, tap_form
from tvm_wvv.quant.stage import Granularity
from tvm_wvv.quant.winograd_parameters import winograd_integers
from tvm_wvv.reference.conv import conv2d_sums
from tvm_wvv.reference.winograd_quantized import trace

GRANULARITIES: tuple[Granularity, ...] = get_args(Granularity)
WISHES = [Wish(one, powers, zeros) for one in GRANULARITIES for powers in (False, True) for zeros in (False, True)]


def name_of(wish: Wish) -> str:
    return f"{wish.granularity}{'-powers' * wish.power_of_two}{'-zeros' * wish.zero_points}"


def in_integers(layer: TileLayer, wish: Wish) -> float:
    """The squared error of the sums by the oracle, in output steps, on the tiles that `exact` weighs."""
    sample = layer.sample()
    exact = layer.exact(sample)
    taps = search(exact, wish)
    op = replace(layer.op, window=replace(layer.op.window, padding=(0, 0, 0, 0)))
    x = (sample.cells.reshape(-1, *layer.algorithm.tile, layer.x.shape[3]) + op.input.zero_point).astype(np.int8)
    integers = winograd_integers(layer.algorithm, op, layer.weights, layer.bias, stages_of(taps, wish))
    scales = np.array([one.mantissa * 2.0 ** (one.shift - 31) for one in integers.out_multipliers])
    made = (trace(x, op, layer.algorithm, integers).y + integers.bias_y) * scales
    step = np.array(op.weight_scales) * op.input.scale / op.output.scale
    error = made - conv2d_sums(x, layer.weights, layer.bias, op) * step
    counts = exact.weight.transpose(1, 0, 2).reshape(error.shape) > 0
    return float(np.sum(error**2 * counts))


@pytest.mark.parametrize("wish", WISHES, ids=name_of)
def test_the_model_in_floats_tells_what_the_integers_lose(wish: Wish):
    layer = tile_layer()
    exact = layer.exact(layer.sample())
    expected = cost(exact, errors(exact, search(exact, wish))).sum()
    # Multipliers and factors are rounded too: a few values move by a step.
    assert in_integers(layer, wish) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("wish", WISHES, ids=name_of)
@pytest.mark.parametrize("name", ["f2", "f4", "f4c"])
def test_the_search_never_ends_worse_than_without_clipping(name: str, wish: Wish):
    layer = tile_layer(name, seed=2)
    exact = layer.exact(layer.sample())
    before, after = (cost(exact, errors(exact, found(exact, wish))).sum() for found in (unclipped, search))
    assert after <= before * (1 + 1e-5)  # single precision


def test_clipping_pays_where_large_values_are_rare():
    layer = tile_layer("f4c", seed=1, channels=(9, 6), images=40)
    np.minimum(layer.x, -90, out=layer.x)
    # One input far beyond all others: what it loses is little beside what the finer steps gain.
    layer.x[7, 3, 4, 5] = 127
    exact = layer.exact(layer.sample())
    before, after = (cost(exact, errors(exact, found(exact, Wish("tensor")))).sum() for found in (unclipped, search))
    assert after < 0.8 * before


def test_the_same_layer_gives_the_same_scales():
    layer = tile_layer()
    first, again = (stages_of(search(layer.exact(layer.sample()), Wish("tap")), Wish("tap")) for _ in range(2))
    assert first == again


def test_nothing_of_the_sample_is_clipped_at_the_start():
    exact = tile_layer().exact(tile_layer().sample())
    for wish in WISHES:
        taps = unclipped(exact, wish)
        scales = np.array([tap.v for tap in taps])[:, None, None]
        zero_points = np.array([tap.zero_point for tap in taps])[:, None, None]
        stored = exact.v / scales + zero_points
        # Half a step of the zero point's own rounding, and a last step that rounds to nearest.
        assert stored.min() >= LOW - 1 and stored.max() <= 128
        assert (np.abs(exact.m) <= 127.01 * np.stack([tap.m for tap in taps])[:, None]).all()


@pytest.mark.parametrize("wish", WISHES, ids=name_of)
def test_scales_are_shared_as_the_granularity_says(wish: Wish):
    exact = tile_layer().exact(tile_layer().sample())
    taps = search(exact, wish)
    v, u, m = (np.array([getattr(tap, stage) for tap in taps]) for stage in ("v", "u", "m"))
    if wish.granularity == "tensor":
        # One number for balanced rows and columns; those that let a constant pass count twice as much for each axis.
        powers = 2.0 ** np.array(tile_layer().algorithm.constant_axes)
        assert set(powers.tolist()) == {1, 2, 4}
        assert (v == v[0] * powers).all() and (u == u[0]).all() and (m == m[0] * powers[:, None]).all()
    if wish.granularity == "tap":
        # A number for each tap times one for each output.
        np.testing.assert_allclose(m / m[:, :1], (m / m[:, :1])[:1].repeat(len(m), 0), rtol=1e-5)
        assert len(set(v.tolist())) > 1
    if wish.granularity == "tap_channel" and not wish.power_of_two:
        assert not np.allclose(m / m[:, :1], (m / m[:, :1])[:1])
    if wish.power_of_two:
        assert (np.frexp(np.concatenate([v.ravel(), u.ravel(), m.ravel()]))[0] == 0.5).all()
    moved = [tap.zero_point for tap in taps if tap.zero_point]
    # The input lies on one side of zero, and so do its sums; its differences do not.
    assert 0 < len(moved) < len(taps) if wish.zero_points else not moved


def test_finer_sharing_costs_less_error():
    exact = tile_layer("f4c", seed=4, channels=(9, 6)).exact(tile_layer("f4c", seed=4, channels=(9, 6)).sample())
    found = [cost(exact, errors(exact, search(exact, Wish(one)))).sum() for one in GRANULARITIES]
    assert found[0] > found[1] > found[2]


def test_balance_pays_on_smooth_images_where_taps_share_their_scales():
    layer = tile_layer("f4c", seed=4, channels=(9, 6))
    for axis in (1, 2):
        layer.x[:] = np.mean([np.roll(layer.x, k, axis) for k in range(4)], axis=0)
    exact, wish = layer.exact(layer.sample()), Wish("tensor", zero_points=True)
    plain = replace(exact, balance=np.ones_like(exact.balance))
    balanced, without = (cost(one, errors(one, search(one, wish))).sum() for one in (exact, plain))
    assert balanced < 0.8 * without


def test_a_dead_channel_has_scales_too():
    layer = tile_layer()
    weights = layer.weights.copy()
    weights[1] = 0
    dead = replace(layer, weights=weights)
    for wish in WISHES:
        taps = search(dead.exact(dead.sample()), wish)
        winograd_integers(dead.algorithm, dead.op, weights, dead.bias, stages_of(taps, wish))


def test_a_tap_is_tried_by_its_form_as_by_all_errors_anew():
    layer = tile_layer()
    exact = layer.exact(layer.sample())
    taps = unclipped(exact, Wish("tap"))
    error = errors(exact, taps)
    t, coarser = 19, replace(taps[19], m=taps[19].m * 3)
    others = np.tensordot(exact.matrix, error, 1) - exact.matrix[:, t, None, None] * error[t]
    form, changed = tap_form(exact, t, others), error.copy()
    changed[t] = tap_error(exact, t, coarser)
    added = form.cost(changed[t]) - form.cost(error[t])
    np.testing.assert_allclose(added, cost(exact, changed) - cost(exact, error), rtol=1e-3)


def test_each_round_is_told():
    told: list[int] = []
    exact = tile_layer("f2").exact(tile_layer("f2").sample(20))
    search(exact, Wish(), lambda: told.append(1))
    assert len(told) == ROUNDS
