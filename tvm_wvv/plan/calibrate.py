"""Stage quantizers of a whole network from images: which layers, what is kept of them, and the recipe that comes out.

Running the network is not done here: `collect` takes what the layers read, batch by batch, from whoever runs it without
Winograd. Of each layer a fixed number of tiles is kept, however many images there are. Most of them choose the scales;
the rest, which the search never saw, tell by integer arithmetic what the layer loses. The same images in the same
batches give the same recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import IRModule, ir

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.layer_names import label
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.choose import Refusal, prove
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.passes.fuse_qdq import FuseQdq
from tvm_wvv.passes.pipeline import convolutions, site_of
from tvm_wvv.passes.spec import Mode, parse_layer_specs, parse_spec
from tvm_wvv.plan.clip_search import ROUNDS, Taps, Wish, search, unclipped
from tvm_wvv.plan.layer_error import BITS, exact_layer
from tvm_wvv.plan.layer_quality import Quality, quality
from tvm_wvv.plan.tile_sample import TileSample, joined, sample_tiles, split
from tvm_wvv.quant.default_stages import from_ranges
from tvm_wvv.quant.operators import Conv2d
from tvm_wvv.quant.recipe import LayerRecipe, Recipe
from tvm_wvv.quant.stage import Granularity, StageQuantizer, Stages
from tvm_wvv.transforms.catalog import Variant

Step = Callable[[int, int], None]
Activations = Mapping[str, NDArray[np.int8]]
# Tiles of a layer that choose its scales, and those kept back. Fewer, where a layer's transformed inputs, in single
# precision, would need more numbers than this.
TILES, CHECKS, _MOST_NUMBERS = 8192, 1024, 1 << 25
_SEED = 0


@dataclass(frozen=True)
class Target:
    """One layer that the recipe will name. `source` is the layer, or the input of the network, that it reads."""

    name: str
    source: str
    site: ConvSite
    variant: Variant

    @property
    def searched(self) -> bool:
        """Whether its scales come from images; other arithmetics have theirs from exact ranges, or none."""
        return self.variant.arithmetic == "int8"

    @property
    def op(self) -> Conv2d:
        """Its operator, which `targets` has made sure of."""
        assert isinstance(self.site.op, Conv2d), f"{self.name} is {self.site.op}"
        return self.site.op

    @property
    def tiles(self) -> int:
        """How many are to be kept."""
        numbers = self.variant.algorithm.taps * max(self.site.x_shape[3], self.site.outputs)
        return max(1, min(TILES, _MOST_NUMBERS // numbers)) + CHECKS


@dataclass(frozen=True)
class Calibrated:
    """One layer's part of the recipe, on how many tiles it rests, and what it loses; None where nothing was sampled."""

    name: str
    recipe: LayerRecipe
    tiles: int | None = None
    quality: Quality | None = None


def targets(model: QuantModel, winograd: str, layers: Sequence[tuple[str, str]], source: str) -> tuple[Target, ...]:
    """Every convolution that gets an algorithm by `--winograd` and `--layer`. `source` names the model in messages.

    WvvError where a layer that was named cannot have its algorithm, or nothing is left that images could calibrate.
    """
    fuse: Any = FuseQdq()  # which TVM's decorator makes callable
    integer = fuse(model.module)
    calls, read = convolutions(integer), _sources(integer, model)
    own, general = parse_layer_specs(layers, tuple(calls)), parse_spec(winograd)
    if Mode.AUTO in (general, *own.values()):
        raise WvvError("auto chooses exact algorithms only, which have no scales; name one, such as f4c:int8")
    found, refusals = [], dict[str, str]()
    for name, call in calls.items():
        spec, site = own.get(name, general), site_of(call)
        if not isinstance(spec, Variant):
            continue
        decision = prove(site, spec)
        if isinstance(decision, Refusal):
            if name in own:
                raise WvvError(f"--layer {label(name)}={spec}: {decision.reason}")
            refusals[name] = decision.reason
        else:
            found.append(Target(name, read[name], site, spec))
    _check(found, refusals, source)
    return tuple(found)


def collect(
    wanted: Sequence[Target], batches: Iterable[Activations], images: int, step: Step = lambda _, __: None
) -> dict[str, TileSample]:
    """Tiles of each layer, picked at random. A batch holds int8 (n, h, w, c) by `source`; all batches, `images`."""
    searched = [one for one in wanted if one.searched]
    randoms = {one.name: np.random.default_rng((_SEED, number)) for number, one in enumerate(searched)}
    parts: dict[str, list[TileSample]] = {one.name: [] for one in searched}
    done = 0
    for batch in batches:
        count = len(next(iter(batch.values())))
        for one in searched:
            # In proportion to the images, to the tile.
            share = one.tiles * (done + count) // images - one.tiles * done // images
            zero_point, padding = one.op.input.zero_point, one.op.window.padding
            sample = sample_tiles(
                batch[one.source], one.variant.algorithm, zero_point, padding, share, randoms[one.name]
            )
            parts[one.name].append(sample)
        done += count
        step(done, images)
    return {name: joined(found) for name, found in parts.items()}


