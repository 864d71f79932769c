"""The rewrite in arithmetic that rounds: stages in the graph, refusals, recipes, and what the stages compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from integer_network import run_layers
from strategies import SingleOp, conv_models
from tvm import IRModule, relax

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.frontends.tflite import from_bytes, load
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.models import packaged
from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.choose import Choice, Refusal, prove
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.passes.fuse_qdq import FuseQdq
from tvm_wvv.passes.options import Options, RecipeFile, Target
from tvm_wvv.passes.pipeline import convolutions, decide, explain, lower, site_of
from tvm_wvv.passes.rewrite_winograd import RewriteWinograd
from tvm_wvv.passes.stages import InputTransform, OutputTransform, RequantizeInput, RequantizeProducts, TileProduct
from tvm_wvv.quant.default_stages import from_ranges
from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.quant.recipe import LayerRecipe, Recipe, recipe_text
from tvm_wvv.quant.stage import StageQuantizer
from tvm_wvv.transforms.catalog import variant

LAYER = "block1/conv1"
INT8_STAGES = ["input_transform", "requantize_input", "tile_product", "requantize_products", "output_transform"]
QUANTIZED = ("f4h:int16", "f4c:int8", "f2:int8", "f6:int16", "f4x1:int8", "f6c:int8")


def digits() -> QuantModel:
    path = packaged("digits")
    assert path is not None
    return load(path)


def calls(module: IRModule, layer: str) -> list[relax.Call]:
    bindings = [binding for block in module["main"].body.blocks for binding in block.bindings]
    found = [binding.value for binding in bindings if integer_ops.is_integer_op(binding.value)]
    return [call for call in found if integer_ops.layer_of(call) == layer]


def fused(model: QuantModel) -> IRModule:
    return FuseQdq()(model.module)  # type: ignore[operator]


def rewritten(options: Options) -> list[relax.Call]:
    integer = fused(digits())
    return calls(RewriteWinograd(decide(integer, options))(integer), LAYER)  # type: ignore[operator]


def test_int8_has_both_roundings_as_stages():
    *found, last = rewritten(Options(winograd="f4c:int8"))
    nodes = [integer_ops.read(call) for call in found]
    assert [node.op for node in nodes] == [f"winograd_{name}" for name in INT8_STAGES]
    types = [(integer_ops.shape_of(call), call.ty.dtype) for call in found]
    v, m, y = (1, 4, 4, 46, 16), (1, 4, 4, 46, 16), (1, 16, 16, 16)  # tiles, taps, channels
    assert types == [(v, "int32"), (v, "int8"), (m, "int32"), (m, "int8"), (y, "int32")]
    assert nodes[0] == InputTransform("f4c:int8", -128, (1, 1, 1, 1), "int32")
    assert nodes[1] == RequantizeInput("f4c:int8", 8, 0, 4 * 4 * 255)
    assert nodes[2] == TileProduct("f4c:int8")
    assert isinstance(nodes[3], RequantizeProducts)
    assert (nodes[3].bits, nodes[3].shift) == (8, 0)
    assert nodes[4] == OutputTransform("f4c:int8", (16, 16))
    assert (integer_ops.read(last).op, last.ty.dtype) == ("winograd_requantize", "int8")
    constants = [[arg.value.numpy() for arg in integer_ops.split_args(call)[1]] for call in (*found, last)]
    assert [[array.shape for array in own] for own in constants] == [
        [],
        [(46,), (46,)],  # mantissas, zero points
        [(46, 16, 16), (46, 16)],  # U, what takes off V's zero points
        [(46, 16)],
        [(46, 1)],  # factors
        [(16,), (16,), (16,)],  # bias, mantissas, shifts
    ]
    assert constants[2][0].dtype == np.int8


def test_int16_keeps_v_and_rescales_sums_without_a_clip():
    found = rewritten(Options(winograd="f4h:int16"))
    assert [integer_ops.read(call).op.removeprefix("winograd_") for call in found] == [
        "input_transform",
        "tile_product",
        "requantize_products",
        "output_transform",
        "requantize",
    ]
    v, m, rescaled, _, _ = found
    assert (v.ty.dtype, m.ty.dtype, rescaled.ty.dtype) == ("int16", "int32", "int32")
    node = integer_ops.read(rescaled)
    assert isinstance(node, RequantizeProducts)
    assert node.bits == 32
    assert m.args[1].value.numpy().dtype == np.int16


def test_f6_needs_a_quantizer_of_16_bits_for_v():
    names = [integer_ops.read(call).op for call in rewritten(Options(winograd="f6:int16"))]
    assert "winograd_requantize_input" in names


@pytest.mark.parametrize(("target", "kernels"), [("x86", 6), ("cortex_m", 1)])
def test_stages_are_kernels_of_their_own_on_x86_and_one_on_cortex_m(target: Target, kernels: int):
    main = lower(digits(), Options(winograd="f4c:int8"), target).module["main"]
    layers = {str(variable): str(layer) for variable, layer in main.attrs["layers"].items()}
    names = [binding.var.name for block in main.body.blocks for binding in block.bindings]
    assert [layers.get(name) for name in names].count(LAYER) == kernels


def test_auto_stays_exact():
    algorithms = {layer.algorithm for layer in explain(digits(), Options())}
    assert all(name == "direct" or name.endswith(":exact") for name in algorithms)


@pytest.mark.parametrize(("inputs", "fits"), [(130_000, True), (140_000, False)])
def test_sums_that_cannot_fit_are_refused_with_the_numbers(inputs: int, fits: bool):
    """127 * 127 for each channel passes 2^31 between the two."""
    op = Conv2d(Affine(1.0, 0), Affine(1e6, 0), (1.0,), Window(padding=(1, 1, 1, 1)))
    site = ConvSite(op, (1, 2, 2, inputs), np.full((1, 3, 3, inputs), -128, np.int8), np.zeros(1, np.int32))
    decision = prove(site, variant("f2:int8"))
    if fits:
        assert isinstance(decision, Choice) and decision.integers is not None
        assert decision.integers.products_bound <= 2**31 - 1
        return
    assert isinstance(decision, Refusal)
    start = "f2:int8 is not possible here: sums of products over 140000 input channels may reach 22"
    assert decision.reason.startswith(start)
    assert "int32 ends at 2147483647" in decision.reason


def recipe_file(model: QuantModel, layers: Mapping[str, LayerRecipe]) -> RecipeFile:
    return RecipeFile("r.json", recipe_text(Recipe(model.sha256, layers)))


def stages_of(model: QuantModel, algorithm: str) -> LayerRecipe:
    """Quantizers that nobody would get without a recipe: 7 bits for M."""
    chosen, site = variant(algorithm), site_of(convolutions(fused(model))[LAYER])
    stages = from_ranges(chosen.algorithm, site.op, site.weights, chosen.arithmetic)  # type: ignore[arg-type]
    assert stages.m is not None
    finer = StageQuantizer(8, tuple(2 * one for one in stages.m.scale), stages.m.granularity)
    return LayerRecipe(chosen, replace(stages, m=finer))


@pytest.mark.parametrize("winograd", ["auto", "f4c:int8"])
def test_a_recipe_gives_algorithm_and_quantizers(winograd: str):
    model = digits()
    recipe = recipe_file(model, {LAYER: stages_of(model, "f4c:int8")})
    with_recipe = decide(fused(model), Options(winograd=winograd, recipe=recipe), model.sha256)
    without = decide(fused(model), Options(winograd="f4c:int8"))[LAYER]
    found = with_recipe[LAYER]
    assert isinstance(found, Choice) and isinstance(without, Choice)
    assert str(found.variant) == "f4c:int8"
    assert found.integers is not None and without.integers is not None
    own, other = found.integers.m_multipliers, without.integers.m_multipliers
    assert own is not None and other is not None
    np.testing.assert_allclose(own.mantissa, other.mantissa / 2, atol=1)
    expected = "f4:exact" if winograd == "auto" else "f4c:int8"
    others = [one for name, one in with_recipe.items() if name != LAYER and isinstance(one, Choice)]
    assert {str(one.variant) for one in others} == {expected}


def test_a_layers_own_wish_goes_before_the_recipe():
    model = digits()
    recipe = recipe_file(model, {LAYER: stages_of(model, "f4c:int8")})
    options = Options(layers=((LAYER, "f2:exact"),), recipe=recipe)
    decision = decide(fused(model), options, model.sha256)[LAYER]
    assert isinstance(decision, Choice)
    assert str(decision.variant) == "f2:exact"


def test_a_layers_own_wish_may_round_too_and_has_no_use_for_other_quantizers():
    model = digits()
    recipe = recipe_file(model, {LAYER: stages_of(model, "f4c:int8")})
    found = [
        decide(fused(model), Options(layers=((LAYER, spec),), recipe=one), model.sha256)[LAYER]
        for spec, one in (("f4:int8", recipe), ("f4:int8", None), ("f4c:int8", recipe), ("auto", recipe))
    ]
    integers = [one.integers for one in found if isinstance(one, Choice)]
    mantissas = [one.m_multipliers.mantissa for one in integers if one is not None and one.m_multipliers is not None]
    assert len(mantissas) == 4
    np.testing.assert_array_equal(mantissas[0], mantissas[1])
    # The recipe's own algorithm, named or left to it, keeps the recipe's quantizers.
    np.testing.assert_array_equal(mantissas[2], mantissas[3])


def test_another_algorithm_than_the_recipes_has_no_quantizers():
    model = digits()
    recipe = recipe_file(model, {LAYER: stages_of(model, "f4c:int8")})
    with pytest.raises(WvvError) as caught:
        lower(model, Options(winograd="f4:int8", recipe=recipe), "cortex_m")
    assert str(caught.value) == (
        f"layer {LAYER}: the recipe has quantizers for f4c:int8, f4:int8 was asked for; "
        "leave out --winograd to follow the recipe, or --recipe to do without data"
    )


def test_a_recipe_of_another_model_is_refused():
    model = digits()
    recipe = recipe_file(model, {LAYER: stages_of(model, "f4c:int8")})
    foreign = RecipeFile("r.json", recipe.text.replace(model.sha256, "0" * 64))
    with pytest.raises(WvvError, match=r"^r\.json: model_sha256: made for model 000000000000"):
        lower(model, Options(recipe=foreign), "cortex_m")


@pytest.mark.parametrize("target", ["x86", "cortex_m"])
@settings(max_examples=14, deadline=None, derandomize=True)
@given(single=conv_models(kernel=(3, 3), dense=True), name=st.sampled_from(QUANTIZED))
def test_any_3x3_convolution_gives_the_oracles_bytes(target: Target, single: SingleOp, name: str):
    model, options = from_bytes(single.model, "m", "m.tflite"), Options(winograd=name)
    integer = fused(model)
    decisions = decide(integer, options)
    assume(all(isinstance(one, Choice) for one in decisions.values()))
    compiled = InProcess(lower(model, options, target))
    (inputs,) = single.samples(seed=3)
    for x in inputs:
        expected = run_layers(integer, {model.inputs[0].name: x}, decisions)
        np.testing.assert_array_equal(compiled.run((x,))[0], next(iter(expected.values())))
