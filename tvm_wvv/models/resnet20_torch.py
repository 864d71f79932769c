"""ResNet-20 in torch, built from its graph: in float, with integers faked, and what its training leaves as plain data.

Batch normalization is folded from the start, as the int8 network has none. In float (before `quantized`) it is the FP32
network with the border that an int8 input has. Images are NCHW (pixel - PIXEL_ZERO) / 255.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from tvm_wvv.models.digits_quantize import Affine, Weights
from tvm_wvv.models.resnet20_graph import BODY, CLASSES, INPUT, KERNEL, LOGITS, WIDTHS, Add, Conv, convolutions
from tvm_wvv.models.resnet20_weights import PIXEL_ZERO
from tvm_wvv.qat.convert import Converted, Winograd, convert
from tvm_wvv.qat.export import affine
from tvm_wvv.qat.fake_quant import Activation
from tvm_wvv.qat.layers import QuantLinear, WinogradConv2d, weight_codes, weight_steps

INPUT_SCALE, INPUT_ZERO = 1 / 255, PIXEL_ZERO - 128


class Network(nn.Module):
    """`layers` holds the convolutions and the classifier, `tensors` the quantization of each tensor, once there is any;
    both by the graph's names.
    """

    def __init__(self, weights: Mapping[str, Weights]) -> None:
        super().__init__()
        self.layers = nn.ModuleDict()
        for layer in convolutions():
            conv = nn.Conv2d(layer.channels_in, layer.channels_out, KERNEL, layer.stride, padding=KERNEL // 2)
            self.layers[layer.name] = _filled(conv, torch.from_numpy(weights[layer.name].weight).permute(0, 3, 1, 2))
        classifier = nn.Linear(WIDTHS[-1], CLASSES)
        self.layers[LOGITS] = _filled(classifier, torch.from_numpy(weights[LOGITS].weight))
        for name, made in self.layers.items():
            with torch.no_grad():
                made.bias.copy_(torch.from_numpy(weights[name].bias))
        self.tensors = nn.ModuleDict()

    def forward(self, images: Tensor) -> Tensor:
        return self.values(images)[LOGITS]

    def values(self, images: Tensor) -> dict[str, Tensor]:
        """Every layer's output and the logits, quantized where the network is."""
        values = {INPUT: images}
        for layer in BODY:
            match layer:
                case Conv():
                    y = self._convolved(layer.name, values[layer.source])
                    # A quantized tensor whose least value is 0 clips there by itself.
                    y = functional.relu(y, inplace=True) if layer.relu and not self.tensors else y
                case Add():
                    y = values[layer.left] + values[layer.right]
                    y = y if self.tensors else functional.relu(y, inplace=True)
                case _:
                    x = values[layer.source]
                    y = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, layer.margin, layer.margin))
                    values[layer.name] = y
                    continue
            values[layer.name] = self._quantized(layer.name, y)
        last = BODY[-1].name
        # The classifier quantizes its input itself, to the scale that the pool keeps.
        values[LOGITS] = self._quantized(LOGITS, self.layers[LOGITS](self._pooled(last, values[last])))
        return values

    def _convolved(self, name: str, x: Tensor) -> Tensor:
        layer = self.layers[name]
        # The last requantization rounds on its way to the output's scale.
        result: Tensor = layer(x, self.tensors[name]) if self.tensors else layer(x)
        return result

    def _pooled(self, name: str, x: Tensor) -> Tensor:
        """The mean over height and width; in a quantized network, halves of its codes lie on the side away from 0."""
        found = x.mean((2, 3))
        if not self.tensors:
            return found
        tensor = self.tensors[name]
        assert isinstance(tensor, Activation), f"{name} is a tensor"
        with torch.no_grad():
            # Less than what lies between two means of whole codes.
            aside = 0.25 / (x.shape[2] * x.shape[3]) * tensor.scale()
            side = (found + tensor.zero_point * tensor.scale()).sign()
        return found + aside * side

    def _quantized(self, name: str, value: Tensor) -> Tensor:
        result: Tensor = self.tensors[name](value) if self.tensors else value
        return result

    @torch.no_grad()
    def quantize(self, images: Tensor, winograd: Winograd | None, batch: int = 128) -> list[Converted]:
        """Turn the float network into a quantized one in place, with scales from these images."""
        ranges: dict[str, tuple[float, float]] = {}
        for part in images.split(batch):
            for name, value in self.values(part).items():
                low, high = ranges.get(name, (0.0, 0.0))
                ranges[name] = min(low, value.min().item()), max(high, value.max().item())
        report = convert(self.layers, lambda _name, _layer: winograd, lambda _: Activation())
        self._share_tensors(images.device)
        for name, tensor in self.tensors.items():
            if name != INPUT:
                tensor.assign(*ranges[name])
        for layer in self.winograd_layers().values():
            layer.calibrating = True
        # Each layer sees what the quantized ones before it give.
        self.values(images[:batch])
        for layer in self.winograd_layers().values():
            layer.calibrating = False
        return report

    def prepare(self, winograd: Winograd | None) -> None:
        """The structure of a quantized network, to load a state into."""
        convert(self.layers, lambda _name, _layer: winograd, lambda _: Activation())
        self._share_tensors(torch.device("cpu"))

    def _share_tensors(self, device: torch.device) -> None:
        """One quantization for each tensor, known to who makes it and who reads it."""
        self.tensors[INPUT] = Activation(INPUT_SCALE, INPUT_ZERO, learned=False)
        for layer in BODY:
            if isinstance(layer, Conv | Add):
                self.tensors[layer.name] = Activation()
        self.tensors[LOGITS] = Activation()
        for layer in convolutions():
            self.layers[layer.name].source = self.tensors[layer.source]
        self.layers[LOGITS].source = self.tensors[BODY[-1].name]
        self.to(device)

    def winograd_layers(self) -> dict[str, WinogradConv2d]:
        """Those that are trained through a Winograd form."""
        return {name: layer for name, layer in self.layers.items() if isinstance(layer, WinogradConv2d)}

    def affines(self) -> dict[str, Affine]:
        """The quantization of each tensor that has its own."""
        found = {}
        for name, tensor in self.tensors.items():
            assert isinstance(tensor, Activation), f"{name} is a tensor"
            at = affine(tensor)
            found[name] = Affine(at.scale, at.zero_point)
        return found

    @torch.no_grad()
    def weights(self) -> dict[str, Weights]:
        """Convolutions OHWI and the classifier OI; of a quantized network, what its int8 codes stand for."""
        found = {}
        for name, layer in self.layers.items():
            assert isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None, f"{name} has weights and a bias"
            weight = layer.weight
            if self.tensors:
                steps = weight_steps(weight, per_channel=not isinstance(layer, QuantLinear))
                weight = weight_codes(weight, steps).double() * steps.double()
            order = (0, 2, 3, 1) if weight.dim() == 4 else (0, 1)
            values = weight.double().permute(order).contiguous().cpu().numpy()
            found[name] = Weights(values, layer.bias.double().cpu().numpy())
        return found


def _filled(layer: nn.Module, weight: Tensor) -> nn.Module:
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer
