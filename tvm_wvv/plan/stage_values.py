"""What flows through the stages of one 8-bit Winograd layer, over the clips that its recipe gives them: for figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.plan.calibrate import targets
from tvm_wvv.quant.recipe import LayerRecipe
from tvm_wvv.quant.stage import FloatArray, StageQuantizer
from tvm_wvv.quant.winograd_parameters import winograd_integers
from tvm_wvv.quant.winograd_ranges import transformed_weights
from tvm_wvv.reference.winograd_quantized import trace


@dataclass(frozen=True, eq=False)
class StageValues:
    """One stage: `values` [tap, n] over the clip of their tap (and output channel, where each has one); beyond 1 they
    are clipped. `before` [tap] is the mean clip of another recipe over this one's.
    """

    name: str
    values: FloatArray
    before: FloatArray


def stage_values(
    model: QuantModel, layer: str, x: NDArray[np.int8], recipe: LayerRecipe, before: LayerRecipe
) -> tuple[StageValues, ...]:
    """V, U and M of the layer that reads `x` int8 NHWC, clips as in `recipe`, compared with those in `before`."""
    (target,) = (one for one in targets(model, str(recipe.variant), (), model.name) if one.name == layer)
    algorithm, stages, earlier = recipe.variant.algorithm, recipe.stages, before.stages
    assert stages is not None and earlier is not None, "layers in 8 bits have stages"
    assert stages.v and stages.m and earlier.v and earlier.m, "layers in 8 bits have all stages"
    taps, outputs = algorithm.taps, target.site.outputs
    integers = winograd_integers(algorithm, target.op, target.site.weights, target.site.bias, stages)
    seen = trace(x, target.op, algorithm, integers)
    step = stages.v.scales(taps) * stages.u.scales(taps, outputs)
    u = transformed_weights(target.site.weights, algorithm).swapaxes(1, 2)
    return (
        _over_clips("V, transformed inputs", np.moveaxis(seen.v, 3, 0), stages.v, earlier.v),
        _over_clips("U, transformed weights", u, stages.u, earlier.u, outputs),
        _over_clips("M, sums of products", np.moveaxis(seen.m * step, 3, 0), stages.m, earlier.m, outputs),
    )


def _over_clips(
    name: str, values: NDArray[Any], now: StageQuantizer, before: StageQuantizer, channels: int = 1
) -> StageValues:
    """`values` [tap, ..., channel]; clips are on their grid."""
    taps = len(values)
    clips, earlier = (one.scales(taps, channels) * one.limits[1] for one in (now, before))
    flat = values.reshape(taps, -1, values.shape[-1]) / clips[:, None, :]
    return StageValues(name, flat.reshape(taps, -1), (earlier / clips).mean(1))
