"""Quantized Winograd convolution in TensorIR: each stage of `reference.winograd_quantized`, and all of them merged.

The input transform is that of `kernels.winograd`. Two more roundings stand between the blocks: `requantize_input`
brings V to the form in which it is stored, `requantize_products` the sums M. In the merged kernel the first is part of
the block `input_transform`, which rounds its results while they are in registers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.ir import Expr

from tvm_wvv.kernels import winograd_blocks as blocks
from tvm_wvv.kernels.blocks import Shape, intermediate, primitive
from tvm_wvv.kernels.fixed_point import int32
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.kernels.output_stage import OutputStage
from tvm_wvv.kernels.rescaling import Rescaling
from tvm_wvv.kernels.winograd import pack_weights, padded_image, requantize_block, stage_buffers, weight_reader
from tvm_wvv.quant.operators import Conv2d, Pair
from tvm_wvv.quant.winograd_parameters import WinogradIntegers
from tvm_wvv.quant.winograd_ranges import greatest_transformed_input
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid

Constants = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Parts:
    """What the stages of a layer need beside matrices and window: `WinogradIntegers`, ready for kernels.

    Without `of_input` V is stored as it is, int16; without `of_products` M is on y's scale already.
    """

    u: np.ndarray
    offset: np.ndarray
    factors: np.ndarray
    output: OutputStage
    of_input: Rescaling | None = None
    of_products: Rescaling | None = None

    @staticmethod
    def of(integers: WinogradIntegers, op: Conv2d, algorithm: Algorithm) -> Parts:
        """Those of a layer."""
        n, of_input, of_products = integers, None, None
        if n.v_multipliers is not None:
            bound = greatest_transformed_input(algorithm, op.input.zero_point)
            of_input = Rescaling(n.v_multipliers, n.v_bits, bound, n.v_zero_points)
        if n.m_multipliers is not None:
            of_products = Rescaling(n.m_multipliers, n.m_bits, n.products_bound)
        output = OutputStage(n.bias_y, n.out_multipliers, op.output.zero_point, op.clamp, n.y_bound)
        return Parts(n.u, n.m_offset, n.factors, output, of_input, of_products)

    @property
    def constants(self) -> tuple[Constants, ...]:
        """By name, in groups: of the weights, V's rounding, sums' starts, M's rounding, factors, last stage."""
        return (
            {"u": pack_weights(self.u)},
            {f"v_{name}": array for name, array in (_of_taps(self.of_input) if self.of_input else {}).items()},
            _starts(self.offset),
            {f"m_{name}": array for name, array in (self.of_products.constants if self.of_products else {}).items()},
            _weights_of_taps(self.factors),
            dict(zip(stage_buffers(self.output), self.output.constants, strict=True)),
        )


def requantize_input(algorithm: Algorithm, v_shape: Shape, rescaling: Rescaling) -> Kernel:
    """V int32 -> V as it is stored."""

    def body(v: tirx.Buffer, *rest: tirx.Buffer) -> None:
        blocks.requantize_input(v, rest[-1], _at_tap(rescaling, rest[:-1]), rest[:-1])

    constants = _of_taps(rescaling)
    buffers = {"v": (v_shape, "int32"), **_buffers(constants), "stored": (v_shape, rescaling.dtype)}
    name = f"winograd_{algorithm.name}_requantize_input"
    return Kernel(name, primitive(buffers, body), tuple(constants.values()))


def tile_product(algorithm: Algorithm, v_shape: Shape, v_dtype: str, u: np.ndarray, offset: np.ndarray) -> Kernel:
    """Stored V, U [tap, o, c] -> M int32, sums that start from `offset` [tap, o]."""
    constants = {"u": pack_weights(u), **_starts(offset)}

    def body(v: tirx.Buffer, w: tirx.Buffer, *rest: tirx.Buffer) -> None:
        blocks.tile_product(v, rest[-1], weight_reader(w), *rest[:-1])

    buffers = {"v": (v_shape, v_dtype), **_buffers(constants), "m": ((*v_shape[:4], u.shape[1]), "int32")}
    name = f"winograd_{algorithm.name}_tile_product"
    return Kernel(name, primitive(buffers, body), tuple(constants.values()))


def requantize_products(algorithm: Algorithm, m_shape: Shape, rescaling: Rescaling) -> Kernel:
    """M int32 -> M on few bits, or on y's scale."""

    def body(m: tirx.Buffer, *rest: tirx.Buffer) -> None:
        blocks.requantize_products(m, rest[-1], rescaling.value, rest[:-1])

    buffers = {"m": (m_shape, "int32"), **_buffers(rescaling.constants), "rescaled": (m_shape, rescaling.dtype)}
    constants = tuple(rescaling.constants.values())
    return Kernel(f"winograd_{algorithm.name}_requantize_products", primitive(buffers, body), constants)


