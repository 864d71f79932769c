"""A trained ResNet-20 as what the compiler takes: an int8 `.tflite` and the recipe of its Winograd layers."""

from __future__ import annotations

import hashlib

from tvm_wvv.models.resnet20_graph import BODY, INPUT, Shortcut
from tvm_wvv.models.resnet20_quantize import INPUT_AFFINE, with_affines
from tvm_wvv.models.resnet20_torch import Network
from tvm_wvv.quant.recipe import LayerRecipe, Recipe
from tvm_wvv.transforms.catalog import Variant


def export(network: Network, arm: str) -> tuple[bytes, Recipe]:
    """The file and the recipe of a quantized network; the same network gives the same bytes."""
    affines = {**network.affines(), INPUT: INPUT_AFFINE}
    for layer in BODY:
        if isinstance(layer, Shortcut):
            affines[layer.name] = affines[layer.source]
    content = with_affines(network.weights(), affines, f"ResNet-20 for CIFAR-10, int8, trained as {arm}")
    layers = {
        name: LayerRecipe(Variant(layer.transforms.exported(), "int8"), layer.stages())
        for name, layer in network.winograd_layers().items()
    }
    return content, Recipe(hashlib.sha256(content).hexdigest(), layers)
