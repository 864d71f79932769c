"""Swap the layers of a float network for quantized ones in place, and say for each one what became of it and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn

from tvm_wvv.qat.fake_quant import Activation
from tvm_wvv.qat.layers import QuantConv2d, QuantLinear, Scheme, WinogradConv2d
from tvm_wvv.transforms.bilinear import Algorithm


@dataclass(frozen=True)
class Winograd:
    """Train this layer through `algorithm` with these stages; `flex`: and with matrices of its own, learned too."""

    algorithm: Algorithm
    scheme: Scheme = field(default_factory=Scheme)
    flex: bool = False


# What to do with a convolution of this name: its Winograd form, or None for the direct one.
Rule = Callable[[str, nn.Conv2d], Winograd | None]


@dataclass(frozen=True)
class Converted:
    """One layer: `form` is the algorithm's name, `direct`, or `float` for a layer that stayed as it was."""

    name: str
    form: str
    reason: str = ""


def convert(
    model: nn.Module, rule: Rule, source: Callable[[str], Activation] = lambda _: Activation()
) -> list[Converted]:
    """Replace every Conv2d and Linear of `model`. `source` gives the input's quantization of a layer by its name, so
    that layers can share it with the tensor's maker. Weights stay the same parameters.
    """
    found: list[Converted] = []
    for name, layer in list(model.named_modules()):
        if type(layer) is nn.Linear:
            _put(model, name, QuantLinear(layer, source(name)))
            found.append(Converted(name, "direct"))
        elif type(layer) is nn.Conv2d:
            made, report = _convolution(name, layer, rule(name, layer), source)
            found.append(report)
            if made is not None:
                _put(model, name, made)
    return found


def refusal(layer: nn.Conv2d, winograd: Winograd) -> str | None:
    """Why this convolution has no such Winograd form; None where it has."""
    needs = (("kernel", layer.kernel_size, winograd.algorithm.r), ("stride", layer.stride, (1, 1)))
    for what, given, needed in needs:
        if tuple(given) != tuple(needed):
            return f"{what} is {tuple(given)}, need {tuple(needed)}"
    return None


def _unsupported(layer: nn.Conv2d) -> str | None:
    """Why this convolution cannot be quantized at all."""
    if layer.groups != 1:
        return f"{layer.groups} groups, need 1"
    if tuple(layer.dilation) != (1, 1):
        return f"dilation is {tuple(layer.dilation)}, need (1, 1)"
    if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        return f"padding is {layer.padding!r} with {layer.padding_mode}, need numbers and zeros"
    return None


def _convolution(
    name: str, layer: nn.Conv2d, wanted: Winograd | None, source: Callable[[str], Activation]
) -> tuple[nn.Module | None, Converted]:
    reason = _unsupported(layer)
    if reason is not None:
        return None, Converted(name, "float", reason)
    reason = None if wanted is None else refusal(layer, wanted)
    if wanted is None or reason is not None:
        return QuantConv2d(layer, source(name)), Converted(name, "direct", reason or "")
    made = WinogradConv2d(layer, wanted.algorithm, wanted.scheme, source(name), wanted.flex)
    return made, Converted(name, made.transforms.exported().name)


def _put(model: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, layer)


def fold_batch_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """The convolution with bias that computes both, by the running statistics."""
    assert norm.running_mean is not None and norm.running_var is not None, "a norm without statistics cannot fold"
    folded = nn.Conv2d(
        conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding,
        conv.dilation, conv.groups, padding_mode=conv.padding_mode,
    )  # fmt: skip
    with torch.no_grad():
        gain = (norm.weight if norm.affine else 1.0) / (norm.running_var.double() + norm.eps).sqrt()
        shift = norm.bias if norm.affine else 0.0
        start = 0.0 if conv.bias is None else conv.bias
        folded.weight.copy_(conv.weight * gain[:, None, None, None])
        assert folded.bias is not None, "a convolution is made with a bias unless told otherwise"
        folded.bias.copy_((start - norm.running_mean) * gain + shift)
    return folded
