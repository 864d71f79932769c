"""Kernels made of C microkernels, for Cortex-M with the DSP extension.

Each maker gives a finished kernel, or None where it has none for an operator or a shape; then the kernel of TensorIR
alone is taken, which gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from tvm_wvv.kernels import winograd, winograd_dsp, winograd_dsp_int8
from tvm_wvv.kernels.direct_dsp import direct_kernel
from tvm_wvv.kernels.kernel import AS_BY_DEFAULT, Blocking, Kernel
from tvm_wvv.passes.stage_kernels import is_exact, parts_of
from tvm_wvv.passes.stages import STAGES, InputTransform, Stage, WinogradRequantize
from tvm_wvv.quant.operators import Conv2d, Window
from tvm_wvv.transforms.catalog import read_variant

Shape = tuple[int, ...]
Constants = Sequence[np.ndarray]


def dsp_kernel(
    nodes: Sequence[Any],
    shapes: Sequence[Sequence[Shape]],
    constants: Sequence[Constants],
    blocking: Blocking = AS_BY_DEFAULT,
) -> Kernel | None:
    """The kernel of one operator, or of the stages of one Winograd layer."""
    if isinstance(nodes[0], STAGES):
        if len(nodes) > 1 and not is_exact(constants):
            return quantized_winograd(nodes, shapes[0][0], constants)
        return exact_winograd(winograd_dsp, nodes, shapes[0][0], constants, blocking)
    return direct_kernel(nodes[0], shapes[0], constants[0])


def exact_winograd(
    maker: ModuleType,
    stages: Sequence[Stage],
    x_shape: Shape,
    constants: Sequence[Constants],
    blocking: Blocking = AS_BY_DEFAULT,
) -> Kernel | None:
    """The layer by `maker`, a module that tells what `fits` it and makes `winograd_conv2d`; None for what rounds."""
    first, last = stages[0], stages[-1]
    if not isinstance(first, InputTransform) or not isinstance(last, WinogradRequantize):
        return None
    chosen, (u, *_), (bias, *_) = read_variant(first.algorithm), constants[1], constants[-1]
    if not is_exact(constants):
        return None
    window = Window(padding=first.padding)
    op = Conv2d(last.input, last.output, last.weight_scales, window, last.clamp)
    stage = winograd.exact_output_stage(op, chosen.algorithm, u, bias)
    if not maker.fits(chosen.algorithm, stage):
        return None
    make: Callable[..., Kernel] = maker.winograd_conv2d
    return make(chosen.algorithm, window, first.zero_point, x_shape, u, stage, blocking)


def quantized_winograd(stages: Sequence[Stage], x_shape: Shape, constants: Sequence[Constants]) -> Kernel | None:
    """The layer that rounds in between, if all of it is in 8 bits."""
    first = stages[0]
    if not isinstance(first, InputTransform):
        return None
    chosen, parts = read_variant(first.algorithm), parts_of(stages, constants)
    if not winograd_dsp_int8.fits(chosen.algorithm, parts):
        return None
    window = Window(padding=first.padding)
    return winograd_dsp_int8.winograd_conv2d(chosen.algorithm, window, first.zero_point, x_shape, parts)
