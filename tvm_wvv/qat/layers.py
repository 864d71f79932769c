"""Convolutions and dense layers that compute in training what the integer kernels will compute: real numbers in and
out, whole numbers between.

All take NCHW (best in channels-last memory), quantize their input by `source`, which they may share with whoever made
it (quantizing twice changes nothing), and leave the quantization of the output to the caller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tvm_wvv.qat import fused
from tvm_wvv.qat.fake_quant import Activation, LearnedScale, quantize
from tvm_wvv.qat.flex import FixedTransforms, LearnedTransforms, TileTransforms
from tvm_wvv.qat.tiles import Padding, image, tiles
from tvm_wvv.quant.default_stages import input_granularity, weight_granularity
from tvm_wvv.quant.stage import Granularity, StageQuantizer, Stages
from tvm_wvv.transforms.bilinear import Algorithm

_MOST = 127  # weights are symmetric
_MOST_FACTOR, _MOST_SUM = (1 << 15) - 1, (1 << 30) - 1  # of the output transform
_CALIBRATION_VALUES = 2048  # looked at for each scale; more change nothing
_LEAST_SPAN = 1e-6  # keeps the scale of a dead channel above zero


@dataclass(frozen=True)
class Scheme:
    """How the stages of a Winograd layer are quantized. V knows no channels, U has them for free unless per tensor."""

    granularity: Granularity = "tap"
    u_bits: int = 8
    v_bits: int = 8
    m_bits: int = 8
    power_of_two: bool = False


def weight_steps(weight: Tensor, per_channel: bool = True) -> Tensor:
    """The int8 scale of each output channel (or of all), from the greatest weight: [o, 1, ...] or one number."""
    flat = weight.detach().abs().flatten(1).amax(1)
    flat = flat if per_channel else flat.amax().expand_as(flat)
    return (flat.clamp_min(_LEAST_SPAN) / _MOST).reshape(-1, *[1] * (weight.dim() - 1))


@torch.no_grad()
def last_grid(step: Tensor, output: Activation) -> Tensor:
    """What the first rounding of the last requantization leaves multiples of, for sums in steps of the real `step`.

    They become codes by a fraction of [1/2, 1) and a shift to the right: `quant.requantize` rounds behind the fraction,
    and the code's own rounding stands for the one behind the shift.
    """
    _, exponent = torch.frexp(step / output.scale())
    return output.scale() * torch.exp2(exponent.clamp_max(0).to(step.dtype))


def straight_through(x: Tensor, rounded: Tensor) -> Tensor:
    """`rounded`, with the gradients of `x`."""
    return x + (rounded - x).detach()


def _bias_in_steps(bias: Tensor, unit: Tensor) -> Tensor:
    """In whole steps of the sums, as a model file holds it."""
    return straight_through(bias, (bias / unit).round() * unit)


def on_grid(real: Tensor, grid: Tensor) -> Tensor:
    """The multiple of `grid` next to `real`, halves up, and a quarter of a step further from zero: whatever is rounded
    to the nearest step of 2^n of them thereafter then has its halves away from zero, as the last requantization has
    (`quant.requantize`).
    """
    whole = (real / grid + 0.5).floor()
    return (whole + 0.25 * whole.sign()) * grid


def weight_codes(weight: Tensor, steps: Tensor) -> Tensor:
    """int8 weights as whole numbers."""
    return quantize(weight, 1 / steps, -_MOST, _MOST, half_up=False)


class QuantConv2d(nn.Conv2d):
    """Direct convolution with int8 weights and inputs."""

    def __init__(self, original: nn.Conv2d, source: Activation) -> None:
        super().__init__(
            original.in_channels, original.out_channels, original.kernel_size, original.stride, original.padding
        )
        _take(self, original)
        self.source = source

    def forward(self, x: Tensor, output: Activation | None = None) -> Tensor:
        """Real outputs; where `output` is what quantizes them next, with what the last requantization does to them."""
        codes, steps = self.source.codes(x), weight_steps(self.weight)
        sums = functional.conv2d(codes, weight_codes(self.weight, steps), None, self.stride, self.padding)
        unit = self.source.scale() * steps.reshape(1, -1, 1, 1)
        bias = unit * 0 if self.bias is None else _bias_in_steps(self.bias.reshape(1, -1, 1, 1), unit)
        grid = None if output is None else last_grid(unit, output)
        if fused.takes(sums):
            return fused.affine(sums, unit.flatten(), bias.flatten(), None if grid is None else grid.flatten())
        real = sums * unit + bias
        return real if grid is None else straight_through(real, on_grid(real, grid))


class QuantLinear(nn.Linear):
    """Fully connected with int8 inputs and weights, one scale for all weights, as TFLite's older kernels need it."""

    def __init__(self, original: nn.Linear, source: Activation) -> None:
        super().__init__(original.in_features, original.out_features, original.bias is not None)
        _take(self, original)
        self.source = source

    def forward(self, x: Tensor) -> Tensor:
        codes, steps = self.source.codes(x), weight_steps(self.weight, per_channel=False)
        sums = functional.linear(codes, weight_codes(self.weight, steps))
        real = sums * (self.source.scale() * steps[0])
        return real if self.bias is None else real + self.bias


