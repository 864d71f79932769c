"""The recipe of one row of the ResNet-20 table: stage scales of every 3x3 layer of stride 1 from images.

Takes what lies before each layer when the network runs without Winograd. Looks at tiles picked at random over all of
it, the same ones each time, and chooses by `plan.clip_search`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.models.resnet20_graph import convolutions
from tvm_wvv.models.resnet20_rows import Row
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.passes.fuse_qdq import FuseQdq
from tvm_wvv.plan.clip_search import Taps, Wish, search, unclipped
from tvm_wvv.plan.layer_error import BITS, exact_layer
from tvm_wvv.plan.tile_sample import sample_tiles
from tvm_wvv.quant.operators import Conv2d
from tvm_wvv.quant.recipe import LayerRecipe, Recipe
from tvm_wvv.quant.stage import Granularity, StageQuantizer, Stages
from tvm_wvv.transforms.catalog import variant

TILES, _SEED = 1024, 0


def recipe(
    model: QuantModel, row: Row, inputs: Mapping[str, np.ndarray], step: Callable[[int, int], None] = lambda _, __: None
) -> Recipe:
    """`inputs` holds int8 (n, h, w, c) for every layer that some 3x3 layer reads; `step` is told (done, total)."""
    fuse: Any = FuseQdq()  # which TVM's decorator makes callable
    integer = fuse(model.module)
    sites = {name: pipeline.site_of(call) for name, call in pipeline.convolutions(integer).items()}
    layers = [layer for layer in convolutions() if layer.stride == 1]
    found = {}
    for number, layer in enumerate(layers):
        step(number, len(layers))
        found[layer.name] = _layer(sites[layer.name], row, inputs[layer.source])
    step(len(layers), len(layers))
    return Recipe(model.sha256, found)


def _layer(site: ConvSite, row: Row, x: np.ndarray) -> LayerRecipe:
    chosen, op = variant(row.winograd), site.op
    assert row.granularity is not None and isinstance(op, Conv2d), f"{row.title} on {op} has no stage scales"
    random = np.random.default_rng(_SEED)
    sample = sample_tiles(x, chosen.algorithm, op.input.zero_point, op.window.padding, TILES, random)
    exact = exact_layer(sample, chosen.algorithm, op, site.weights, site.bias)
    taps = (search if row.clipped else unclipped)(exact, Wish(row.granularity))
    return LayerRecipe(chosen, stages(taps, row.granularity))


def stages(taps: Taps, granularity: Granularity) -> Stages:
    """Quantizers without zero points, with as many scales as the granularity has; V knows no output channels."""

    def of_outputs(scales: np.ndarray) -> StageQuantizer:
        kept = {"tensor": scales[:1, :1], "tap": scales[:, :1], "tap_channel": scales}[granularity]
        return StageQuantizer(BITS, tuple(kept.astype(np.float64).ravel().tolist()), granularity)

    shared = granularity == "tensor"
    v = tuple(tap.v for tap in taps[: 1 if shared else None])
    u, m = (of_outputs(np.stack([getattr(tap, stage) for tap in taps])) for stage in ("u", "m"))
    return Stages(u, StageQuantizer(BITS, v, "tensor" if shared else "tap"), m)
