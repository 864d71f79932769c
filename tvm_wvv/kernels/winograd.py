"""Winograd convolution in TensorIR: blocks `pad`, `input_transform`, `tile_product`, `output_transform`, `requantize`.

Layouts are those of `transforms.grid.Grid`; the arithmetic is that of `reference.winograd`, stage by stage
(numerics.md, N3). Each stage is a kernel of its own, and `winograd_conv2d` holds all of them in one function, so that a
schedule can merge them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from tvm import tirx
from tvm.ir import Expr

from tvm_wvv.kernels import winograd_blocks as blocks
from tvm_wvv.kernels.blocks import Shape, intermediate, primitive
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.kernels.output_stage import OutputStage
from tvm_wvv.quant.operators import Conv2d, Pair
from tvm_wvv.quant.parameters import conv_multipliers
from tvm_wvv.reference.winograd import weight_sums
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid
from tvm_wvv.transforms.ranges import INT8, stage_ranges

Padding = tuple[int, int, int, int]
_ANY_SUM = 1 << 31
# How many outputs share one load of V, at best: four for each of two tiles fill the registers of a Cortex-M.
_WEIGHT_RUNS = (4, 2, 1)


def input_transform(
    algorithm: Algorithm, x_shape: Shape, zero_point: int, padding: Padding, dtype: str = "int16"
) -> Kernel:
    """x int8 NHWC -> V, int16 or int32."""
    grid = Grid(algorithm, x_shape, padding)

    def body(x: tirx.Buffer, v: tirx.Buffer) -> None:
        blocks.input_transform(padded_image(x, grid, zero_point), v, algorithm, zero_point)

    func = primitive({"x": (x_shape, "int8"), "v": (grid.v_shape, dtype)}, body)
    return Kernel(f"winograd_{algorithm.name}_input_transform", func)


def tile_product(algorithm: Algorithm, v_shape: Shape, u: np.ndarray) -> Kernel:
    """V int16, U int16 [tap, o, c] (a constant) -> M int32, modulo 2^32."""
    packed = pack_weights(u)
    buffers = {"v": (v_shape, "int16"), "u": (packed.shape, "int16"), "m": ((*v_shape[:4], u.shape[1]), "int32")}
    func = primitive(buffers, lambda v, w, m: blocks.tile_product(v, m, weight_reader(w)))
    return Kernel(f"winograd_{algorithm.name}_tile_product", func, (packed,))


def output_transform(algorithm: Algorithm, m_shape: Shape, size: Pair) -> Kernel:
    """M int32 -> the sums of direct convolution int32, NHWC, cut to `size` (h, w)."""
    whole = (m_shape[0], m_shape[1] * algorithm.m[0], m_shape[2] * algorithm.m[1], m_shape[4])
    out_shape = (m_shape[0], *size, m_shape[4])

    def body(m: tirx.Buffer, sums: tirx.Buffer) -> None:
        if whole == out_shape:
            blocks.output_transform(m, sums, algorithm)
            return
        tiles = intermediate("tiles", whole, "int32")
        blocks.output_transform(m, tiles, algorithm)
        blocks.elementwise("crop", tiles, sums, lambda value, _: value)

    func = primitive({"m": (m_shape, "int32"), "sums": (out_shape, "int32")}, body)
    return Kernel(f"winograd_{algorithm.name}_output_transform", func)


def winograd_requantize(op: Conv2d, shape: Shape, bias: np.ndarray | None) -> Kernel:
    """Sums int32 without bias, NHWC -> int8, as at the end of the direct convolution `op`."""
    stage = _output_stage(op, shape[3], bias, _ANY_SUM)

    def body(sums: tirx.Buffer, *rest: tirx.Buffer) -> None:
        requantize_block(sums, rest[:-1], rest[-1], stage)

    buffers = {"sums": (shape, "int32"), **stage_buffers(stage), "out": (shape, "int8")}
    return Kernel("winograd_requantize", primitive(buffers, body), stage.constants)


def winograd_conv2d(op: Conv2d, algorithm: Algorithm, x_shape: Shape, u: np.ndarray, bias: np.ndarray | None) -> Kernel:
    """x int8 NHWC -> int8 NHWC, all stages in one function; `u` is U int16 [tap, o, c]."""
    grid, zero_point, outputs = Grid(algorithm, x_shape, op.window.padding), op.input.zero_point, u.shape[1]
    stage, packed = exact_output_stage(op, algorithm, u, bias), pack_weights(u)

    def body(x: tirx.Buffer, w: tirx.Buffer, *rest: tirx.Buffer) -> None:
        v = intermediate("v", grid.v_shape, "int16")
        m = intermediate("m", grid.m_shape(outputs), "int32")
        sums = intermediate("sums", grid.y_shape(outputs), "int32")
        blocks.input_transform(padded_image(x, grid, zero_point), v, algorithm, zero_point)
        blocks.tile_product(v, m, weight_reader(w))
        blocks.output_transform(m, sums, algorithm)
        requantize_block(sums, rest[:-1], rest[-1], stage)

    buffers = {"x": (x_shape, "int8"), "u": (packed.shape, "int16"), **stage_buffers(stage)}
    func = primitive({**buffers, "out": (grid.out_shape(outputs), "int8")}, body)
    return Kernel(f"winograd_{algorithm.name}_conv2d", func, (packed, *stage.constants))


def padded_image(x: tirx.Buffer, grid: Grid, value: int) -> tirx.Buffer:
    """The image that whole tiles read: `x` itself where they fit it."""
    if grid.padded_shape == grid.x_shape:
        return x
    image = intermediate("image", grid.padded_shape, "int8")
    blocks.pad(x, image, grid.padding[0], grid.padding[1], value)
    return image


def pack_weights(u: np.ndarray) -> np.ndarray:
    """U [tap, o, c] (numerics.md, N7) as [tap, o / block, c, block]: weights of a few outputs are read in one run."""
    taps, outputs, channels = u.shape
    width = next(width for width in _WEIGHT_RUNS if outputs % width == 0)
    return np.ascontiguousarray(u.reshape(taps, outputs // width, width, channels).transpose(0, 1, 3, 2))


def weight_reader(u: tirx.Buffer) -> Callable[[Expr, Expr, Expr], Expr]:
    """U at (tap, o, c), from what `pack_weights` made."""
    width = int(u.shape[3])
    return lambda tap, o, c: u[tap, o // width, c, o % width]


def exact_output_stage(op: Conv2d, algorithm: Algorithm, u: np.ndarray, bias: np.ndarray | None) -> OutputStage:
    """The last stage of a layer whose sums are exact; `u` is U int16 [tap, o, c]."""
    return _output_stage(op, u.shape[1], bias, _bound(u, algorithm, op.input.zero_point))


def _output_stage(op: Conv2d, outputs: int, bias: np.ndarray | None, bound: int) -> OutputStage:
    given = np.zeros(outputs, np.int32) if bias is None else bias
    limit = bound + int(np.abs(given.astype(np.int64)).max())
    return OutputStage(given, conv_multipliers(op), op.output.zero_point, op.clamp, limit)


def stage_buffers(stage: OutputStage) -> dict[str, tuple[Shape, str]]:
    """Parameters of a function for the constants of its last stage."""
    names = [tensor.op.name for tensor in stage.placeholders()]
    return {name: (array.shape, "int32") for name, array in zip(names, stage.constants, strict=True)}


def requantize_block(sums: tirx.Buffer, constants: Sequence[tirx.Buffer], out: tirx.Buffer, stage: OutputStage) -> None:
    """The block `requantize`."""
    blocks.elementwise(
        "requantize", sums, out, lambda value, o: stage.value(value, [one[o] for one in constants]), constants
    )


def _bound(u: np.ndarray, algorithm: Algorithm, zero_point: int) -> int:
    """The proved limit of the convolution's sums without bias (numerics.md, N13)."""
    low, high = INT8
    return max(map(abs, stage_ranges(algorithm, (low - zero_point, high - zero_point), weight_sums(u, algorithm)).sums))
