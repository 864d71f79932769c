"""Training on a CPU with kernels of our own: each stage of a layer is one pass over memory, forward and backward.

Off until `use`. The functions here compute what the plain torch code of `layers` and `fake_quant` does, to within the
order of sums, and with the same gradients. Between forward and backward a Winograd layer keeps its input alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tvm_wvv.qat import kernels
from tvm_wvv.qat.tiles import Padding
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid

Ends = tuple[float, float]
Gradients = tuple[Tensor | None, ...]
_PARTS = 8  # of a batch, each with its own sums: as many threads have work


@dataclass
class _Mode:
    """What all layers of this process do."""

    on: bool = False


_mode = _Mode()


def use(on: bool = True) -> None:
    """Take these kernels from here on, or plain torch again. WvvError where they cannot be compiled."""
    if on:
        kernels.elementwise()
    _mode.on = on


def takes(x: Tensor) -> bool:
    """Whether the kernels compute on this tensor."""
    return _mode.on and x.device.type == "cpu" and x.dtype == torch.float32


@dataclass(frozen=True, eq=False)
class Stages:
    """What a Winograd layer computes with beside its tensors. `ranges` are least and greatest code of the image, of V
    and of M. `grid` [o] is what its output is a multiple of."""

    algorithm: Algorithm
    padding: Padding
    ranges: tuple[float, ...]
    grid: Tensor | None = None


def winograd(x: Tensor, per_step: Tensor, v_per_step: Tensor, u: Tensor, m_per_step: Tensor, factor: Tensor,
             unit: Tensor, bias: Tensor, stages: Stages) -> Tensor:  # fmt: skip
    """Real NCHW to real NCHW; `u` [tap, c, o] are codes, the scales' [tap] and [tap, o], `unit` and `bias` [o]."""
    result: Tensor = _Winograd.apply(x, per_step, v_per_step, u, m_per_step, factor, unit, bias, stages)
    return result


class _Winograd(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, per_step: Tensor, v_per_step: Tensor, u: Tensor, m_per_step: Tensor,
                factor: Tensor, unit: Tensor, bias: Tensor, stages: Stages) -> Tensor:  # fmt: skip
        image = _in_memory_order(x, True)
        v_per_step, m_per_step, factor, unit = (one.contiguous() for one in (v_per_step, m_per_step, factor, unit))
        ctx.stages, ctx.shape = stages, _shape(stages, image, u.shape[2])
        ctx.save_for_backward(image, per_step, v_per_step, u, m_per_step, factor, unit)
        out = torch.empty(len(image), *_grid(stages, image).output, u.shape[2])
        grid = None if stages.grid is None else stages.grid.contiguous()
        kernels.winograd(stages.algorithm)(
            "forward", ctx.shape[1], image, per_step, stages.ranges, v_per_step, u.contiguous(), m_per_step, factor,
            unit, bias.contiguous(), grid, out, shape=ctx.shape,
        )  # fmt: skip
        return out.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Gradients:
        image, per_step, v_per_step, u, m_per_step, factor, unit = ctx.saved_tensors
        by_x = torch.empty_like(image) if ctx.needs_input_grad[0] or ctx.needs_input_grad[1] else None
        parts, apart = ctx.shape[1], (per_step.reshape(1), v_per_step, u, m_per_step, factor, unit, unit)
        sums = [torch.zeros(parts, *one.shape) for one in apart]
        kernels.winograd(ctx.stages.algorithm)(
            "backward", parts, image, per_step, ctx.stages.ranges, v_per_step, u.contiguous(),
            u.transpose(1, 2).contiguous(), m_per_step, factor, unit, _in_memory_order(grads[0], True), by_x, *sums,
            shape=ctx.shape,
        )  # fmt: skip
        by_step, *others = (one.sum(0) for one in sums)
        return None if by_x is None else by_x.permute(0, 3, 1, 2), by_step.reshape(per_step.shape), *others, None


def _grid(stages: Stages, image: Tensor) -> Grid:
    return Grid(stages.algorithm, tuple(image.shape), stages.padding)


def _shape(stages: Stages, image: Tensor, outputs: int) -> tuple[int, ...]:
    """`Shape` of winograd.cpp."""
    grid, (top, left, _, _), count = _grid(stages, image), stages.padding, len(image)
    return count, min(count, _PARTS), *image.shape[1:], *grid.tiles, top, left, *grid.output, outputs


def quantized(x: Tensor, per_step: Tensor, scale: Tensor, low: int, high: int) -> Tensor:
    """`scale` times the codes of `x`, both scales one number."""
    result: Tensor = _Quantized.apply(x, per_step, scale, (float(low), float(high)))
    return result


class _Quantized(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, per_step: Tensor, scale: Tensor, ends: Ends) -> Tensor:
        ctx.moved, ctx.ends = x.dim() == 4 and not x.is_contiguous(), ends
        real = _in_memory_order(x, ctx.moved)
        out = torch.empty_like(real)
        ctx.save_for_backward(real, per_step, scale)
        kernels.elementwise()("quantize_forward", len(real), real[0].numel(), real, per_step, ends, scale, out)
        return _back(out, ctx.moved)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Gradients:
        real, per_step, scale = ctx.saved_tensors
        by_x, by_out = torch.empty_like(real), _in_memory_order(grads[0], ctx.moved)
        by_step, by_scale = (torch.empty(len(real)) for _ in range(2))
        kernels.elementwise()("quantize_backward", len(real), real[0].numel(), real, per_step, ctx.ends, scale,
                              by_out, by_x, by_step, by_scale)  # fmt: skip
        return (_back(by_x, ctx.moved), by_step.sum().reshape(per_step.shape),
                by_scale.sum().reshape(scale.shape), None)  # fmt: skip


def affine(x: Tensor, unit: Tensor, bias: Tensor, grid: Tensor | None) -> Tensor:
    """`x` NCHW times `unit` and plus `bias`, both [c]; a multiple of `grid` [c] where there is one."""
    result: Tensor = _Affine.apply(x, unit, bias, None if grid is None else grid.contiguous())
    return result


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, unit: Tensor, bias: Tensor, grid: Tensor | None) -> Tensor:
        real, unit = _in_memory_order(x, True), unit.contiguous()
        out = torch.empty_like(real)
        ctx.save_for_backward(real, unit)
        count, height, width, channels = real.shape
        kernels.elementwise()("affine_forward", count, height * width, channels, real, unit, bias.contiguous(), grid,
                              out)  # fmt: skip
        return _back(out, True)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Gradients:
        real, unit = ctx.saved_tensors
        by_x, by_out = torch.empty_like(real), _in_memory_order(grads[0], True)
        count, height, width, channels = real.shape
        by_unit, by_bias = (torch.empty(count, channels) for _ in range(2))
        kernels.elementwise()("affine_backward", count, height * width, channels, real, unit, by_out, by_x,
                              by_unit, by_bias)  # fmt: skip
        return _back(by_x, True), by_unit.sum(0), by_bias.sum(0), None


def _in_memory_order(x: Tensor, moved: bool) -> Tensor:
    """Without gaps; `moved` is of NCHW in channels-last memory."""
    x = x.detach()
    return x.permute(0, 2, 3, 1).contiguous() if moved else x.contiguous()


def _back(x: Tensor, moved: bool) -> Tensor:
    return x.permute(0, 3, 1, 2) if moved else x
