"""Fake quantization with learned scales: forward rounds and clips, backward lets gradients through where nothing clips.

    q = clip(round(x * per_step), low, high)
    dq/dx = per_step, dq/dper_step = x where low <= x * per_step <= high, else both are 0

What leaves here are whole numbers q. A real value is step * q with step = 1 / per_step, so that the derivative of the
value by the step comes out as q - x / step inside the range and q at its ends: the learned step size rule (Esser et
al. 2020), or, since step * high is the clip, a learned clipping factor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tvm_wvv.qat import fused
from tvm_wvv.quant.stage import Granularity, StageQuantizer


def _forward(x: Tensor, per_step: Tensor, low: float, high: float, half_up: bool) -> Tensor:
    scaled = x * per_step
    # Requantization rounds halves up, the quantization of constants rounds them to even.
    rounded = (scaled + 0.5).floor() if half_up else scaled.round()
    return rounded.clamp(low, high)


def _backward(grad: Tensor, x: Tensor, per_step: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    scaled = x * per_step
    inside = torch.where((scaled >= low) & (scaled <= high), grad, 0.0)
    return inside * per_step, (inside * x).sum_to_size(per_step.shape)


_kernels: dict[str, Callable[..., Any]] = {"forward": _forward, "backward": _backward}


def compile_kernels() -> None:
    """Let torch.compile fuse forward and backward from here on: one pass over memory each in place of five."""
    # One compiled form for each number of axes and each pattern of broadcasting.
    torch._dynamo.config.recompile_limit = 64
    _kernels["forward"] = torch.compile(_forward, dynamic=True)
    _kernels["backward"] = torch.compile(_backward, dynamic=True)


class _Quantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, per_step: Tensor, low: float, high: float, half_up: bool) -> Tensor:
        ctx.save_for_backward(x, per_step)
        ctx.range = low, high
        # Detached, a parameter is a tensor like any other, and needs no compiled form of its own.
        result: Tensor = _kernels["forward"](x.detach(), per_step.detach(), low, high, half_up)
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, per_step = ctx.saved_tensors
        by_x, by_step = _kernels["backward"](grads[0], x.detach(), per_step.detach(), *ctx.range)
        return by_x, by_step if ctx.needs_input_grad[1] else None, None, None, None


def quantize(x: Tensor, per_step: Tensor, low: int, high: int, *, half_up: bool = True) -> Tensor:
    """Whole numbers within [low, high], in the type of `x`; `per_step` broadcasts against `x`."""
    result: Tensor = _Quantize.apply(x, per_step, float(low), float(high), half_up)
    return result


class LearnedScale(nn.Module):
    """Scales of one stage, [1, 1], [taps, 1] or [taps, channels], learned as logarithms: they stay positive and a step
    of the optimizer is a ratio, whatever their size.
    """

    def __init__(self, bits: int, granularity: Granularity, shape: tuple[int, int], power_of_two: bool = False) -> None:
        super().__init__()
        self.bits, self.granularity, self.power_of_two = bits, granularity, power_of_two
        taps, channels = shape
        own = {"tensor": (1, 1), "tap": (taps, 1), "tap_channel": (taps, channels)}[granularity]
        self.log2 = nn.Parameter(torch.zeros(own))

    @property
    def limits(self) -> tuple[int, int]:
        """Least and greatest quantized value."""
        return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1

    def forward(self) -> Tensor:
        """The scales; powers of two are rounded ones, straight through."""
        exponent = self.log2
        if self.power_of_two:
            # In this order the sum is whole to the last bit.
            exponent = exponent.detach().round() + (exponent - exponent.detach())
        return torch.exp2(exponent)

    def assign(self, scale: Tensor) -> None:
        """Start from these."""
        with torch.no_grad():
            self.log2.copy_(scale.to(self.log2).log2().expand_as(self.log2))

    def exported(self) -> StageQuantizer:
        """The value that compilers read. Scales are those that forward used, in the nine digits that tell every float32
        from its neighbours: a recipe has thousands of them.
        """
        with torch.no_grad():
            scale = self().flatten().tolist()
        if not self.power_of_two:
            scale = [float(f"{one:.9g}") for one in scale]
        return StageQuantizer(self.bits, tuple(scale), self.granularity, (0,), self.power_of_two)


class Activation(nn.Module):
    """Quantization of one int8 tensor: a learned scale with a zero point that calibration fixes.

    `codes` are centred, real value / scale; with the zero point added they are the tensor's bytes. A tensor whose least
    real value is 0 clips there: its ReLU is done with that.
    """

    zero_point: Tensor

    def __init__(self, scale: float = 1.0, zero_point: int = 0, learned: bool = True) -> None:
        super().__init__()
        self.log2 = nn.Parameter(torch.tensor(scale).log2(), requires_grad=learned)
        # The power of a logarithm is off by a last bit, which matters where the scale is given.
        self.register_buffer("given", None if learned else torch.tensor(scale))
        self.register_buffer("zero_point", torch.tensor(zero_point))
        self._zero = zero_point

    def scale(self) -> Tensor:
        """What one step is worth."""
        given: Tensor | None = self.given
        return torch.exp2(self.log2) if given is None else given

    @property
    def limits(self) -> tuple[int, int]:
        """Least and greatest centred code."""
        return -128 - self._zero, 127 - self._zero

    def codes(self, x: Tensor) -> Tensor:
        """Centred codes of real values."""
        per_step = 1 / self.scale()
        if fused.takes(x):
            return fused.quantized(x, per_step, torch.ones_like(per_step), *self.limits)
        return quantize(x, per_step, *self.limits)

    def forward(self, x: Tensor) -> Tensor:
        """The real values that the codes stand for."""
        scale = self.scale()
        if fused.takes(x):
            return fused.quantized(x, 1 / scale, scale, *self.limits)
        return quantize(x, 1 / scale, *self.limits) * scale

    def assign(self, low: float, high: float) -> None:
        """Cover this range, widened to hold zero, which gets a code of its own."""
        low, high = min(low, 0.0), max(high, 1e-6)
        scale = (high - low) / 255
        with torch.no_grad():
            self.log2.fill_(scale).log2_()
            self._zero = int(min(127, max(-128, round(-128 - low / scale))))
            self.zero_point.fill_(self._zero)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *rest)
        # Kept as a plain number too: reading it from the device for each batch would stop the queue.
        self._zero = int(self.zero_point)
