"""A trained layer as the integers that its kernels will use: the operator, its bytes, its stages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tvm_wvv.qat.fake_quant import Activation
from tvm_wvv.qat.layers import QuantConv2d, QuantLinear, WinogradConv2d, pair, weight_codes, weight_steps
from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.quant.winograd_parameters import WinogradIntegers, winograd_integers
from tvm_wvv.transforms.bilinear import Algorithm

Constants = tuple[Conv2d, NDArray[np.int8], NDArray[np.int32]]


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """`weights` OHWI and `bias` as a model file holds them."""

    op: Conv2d
    algorithm: Algorithm
    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    integers: WinogradIntegers


def integer_layer(layer: WinogradConv2d, output: Activation) -> IntegerLayer:
    """What the layer becomes when `output` quantizes its result. WvvError where sums may leave int32."""
    op, weights, bias = integer_weights(layer, output)
    algorithm = layer.transforms.exported()
    integers = winograd_integers(algorithm, op, weights, bias, layer.stages())
    return IntegerLayer(op, algorithm, weights, bias, integers)


@torch.no_grad()
def integer_weights(layer: WinogradConv2d | QuantConv2d | QuantLinear, output: Activation) -> Constants:
    """The operator (of a dense layer: without a window), weights OHWI or OI, bias on the scale of the sums."""
    dense = isinstance(layer, QuantLinear)
    steps = weight_steps(layer.weight, per_channel=not dense)
    codes = weight_codes(layer.weight, steps)
    weights = (codes if dense else codes.permute(0, 2, 3, 1)).cpu().numpy().astype(np.int8)
    scales, source = steps.double().flatten().cpu().numpy(), affine(layer.source)
    real = np.zeros(len(scales)) if layer.bias is None else layer.bias.double().cpu().numpy()
    bias = np.rint(real / (scales * source.scale)).astype(np.int32)
    window = Window()
    if not isinstance(layer, QuantLinear):
        top, left = pair(layer.padding)
        window = Window(pair(layer.stride), padding=(top, left, top, left))
    return Conv2d(source, affine(output), tuple(scales.tolist()), window), weights, bias


@torch.no_grad()
def affine(tensor: Activation) -> Affine:
    """Scale, as float32 holds it, and zero point."""
    return Affine(tensor.scale().item(), int(tensor.zero_point))
