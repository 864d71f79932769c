"""ResNet-20 in training: the float network, its integers against TFLite's kernels and the compiled ones, its export."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which is not among the test packages")

from resnet20_random import random_images, random_state  # noqa: E402

from tvm_wvv.data.images import to_input  # noqa: E402
from tvm_wvv.frontends import tflite  # noqa: E402
from tvm_wvv.micro.in_process import InProcess  # noqa: E402
from tvm_wvv.micro.runners import OnHost  # noqa: E402
from tvm_wvv.models import resnet20_exact, resnet20_float  # noqa: E402
from tvm_wvv.models.resnet20_export import export  # noqa: E402
from tvm_wvv.models.resnet20_graph import BODY, INPUT_SHAPE, LOGITS  # noqa: E402
from tvm_wvv.models.resnet20_torch import Network  # noqa: E402
from tvm_wvv.models.resnet20_weights import PIXEL_ZERO, folded  # noqa: E402
from tvm_wvv.passes import pipeline  # noqa: E402
from tvm_wvv.passes.options import Options, RecipeFile  # noqa: E402
from tvm_wvv.qat import exact  # noqa: E402
from tvm_wvv.qat.convert import Winograd  # noqa: E402
from tvm_wvv.qat.fake_quant import Activation  # noqa: E402
from tvm_wvv.qat.flex import LearnedTransforms  # noqa: E402
from tvm_wvv.qat.layers import Scheme  # noqa: E402
from tvm_wvv.quant.recipe import parse_recipe, recipe_text  # noqa: E402
from tvm_wvv.reference.golden import Golden  # noqa: E402
from tvm_wvv.transforms.catalog import by_name  # noqa: E402

WEIGHTS, IMAGES = folded(random_state(), "random"), random_images(6)
CODES = to_input(IMAGES, (1, *INPUT_SHAPE), 1 / 255, PIXEL_ZERO - 128)
REAL = ((torch.from_numpy(IMAGES).float() - PIXEL_ZERO) / 255).permute(0, 3, 1, 2)


def quantized(winograd: Winograd | None) -> Network:
    network = Network(WEIGHTS)
    network.quantize(REAL, winograd)
    return network


def move_transforms(network: Network) -> None:
    """As training may: each layer's own way."""
    torch.manual_seed(3)
    for layer in network.winograd_layers().values():
        if isinstance(layer.transforms, LearnedTransforms):
            with torch.no_grad():
                for matrix in layer.transforms.parameters():
                    matrix += 0.02 * torch.randn_like(matrix)


def test_flex_begins_as_the_fixed_network() -> None:
    fixed, flex = (quantized(Winograd(by_name("f4"), Scheme("tap"), on)) for on in (False, True))
    images = torch.from_numpy(IMAGES)
    assert torch.equal(resnet20_exact.logits(flex, images), resnet20_exact.logits(fixed, images))
    with torch.no_grad():
        assert torch.equal(flex(REAL), fixed(REAL))
    assert export(flex, "f4")[0] == export(fixed, "f4")[0]


def test_the_float_network_is_that_of_numpy() -> None:
    with torch.no_grad():
        values = Network(WEIGHTS).values(REAL)
    expected = resnet20_float.activations(WEIGHTS, IMAGES, np.zeros(3))
    assert set(values) == set(expected)
    for name, value in values.items():
        got = value.permute(0, 2, 3, 1) if value.dim() == 4 else value
        np.testing.assert_allclose(got.numpy(), expected[name], rtol=1e-3, atol=1e-3)


def test_direct_integers_are_those_of_tflites_reference_kernels() -> None:
    network = quantized(None)
    content, recipe = export(network, "direct:int8")
    assert recipe.layers == {}
    expected = Golden(content).run(CODES)[LOGITS].reshape(len(IMAGES), -1)
    np.testing.assert_array_equal(resnet20_exact.logits(network, torch.from_numpy(IMAGES)), expected)


@pytest.mark.parametrize("flex", [False, True], ids=["fixed", "flex"])
def test_winograd_integers_are_those_of_the_compiled_network(flex: bool) -> None:
    network = quantized(Winograd(by_name("f4"), Scheme("tap"), flex))
    move_transforms(network)
    content, recipe = export(network, "f4:int8")
    text = recipe_text(recipe)
    assert parse_recipe(text, "again") == recipe
    model = tflite.from_bytes(content, "resnet20", "resnet20.tflite")
    lowered = pipeline.lower(model, Options(recipe=RecipeFile("recipe.json", text)), "x86")
    algorithms = [layer.algorithm for layer in lowered.layers if layer.op == "conv2d"]
    assert algorithms.count("f4_flex:int8" if flex else "f4:int8") == 17 and algorithms.count("direct") == 2
    (expected,) = OnHost(InProcess(lowered), lowered.inputs, lowered.outputs).run((CODES[:, np.newaxis],))
    got = resnet20_exact.logits(network, torch.from_numpy(IMAGES))
    np.testing.assert_array_equal(got, expected.reshape(len(IMAGES), -1))
    # What training sees differs where a tie falls to the other side, and by the rounding of factors and pools.
    with torch.no_grad():
        faked = network.tensors[LOGITS].codes(network(REAL)) + network.tensors[LOGITS].zero_point
    assert (faked - got).abs().max() <= 6


def test_means_round_as_an_average_pool_does() -> None:
    """Every half among the sums of 8x8 codes, on both sides of code 0."""
    network = quantized(None)
    last = BODY[-1].name
    tensor = network.tensors[last]
    assert isinstance(tensor, Activation)
    for low in (0.0, -3.0):
        tensor.assign(low, 4.0)
        codes = torch.zeros(256, 8, 8, 1).long() + torch.arange(-128, 128)[:, None, None, None]
        codes[:-1, :, 4:] += 1
        real = (codes.float() - tensor.zero_point).permute(0, 3, 1, 2) * tensor.scale()
        with torch.no_grad():
            got = tensor.codes(network._pooled(last, real)) + tensor.zero_point
        assert torch.equal(got.long(), exact.mean(codes))


def test_a_state_restores_the_network() -> None:
    winograd = Winograd(by_name("f2"), Scheme("tensor"))
    network, other = quantized(winograd), Network(folded(random_state(8), "other"))
    other.prepare(winograd)
    other.load_state_dict(network.state_dict())
    images = torch.from_numpy(IMAGES)
    assert torch.equal(resnet20_exact.logits(other, images), resnet20_exact.logits(network, images))
    assert export(other, "f2:int8")[0] == export(network, "f2:int8")[0]


def test_exporting_repeats() -> None:
    network = quantized(Winograd(by_name("f4c"), Scheme("tap_channel", 6, 6)))
    first, second = export(network, "f4c:int8"), export(network, "f4c:int8")
    assert first[0] == second[0] and recipe_text(first[1]) == recipe_text(second[1])
    assert {layer.stages.u.bits for layer in first[1].layers.values() if layer.stages} == {6}
