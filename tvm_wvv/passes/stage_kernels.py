"""The kernels of Winograd stages: each stage by itself, or all stages of a layer in one function."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tvm_wvv.kernels import winograd
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.passes.stages import InputTransform, OutputTransform, Stage, TileProduct, WinogradRequantize
from tvm_wvv.quant.operators import Conv2d, Window
from tvm_wvv.transforms.catalog import variant

Shape = tuple[int, ...]


def stage_kernel(stage: Stage, shape: Shape, constants: Sequence[np.ndarray]) -> Kernel:
    """One stage on data of `shape`; `constants` are U for the tile product, the bias for the requantization."""
    match stage:
        case InputTransform():
            algorithm = variant(stage.algorithm).algorithm
            return winograd.input_transform(algorithm, shape, stage.zero_point, stage.padding)
        case TileProduct():
            return winograd.tile_product(variant(stage.algorithm).algorithm, shape, constants[0])
        case OutputTransform():
            return winograd.output_transform(variant(stage.algorithm).algorithm, shape, stage.size)
        case WinogradRequantize():
            return winograd.winograd_requantize(_convolution(stage, Window()), shape, constants[0])


def merged_kernel(stages: Sequence[Stage], x_shape: Shape, constants: Sequence[Sequence[np.ndarray]]) -> Kernel:
    """All four stages on an int8 image of `x_shape`; `constants` holds those of each stage."""
    first, _, _, last = stages
    assert isinstance(first, InputTransform), f"{first} does not begin a Winograd layer"
    assert isinstance(last, WinogradRequantize), f"{last} does not end a Winograd layer"
    op = _convolution(last, Window(padding=first.padding))
    return winograd.winograd_conv2d(op, variant(first.algorithm).algorithm, x_shape, constants[1][0], constants[3][0])


def _convolution(stage: WinogradRequantize, window: Window) -> Conv2d:
    return Conv2d(stage.input, stage.output, stage.weight_scales, window, stage.clamp)