class WinogradConv2d(nn.Conv2d):
    """3x3 convolution of stride 1 through `algorithm`, with few bits in every stage: `quant.winograd_parameters`.

    Scales count on the integer grids of the algorithm's own matrices, as they do in a recipe without others: V in steps
    of the input, U of weight step over the algorithm's scale. With `flex` the matrices are learned.
    """

    def __init__(
        self, original: nn.Conv2d, algorithm: Algorithm, scheme: Scheme, source: Activation, flex: bool = False
    ) -> None:
        super().__init__(original.in_channels, original.out_channels, 3, 1, original.padding)
        _take(self, original)
        self.algorithm, self.scheme, self.source = algorithm, scheme, source
        shape, powers = (algorithm.taps, self.out_channels), scheme.power_of_two
        self.v_scale = LearnedScale(scheme.v_bits, input_granularity(scheme.granularity), shape, powers)
        self.u_scale = LearnedScale(scheme.u_bits, weight_granularity(scheme.granularity), shape, powers)
        self.m_scale = LearnedScale(scheme.m_bits, scheme.granularity, shape, powers)
        self.flex = flex
        self.transforms: TileTransforms = LearnedTransforms(algorithm) if flex else FixedTransforms(algorithm)
        self.calibrating = False

    @property
    def sides(self) -> Padding:
        """(top, left, bottom, right)."""
        (h, w) = pair(self.padding)
        return h, w, h, w

    def forward(self, x: Tensor, output: Activation | None = None) -> Tensor:
        """Real outputs; where `output` is what quantizes them next, with what the last requantization does to them."""
        steps = weight_steps(self.weight)
        u = self.transformed_weight(weight_codes(self.weight, steps))
        unit = self.source.scale() * steps.reshape(1, -1, 1, 1) / self.algorithm.scale
        step = self._coarse_step()
        grid = None if output is None or step is None else last_grid(unit * step, output)
        if fused.takes(x) and not self.calibrating and not self.flex:
            return self._fused(x, u, unit, grid)
        codes = self.source.codes(x).permute(0, 2, 3, 1)
        v = self.transformed_input(codes)
        if self.calibrating:
            self._calibrate(v, u.float())
        sums, step = self._products(v, u)
        m_scale = self.m_scale()[:, None, :]
        m = quantize(sums, step / m_scale, *self.m_scale.limits) * self._as_factors(m_scale)
        y = torch.mm(self.transforms.output(), m.flatten(1)).unflatten(1, m.shape[1:])
        whole = image(y, self.algorithm, tuple(codes.shape), self.sides).permute(0, 3, 1, 2)
        real = (whole + self._bias_on_grid(unit)) * unit
        return real if grid is None else straight_through(real, on_grid(real, grid))

    def _fused(self, x: Tensor, u: Tensor, unit: Tensor, grid: Tensor | None) -> Tensor:
        """The same by kernels of our own."""
        v_scale, m_scale, shape = self.v_scale(), self.m_scale(), (self.algorithm.taps, self.out_channels)
        u_codes, u_scale = self._weight_codes(u)
        ranges = (*self.source.limits, *self.v_scale.limits, *self.m_scale.limits)
        stages = fused.Stages(self.algorithm, self.sides, ranges, None if grid is None else grid.flatten())
        bias = self._bias_on_grid(unit) * unit
        return fused.winograd(
            x, 1 / self.source.scale(), (1 / v_scale).expand(shape[0], 1).flatten(), u_codes,
            (v_scale * u_scale / m_scale).expand(shape), self._as_factors(m_scale).expand(shape),
            unit.flatten(), bias.flatten().expand(shape[1]), stages,
        )  # fmt: skip

    def transformed_input(self, codes: Tensor) -> Tensor:
        """V [tap, tile, c] of centred codes NHWC: whole numbers, exact in float32."""
        cells = tiles(codes, self.algorithm, self.sides)
        return torch.mm(self.transforms.input(), cells.flatten(1)).unflatten(1, cells.shape[1:])

    def transformed_weight(self, codes: Tensor) -> Tensor:
        """U [tap, c, o] of int8 codes OIHW, exact too."""
        (o, c), g = codes.shape[:2], self.transforms.weight()
        return torch.mm(g, codes.permute(2, 3, 1, 0).reshape(9, c * o).to(g.dtype)).unflatten(1, (c, o))

    def stages(self) -> Stages:
        """What a recipe says of this layer."""
        of_v, of_u = self.transforms.grid()
        parts = (self.u_scale, of_u), (self.v_scale, of_v), (self.m_scale, of_v * of_u)
        return Stages(*(_on_grid(scale.exported(), finer) for scale, finer in parts))

    def _products(self, v: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of products [tap, tile, o] of quantized V and U, and their step [tap or 1, 1, o or 1] on the grid."""
        v_scale, (u_codes, u_scale) = self.v_scale()[:, None, :], self._weight_codes(u)
        v_codes = quantize(v, 1 / v_scale, *self.v_scale.limits)
        return torch.bmm(v_codes, u_codes), v_scale * u_scale[:, None, :]

    def _weight_codes(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Quantized U and its scales."""
        scale, most = self.u_scale(), self.u_scale.limits[1]
        # U is small and frozen into the model: in double its rounding is the compiler's, near ties included.
        codes = quantize(u.double(), 1 / scale[:, None, :].double(), -most, most, half_up=False)
        return codes.float(), scale

    def _as_factors(self, m_scale: Tensor) -> Tensor:
        """M's scales as the output transform has them, whole multiples of a common one: `narrow_output`."""
        if self.scheme.granularity == "tensor" or (self.scheme.power_of_two and not self.flex):
            return m_scale
        common = self._common_scale()
        return (m_scale.detach() / common).round() * common + (m_scale - m_scale.detach())

    @torch.no_grad()
    def _common_scale(self) -> Tensor:
        """[1, o or 1]. Learned matrices need more of the 32 bits themselves and leave the taps' factors fewer, which is
        modelled; beside the algorithm's own, factors have so many that it does not matter.
        """
        m, largest = self.m_scale(), 1 << (self.scheme.m_bits - 1)
        common = m.amax(0, keepdim=True) / _MOST_FACTOR
        if not self.flex:
            return common
        reach, step = self.transforms.output().abs(), self.transforms.output_step()
        most = (reach @ (m * largest)).amax(0, keepdim=True)
        if self.bias is not None:
            unit = self.source.scale() * weight_steps(self.weight).flatten() / self.algorithm.scale
            most = most + (self.bias / unit).abs()
        most = most if self.scheme.granularity == "tap_channel" else most.amax(1, keepdim=True)
        slack = reach.sum(1).amax() / step * (largest / 2) + 1
        common = torch.maximum(common, most / (step * (_MOST_SUM - slack)))
        if self.scheme.power_of_two:
            common = torch.maximum(m.amin(0, keepdim=True), torch.exp2(common.log2().ceil()))
        return common

    def _bias_on_grid(self, unit: Tensor) -> Tensor | float:
        """The bias in units of the grid of M, on the scale where the output transform sums up: `narrow_output`.

        That is M's own scale where there is one, and the finest of powers of two; else it is too fine to matter.
        """
        if self.bias is None:
            return 0.0
        bias, step = self.bias.reshape(1, -1, 1, 1) / unit, self._coarse_step()
        # A model file holds it in whole steps of the direct sums, of which the grid has `scale` times as many.
        rounded = (bias.detach() / self.algorithm.scale).round() * self.algorithm.scale
        rounded = rounded if step is None else (rounded / step).round() * step
        return rounded + (bias - bias.detach())

    @torch.no_grad()
    def _coarse_step(self) -> Tensor | None:
        """The step [1, o or 1, 1, 1] in which the output transform sums up; None where it is too fine to matter."""
        if self.scheme.granularity != "tensor" and not self.scheme.power_of_two:
            return None
        m = self.m_scale()
        of_m = self._common_scale() if self.flex and self.scheme.power_of_two else m.amin(0)
        return (of_m * self.transforms.output_step()).reshape(1, -1, 1, 1)

    @torch.no_grad()
    def _calibrate(self, v: Tensor, u: Tensor) -> None:
        """Scales of least squared error; where taps share one, errors count as much as they weigh in the output."""
        reach = self.transforms.output().square().sum(0)[:, None]
        v_power, u_power = (one.square().mean((1, 2))[:, None] for one in (v, u))
        _fit(self.v_scale, v.flatten(1)[:, None], reach * u_power)
        _fit(self.u_scale, u.permute(0, 2, 1), reach * v_power)
        sums, step = self._products(v, u)
        _fit(self.m_scale, (sums * step).permute(0, 2, 1), reach)


def _fit(scale: LearnedScale, values: Tensor, weight: Tensor) -> None:
    """The best of some clips for `values` [tap, channel or 1, sample]; `weight` [tap, 1] of a squared error."""
    low, high = scale.limits
    greatest = values.abs().amax(2)
    values = values[:, :, :: max(1, values.shape[2] // _CALIBRATION_VALUES)]
    if scale.granularity == "tensor":
        # In proportion to what they weigh, taps that matter little may clip a lot.
        greatest = greatest.amax().reshape(1, 1)
    elif scale.granularity == "tap":
        greatest = greatest.amax(1, keepdim=True)
    greatest = greatest.clamp_min(1.0)
    best, least = greatest / high, torch.full_like(greatest, math.inf)
    lowest = 7.0 if scale.granularity == "tensor" else 2.0
    for exponent in np.arange(0.0, lowest, 0.125):
        tried = greatest / high * 2.0**-exponent
        if scale.power_of_two:
            tried = torch.exp2(tried.log2().round())
        error = ((values / tried[:, :, None]).round().clamp(low, high) * tried[:, :, None] - values).square().sum(2)
        cost = (error * weight).sum_to_size(greatest.shape)
        best, least = torch.where(cost < least, tried, best), torch.minimum(cost, least)
    scale.assign(best)


def _on_grid(stage: StageQuantizer, finer: int) -> StageQuantizer:
    """The same scales where the grid is so much finer."""
    return replace(stage, scale=tuple(one * finer for one in stage.scale))


def _take(layer: nn.Conv2d | nn.Linear, original: nn.Conv2d | nn.Linear) -> None:
    """Weights and bias of the layer that is replaced."""
    layer.weight = original.weight
    layer.bias = original.bias


def pair(padding: str | tuple[int, ...]) -> tuple[int, int]:
    """(h, w)."""
    assert not isinstance(padding, str), "padding in words is refused before"
    return padding[0], padding[1]
