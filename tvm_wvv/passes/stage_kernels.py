"""The kernels of Winograd stages: each stage by itself, or all stages of a layer in one function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tvm_wvv.kernels import winograd, winograd_quantized
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.kernels.output_stage import OutputStage
from tvm_wvv.kernels.rescaling import Rescaling
from tvm_wvv.kernels.winograd_quantized import Parts
from tvm_wvv.passes.stages import (
    InputTransform,
    OutputTransform,
    RequantizeInput,
    RequantizeProducts,
    Stage,
    TileProduct,
    WinogradRequantize,
)
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.operators import Conv2d, Window
from tvm_wvv.quant.winograd_parameters import MultiplierArray
from tvm_wvv.transforms.catalog import read_variant

Shape = tuple[int, ...]
Constants = Sequence[np.ndarray]


def stage_kernel(stage: Stage, shape: Shape, dtype: str, constants: Constants) -> Kernel:
    """One stage on data of `shape` and `dtype`; `constants` are those that `stages` lists for it."""
    match stage, constants:
        case InputTransform(), _:
            algorithm = read_variant(stage.algorithm).algorithm
            return winograd.input_transform(algorithm, shape, stage.zero_point, stage.padding, stage.dtype)
        case TileProduct(), (u,):
            return winograd.tile_product(read_variant(stage.algorithm).algorithm, shape, u)
        case OutputTransform(), ():
            return winograd.output_transform(read_variant(stage.algorithm).algorithm, shape, stage.size)
        case WinogradRequantize(), (bias,):
            return winograd.winograd_requantize(_convolution(stage, Window()), shape, bias)
        case _:
            return _quantized_kernel(stage, shape, dtype, constants)


def is_exact(constants: Sequence[Constants]) -> bool:
    """Whether a layer rounds at its end only: its last stage then has the bias and no multipliers of its own."""
    return len(constants[-1]) == 1


def merged_kernel(stages: Sequence[Stage], x_shape: Shape, constants: Sequence[Constants]) -> Kernel:
    """All stages of a layer on an int8 image of `x_shape`; `constants` holds those of each stage."""
    first, last = stages[0], stages[-1]
    assert isinstance(first, InputTransform), f"{first} does not begin a Winograd layer"
    assert isinstance(last, WinogradRequantize), f"{last} does not end a Winograd layer"
    op, chosen = _convolution(last, Window(padding=first.padding)), read_variant(first.algorithm)
    if is_exact(constants):
        return winograd.winograd_conv2d(op, chosen.algorithm, x_shape, constants[1][0], constants[-1][0])
    return winograd_quantized.winograd_conv2d(op, chosen.algorithm, x_shape, parts_of(stages, constants))


def _quantized_kernel(stage: Stage, shape: Shape, dtype: str, constants: Constants) -> Kernel:
    match stage:
        case RequantizeInput():
            rescaling = _rescaling(stage, *constants)
            return winograd_quantized.requantize_input(read_variant(stage.algorithm).algorithm, shape, rescaling)
        case TileProduct():
            return winograd_quantized.tile_product(read_variant(stage.algorithm).algorithm, shape, dtype, *constants)
        case RequantizeProducts():
            rescaling = _rescaling(stage, *constants)
            return winograd_quantized.requantize_products(read_variant(stage.algorithm).algorithm, shape, rescaling)
        case OutputTransform():
            algorithm = read_variant(stage.algorithm).algorithm
            return winograd_quantized.output_transform(algorithm, shape, dtype, stage.size, *constants)
        case WinogradRequantize():
            return winograd_quantized.requantize_output(shape, _output_stage(stage, *constants))
    raise TypeError(f"{type(stage).__name__} with {len(constants)} constants has no kernel")


def _rescaling(stage: RequantizeInput | RequantizeProducts, mantissas: np.ndarray, *moved: np.ndarray) -> Rescaling:
    return Rescaling(MultiplierArray(mantissas, stage.shift), stage.bits, stage.bound, *moved)


def _output_stage(stage: WinogradRequantize, bias: np.ndarray, *multipliers: np.ndarray) -> OutputStage:
    pairs = zip(*(array.tolist() for array in multipliers), strict=True)
    own = tuple(Multiplier(mantissa, shift) for mantissa, shift in pairs)
    return OutputStage(bias, own, stage.output.zero_point, stage.clamp, stage.bound)


def parts_of(stages: Sequence[Stage], constants: Sequence[Constants]) -> Parts:
    """What the kernel of a whole layer that rounds in between is made of."""
    found: dict[str, Any] = {}
    for stage, own in zip(stages, constants, strict=True):
        match stage:
            case RequantizeInput():
                found["of_input"] = _rescaling(stage, *own)
            case TileProduct():
                found["u"], found["offset"] = own
            case RequantizeProducts():
                found["of_products"] = _rescaling(stage, *own)
            case OutputTransform():
                (found["factors"],) = own
            case WinogradRequantize():
                found["output"] = _output_stage(stage, *own)
    return Parts(**found)


def _convolution(stage: WinogradRequantize, window: Window) -> Conv2d:
    return Conv2d(stage.input, stage.output, stage.weight_scales, window, stage.clamp)
