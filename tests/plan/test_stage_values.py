"""Values of the stages for figures, against what the oracle clips and against clips doubled by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.frontends.tflite import load
from tvm_wvv.models import packaged
from tvm_wvv.plan.calibrate import Target, targets
from tvm_wvv.plan.stage_values import stage_values
from tvm_wvv.quant.recipe import LayerRecipe
from tvm_wvv.quant.stage import StageQuantizer, Stages
from tvm_wvv.quant.winograd_parameters import winograd_integers
from tvm_wvv.reference.winograd_quantized import trace

LAYER = "block1/conv1"
ROOM = 1.001  # a clip is a multiple of a scale; values beyond it by less than half a step round to it


def stages(taps: int) -> Stages:
    """Narrow enough to clip some values of each stage."""
    v = StageQuantizer(8, tuple(0.5 + 0.01 * tap for tap in range(taps)), "tap")
    return Stages(StageQuantizer(8, (2.0,)), v, StageQuantizer(8, tuple(60.0 + tap for tap in range(taps)), "tap"))


@pytest.fixture(scope="module")
def at() -> tuple[QuantModel, Target, np.ndarray, LayerRecipe]:
    path = packaged("digits")
    assert path is not None
    model = load(path)
    (target,) = (one for one in targets(model, "f4c:int8", (), "digits") if one.name == LAYER)
    x = np.random.RandomState(7).randint(-128, 128, (2, *target.site.x_shape[1:]), dtype=np.int8)
    return model, target, x, LayerRecipe(target.variant, stages(target.variant.algorithm.taps))


def test_what_is_beyond_the_clip_is_what_the_oracle_clips(at):
    model, target, x, recipe = at
    site, algorithm = target.site, recipe.variant.algorithm
    seen = trace(
        x, target.op, algorithm, winograd_integers(algorithm, target.op, site.weights, site.bias, recipe.stages)
    )
    v, _, m = stage_values(model, LAYER, x, recipe, recipe)
    for found, stored in ((v, seen.stored_v), (m, seen.rescaled_m)):
        at_the_ends = np.abs(np.moveaxis(stored, 3, 0).reshape(len(found.values), -1).astype(int)) >= 127
        beyond = np.abs(found.values) > ROOM
        assert beyond.any() and not beyond.all()
        assert (at_the_ends | ~beyond).all()
        # Half a step below the clip a value still rounds to it.
        assert (np.abs(found.values[at_the_ends]) > 1 - 0.51 / 127).all()


def test_clips_are_compared_with_those_of_another_recipe(at):
    model, target, x, recipe = at
    assert recipe.stages is not None and recipe.stages.v is not None
    doubled = replace(recipe.stages.v, scale=tuple(2 * one for one in recipe.stages.v.scale))
    earlier = replace(recipe, stages=replace(recipe.stages, v=doubled))
    v, u, m = stage_values(model, LAYER, x, recipe, earlier)
    np.testing.assert_array_equal(v.before, 2.0)
    np.testing.assert_array_equal(u.before, 1.0)
    np.testing.assert_array_equal(m.before, 1.0)
    assert len(v.values) == target.variant.algorithm.taps