def output_transform(algorithm: Algorithm, m_shape: Shape, m_dtype: str, size: Pair, factors: np.ndarray) -> Kernel:
    """Rescaled M -> y int32 without bias, NHWC, cut to `size` (h, w)."""
    whole = (m_shape[0], m_shape[1] * algorithm.m[0], m_shape[2] * algorithm.m[1], m_shape[4])
    out_shape, constants = (m_shape[0], *size, m_shape[4]), _weights_of_taps(factors)

    def body(m: tirx.Buffer, *rest: tirx.Buffer) -> None:
        y = rest[-1] if whole == out_shape else intermediate("tiles", whole, "int32")
        blocks.output_transform(m, y, algorithm, _weighted(factors, rest[:-1]), rest[:-1])
        if whole != out_shape:
            blocks.elementwise("crop", y, rest[-1], lambda value, _: value)

    func = primitive({"m": (m_shape, m_dtype), **_buffers(constants), "y": (out_shape, "int32")}, body)
    return Kernel(f"winograd_{algorithm.name}_output_transform", func, tuple(constants.values()))


def requantize_output(shape: Shape, stage: OutputStage) -> Kernel:
    """y int32 NHWC -> int8, with the bias on y's scale."""

    def body(y: tirx.Buffer, *rest: tirx.Buffer) -> None:
        requantize_block(y, rest[:-1], rest[-1], stage)

    buffers = {"y": (shape, "int32"), **stage_buffers(stage), "out": (shape, "int8")}
    return Kernel("winograd_requantize", primitive(buffers, body), stage.constants)


def winograd_conv2d(op: Conv2d, algorithm: Algorithm, x_shape: Shape, parts: Parts) -> Kernel:
    """x int8 NHWC -> int8 NHWC, all stages in one function."""
    grid, outputs = Grid(algorithm, x_shape, op.window.padding), parts.u.shape[1]
    of_input, of_products, groups = parts.of_input, parts.of_products, parts.constants

    def body(x: tirx.Buffer, *rest: tirx.Buffer) -> None:
        u, of_v, start, of_m, factors, last = _parted(rest[:-1], groups)
        v = intermediate("v", grid.v_shape, of_input.dtype if of_input else "int16")
        m = intermediate("m", grid.m_shape(outputs), "int32")
        rescaled = intermediate("rescaled", grid.m_shape(outputs), of_products.dtype) if of_products else m
        y = intermediate("sums", grid.y_shape(outputs), "int32")
        image, stored = padded_image(x, grid, op.input.zero_point), _at_tap(of_input, of_v) if of_input else None
        blocks.input_transform(image, v, algorithm, op.input.zero_point, stored, of_v)
        blocks.tile_product(v, m, weight_reader(*u), *start)
        if of_products:
            blocks.requantize_products(m, rescaled, of_products.value, of_m)
        blocks.output_transform(rescaled, y, algorithm, _weighted(parts.factors, factors), factors)
        requantize_block(y, last, rest[-1], parts.output)

    constants = {name: array for group in groups for name, array in group.items()}
    buffers = {"x": (x_shape, "int8"), **_buffers(constants), "out": (grid.out_shape(outputs), "int8")}
    return Kernel(f"winograd_{algorithm.name}_conv2d", primitive(buffers, body), tuple(constants.values()))


def _of_taps(rescaling: Rescaling) -> Constants:
    """What a block that writes out all taps reads: nothing if multipliers are powers of two, which become shifts."""
    return {} if rescaling.multipliers.powers_of_two else rescaling.constants


def _at_tap(rescaling: Rescaling, operands: Sequence[tirx.Buffer]) -> blocks.Stored:
    if not operands:
        return lambda tap, value, keep: rescaling.at_tap(tap).value(value, [], keep)
    return lambda tap, value, keep: rescaling.value(value, [one[tap] for one in operands], keep)


def _starts(offset: np.ndarray) -> Constants:
    """What sums start from, unless it is zero."""
    return {"m_offset": offset} if offset.any() else {}


def _weights_of_taps(factors: np.ndarray) -> Constants:
    """Factors that are read at run time: not powers of two that all outputs share, which become shifts."""
    shifts = factors.shape[1] == 1 and (factors & (factors - 1) == 0).all()
    return {} if shifts else {"factors": factors}


def _weighted(factors: np.ndarray, operands: Sequence[tirx.Buffer]) -> Callable[[int, tirx.Var, Expr], Expr]:
    """k M (numerics.md, N15); of a power of two the C compiler makes a shift."""

    def value(tap: int, o: tirx.Var, entry: Expr) -> Expr:
        if operands:
            return entry * operands[0][tap, o if factors.shape[1] > 1 else 0]
        return entry if factors[tap, 0] == 1 else entry * int32(int(factors[tap, 0]))

    return value


def _buffers(constants: Constants) -> dict[str, tuple[Shape, str]]:
    return {name: (array.shape, str(array.dtype)) for name, array in constants.items()}


def _parted(buffers: Sequence[tirx.Buffer], groups: Sequence[Constants]) -> list[list[tirx.Buffer]]:
    """The buffers of each group of constants."""
    rest = iter(buffers)
    return [[next(rest) for _ in group] for group in groups]