def calibrate(
    wanted: Sequence[Target], samples: Mapping[str, TileSample], wish: Wish, step: Step = lambda _, __: None
) -> tuple[Calibrated, ...]:
    """Each layer's quantizers; `step` is told how many rounds of the search are done, of how many."""
    total, done, found = ROUNDS * len(wanted), 0, []
    for number, one in enumerate(wanted):
        done = ROUNDS * number
        step(done, total)

        def round_done() -> None:
            nonlocal done
            done += 1
            step(done, total)

        found.append(_sampled(one, samples[one.name], wish, round_done) if one.searched else _unsampled(one))
    step(total, total)
    return tuple(found)


def recipe_of(model_sha256: str, layers: Sequence[Calibrated]) -> Recipe:
    """The file's contents."""
    return Recipe(model_sha256, {one.name: one.recipe for one in layers})


def stages_of(taps: Taps, wish: Wish) -> Stages:
    """The quantizers of these scales, each in the shortest form that holds them."""

    def of_outputs(stage: str) -> StageQuantizer:
        return _quantizer(np.stack([getattr(tap, stage) for tap in taps]), wish)

    v = _quantizer(np.array([[tap.v] for tap in taps]), wish)
    zero_points = tuple(tap.zero_point for tap in taps) if wish.zero_points else (0,)
    return Stages(of_outputs("u"), StageQuantizer(BITS, v.scale, v.granularity, zero_points, wish.power_of_two),
                  of_outputs("m"))  # fmt: skip


def _quantizer(scales: NDArray[Any], wish: Wish) -> StageQuantizer:
    """Without zero points, for scales [t, o]."""
    granularity: Granularity = "tap_channel"
    if (scales == scales[:, :1]).all():
        granularity = "tensor" if (scales == scales[0, 0]).all() else "tap"
    kept = {"tensor": scales[:1, :1], "tap": scales[:, :1], "tap_channel": scales}[granularity]
    flat = tuple(kept.astype(np.float64).ravel().tolist())
    return StageQuantizer(BITS, flat, granularity, power_of_two=wish.power_of_two)


def _sampled(target: Target, sample: TileSample, wish: Wish, step: Callable[[], None]) -> Calibrated:
    seen, kept_back = split(sample, max(1, len(sample) * CHECKS // target.tiles))
    site, algorithm = target.site, target.variant.algorithm
    exact = exact_layer(seen, algorithm, target.op, site.weights, site.bias)
    taps = search(exact, wish, step) if wish.clipped else unclipped(exact, wish)
    stages = stages_of(taps, wish)
    decision = prove(site, target.variant, stages)
    if isinstance(decision, Refusal):
        raise WvvError(f"layer {label(target.name)}: {decision.reason}")
    assert decision.integers is not None, f"{target.variant} rounds"
    found = quality(kept_back, algorithm, target.op, site.weights, site.bias, decision.integers)
    return Calibrated(target.name, LayerRecipe(target.variant, stages), len(sample), found)


def _unsampled(target: Target) -> Calibrated:
    """Exact layers have no quantizers; those of int16 follow from ranges, finest where they are the most."""
    if target.variant.arithmetic == "exact":
        return Calibrated(target.name, LayerRecipe(target.variant))
    algorithm, arithmetic = target.variant.algorithm, target.variant.arithmetic
    stages = from_ranges(algorithm, target.op, target.site.weights, arithmetic, "tap_channel")
    return Calibrated(target.name, LayerRecipe(target.variant, stages))


def _check(found: Sequence[Target], refusals: Mapping[str, str], source: str) -> None:
    """That there is something to do."""
    if any(one.searched for one in found):
        return
    if found:
        names = ", ".join(sorted({str(one.variant) for one in found}))
        raise WvvError(f"{names}: no scales to calibrate; images choose those of int8, such as f4c:int8")
    if refusals:
        name, reason = next(iter(refusals.items()))
        raise WvvError(f"{source}: none of its convolutions can be computed so; {label(name)}: {reason}")
    raise WvvError(f"{source}: no convolution to calibrate")


def _sources(integer: IRModule, model: QuantModel) -> dict[str, str]:
    """What each convolution reads, by layer name."""
    main, bindings = integer["main"], [one for block in integer["main"].body.blocks for one in block.bindings]
    names: dict[ir.RelaxExpr, str] = {param: info.name for param, info in zip(main.params, model.inputs, strict=True)}
    names |= {one.var: integer_ops.layer_of(one.value) for one in bindings if integer_ops.is_integer_op(one.value)}
    return {name: names[call.args[0]] for name, call in convolutions(integer).items()}
