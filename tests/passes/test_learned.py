"""Learned transforms from a recipe: in the graph, on x86 and on Cortex-M, the bytes of the NumPy oracle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import require_tool
from integer_network import run_layers
from learned_cases import learned_transforms, own_transforms

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.frontends.tflite import load
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.emit_c import emit
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.toolchain import build_firmware
from tvm_wvv.models import packaged
from tvm_wvv.passes.choose import Choice
from tvm_wvv.passes.fuse_qdq import FuseQdq
from tvm_wvv.passes.options import Options, RecipeFile
from tvm_wvv.passes.pipeline import convolutions, decide, explain, lower, site_of
from tvm_wvv.quant.default_stages import from_ranges
from tvm_wvv.quant.recipe import LayerRecipe, Recipe, parse_recipe, recipe_text
from tvm_wvv.quant.stage import Stages
from tvm_wvv.transforms.catalog import Variant, by_name, learned
from tvm_wvv.transforms.learned import Transforms

# Each layer has its own matrices.
LAYERS = {"block1/conv1": "f4", "block1/conv2": "f2"}


def digits() -> QuantModel:
    path = packaged("digits")
    assert path is not None
    return load(path)


def stages_of(model: QuantModel, name: str, transforms: Transforms) -> Stages:
    """Scales that clip here and there."""
    site = site_of(convolutions(FuseQdq()(model.module))[name])  # type: ignore[operator]
    stages = from_ranges(learned(transforms), site.op, site.weights, "int8")  # type: ignore[arg-type]
    assert stages.v is not None and stages.m is not None
    v = replace(stages.v, scale=tuple(0.6 * scale for scale in stages.v.scale))
    m = replace(stages.m, scale=tuple(0.3 * scale for scale in stages.m.scale))
    return Stages(stages.u, v, m)


def options_for(model: QuantModel) -> Options:
    layers = {}
    for seed, (name, base) in enumerate(LAYERS.items()):
        transforms = learned_transforms(base, seed)
        layers[name] = LayerRecipe(Variant(learned(transforms), "int8"), stages_of(model, name, transforms))
    text = recipe_text(Recipe(model.sha256, layers))
    assert parse_recipe(text, "r.json") == Recipe(model.sha256, layers)
    return Options(recipe=RecipeFile("r.json", text))


def inputs(model: QuantModel, count: int = 4) -> np.ndarray:
    x = np.random.default_rng(5).integers(-128, 128, (count, *model.inputs[0].shape)).astype(np.int8)
    x[0], x[1] = -128, 127
    return x


def oracle(model: QuantModel, options: Options, x: np.ndarray) -> np.ndarray:
    integer = FuseQdq()(model.module)  # type: ignore[operator]
    decisions = decide(integer, options, model.sha256)
    for name in LAYERS:
        assert isinstance(decisions[name], Choice), decisions[name]
    runs = [run_layers(integer, {model.inputs[0].name: one}, decisions) for one in x]
    return np.stack([list(layers.values())[-1] for layers in runs])


def test_compiled_in_process_gives_the_oracles_bytes() -> None:
    model = digits()
    options, x = options_for(model), inputs(model)
    compiled = InProcess(lower(model, options, "x86"))
    made = np.stack([compiled.run((one,))[0] for one in x])
    np.testing.assert_array_equal(made, oracle(model, options, x))


@pytest.mark.parametrize("board_name", ["mps2-an386", "mps3-an547"])
def test_firmware_gives_the_oracles_bytes(board_name: str, tmp_path: Path) -> None:
    """Where other int8 layers have microkernels, these have none, and say nothing."""
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    model, board = digits(), load_board(board_name)
    options, x = options_for(model), inputs(model)
    program = build_firmware(emit(lower(model, options, board.target)).files, board, tmp_path)
    shape = model.outputs[0].shape
    made = run_firmware(board, program, x.tobytes(), int(np.prod(shape))).outputs
    np.testing.assert_array_equal(np.frombuffer(made, np.int8).reshape(len(x), *shape), oracle(model, options, x))


def test_the_algorithms_own_matrices_give_its_own_integers() -> None:
    model, name = digits(), "block1/conv1"
    integer, own = FuseQdq()(model.module), own_transforms("f4")  # type: ignore[operator]
    stages = stages_of(model, name, own)
    found = []
    for algorithm in (learned(own), by_name("f4")):
        layers = {name: LayerRecipe(Variant(algorithm, "int8"), stages)}
        options = Options(recipe=RecipeFile("r.json", recipe_text(Recipe(model.sha256, layers))))
        decisions, fed = decide(integer, options, model.sha256), {model.inputs[0].name: inputs(model)[3]}
        found.append(run_layers(integer, fed, decisions)[name])
    np.testing.assert_array_equal(found[0], found[1])


def test_reports_name_them_and_no_other_algorithm_takes_their_scales() -> None:
    model = digits()
    options = options_for(model)
    algorithms = {layer.name: layer.algorithm for layer in explain(model, options)}
    assert {name: algorithms[name] for name in LAYERS} == {name: f"{base}_flex:int8" for name, base in LAYERS.items()}
    with pytest.raises(WvvError, match=r"^layer block1/conv1: the recipe has quantizers for f4_flex:int8, f4:int8 was"):
        lower(model, replace(options, winograd="f4:int8"), "cortex_m")
