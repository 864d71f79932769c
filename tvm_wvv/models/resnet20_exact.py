"""A trained ResNet-20 evaluated as its int8 model computes, byte for byte, on the device where it was trained."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tvm_wvv.models.resnet20_graph import BODY, INPUT, LOGITS, Add, Conv, Shortcut
from tvm_wvv.models.resnet20_torch import Network
from tvm_wvv.qat import exact
from tvm_wvv.qat.fake_quant import Activation
from tvm_wvv.qat.layers import QuantConv2d, QuantLinear, WinogradConv2d


@torch.no_grad()
def logits(network: Network, images: Tensor) -> Tensor:
    """The codes of the logits [n, classes] for uint8 images NHWC."""
    values, at = {INPUT: images.long() - 128}, {INPUT: _tensor(network, INPUT)}
    for layer in BODY:
        if isinstance(layer, Shortcut):
            at[layer.name] = at[layer.source]
            every_second, zero = values[layer.source][:, ::2, ::2], int(at[layer.source].zero_point)
            values[layer.name] = functional.pad(every_second, (layer.margin, layer.margin), value=zero)
            continue
        at[layer.name] = _tensor(network, layer.name)
        if isinstance(layer, Add):
            sides = values[layer.left], values[layer.right]
            values[layer.name] = exact.add(*sides, (at[layer.left], at[layer.right]), at[layer.name])
        else:
            values[layer.name] = _convolved(network, layer, values[layer.source], at[layer.name])
    classifier = network.layers[LOGITS]
    assert isinstance(classifier, QuantLinear), "a float network has no integers"
    return exact.dense(exact.mean(values[BODY[-1].name]), classifier, _tensor(network, LOGITS))


def classes(network: Network, images: Tensor, batch: int = 20) -> Tensor:
    """The class of each image; the first of several with the same score."""
    return torch.cat([logits(network, part).argmax(1) for part in images.split(batch)])


def _convolved(network: Network, layer: Conv, x: Tensor, output: Activation) -> Tensor:
    made = network.layers[layer.name]
    if isinstance(made, WinogradConv2d):
        return exact.winograd(x, made, output)
    assert isinstance(made, QuantConv2d), f"{layer.name} is float, and has no integers"
    return exact.direct(x, made, output)


def _tensor(network: Network, name: str) -> Activation:
    found = network.tensors[name]
    assert isinstance(found, Activation), f"{name} is a tensor"
    return found
