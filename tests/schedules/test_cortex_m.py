"""Structure of scheduled kernels: strips in place of images, sums in tiles, and what passes through unchanged."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
import tvm_ffi
from tvm import s_tir, tirx
from tvm.tirx.stmt import AllocBuffer

from tvm_wvv.kernels.dispatch import kernel_of
from tvm_wvv.micro.statements import walk
from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.fixed_point import to_float32
from tvm_wvv.schedules import cortex_m, x86
from tvm_wvv.schedules.blocks import block_names, greatest_divisor

INPUT, OUTPUT = ops.Affine(to_float32(0.02), -5), ops.Affine(to_float32(0.05), 3)
TO_LOOPS = tvm.ir.transform.Sequential(
    [
        s_tir.transform.CanonicalizeLoop(),
        s_tir.transform.LowerInitBlock(),
        s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
        s_tir.transform.ConvertBlocksToOpaque(),
        s_tir.transform.CompactBufferAllocation(),
        s_tir.transform.LowerOpaqueBlock(),
    ]
)


def buffers(func: tirx.PrimFunc) -> dict[str, tuple[int, ...]]:
    """Shapes of what a kernel allocates for itself, once each buffer is as small as its use."""
    body = TO_LOOPS(tvm.IRModule({"main": func}))["main"].body
    found = [stmt.buffer for stmt in walk(body) if isinstance(stmt, AllocBuffer)]
    return {buffer.name: tuple(int(size) for size in buffer.ty.shape) for buffer in found}


def conv(window: ops.Window, x_shape: tuple[int, ...], weight_shape: tuple[int, ...]) -> tirx.PrimFunc:
    op = ops.Conv2d(INPUT, OUTPUT, (0.003,), window)
    return kernel_of(op, [x_shape], [np.ones(weight_shape, np.int8)]).func


def stages(func: tirx.PrimFunc) -> list[str]:
    return block_names(s_tir.Schedule(func))


def test_padding_becomes_a_strip_of_rows_and_sums_a_tile() -> None:
    plain = conv(ops.Window(padding=(1, 1, 1, 1)), (1, 9, 12, 8), (8, 3, 3, 8))
    assert buffers(plain) == {"pad": (1, 11, 14, 8), "conv": (1, 9, 12, 8)}
    assert buffers(cortex_m.schedule(plain)) == {"pad": (1, 3, 14, 8), "conv": (1, 1, 2, 4)}


@pytest.mark.parametrize(("width", "pixels", "channels"), [(8, 2, 4), (9, 3, 2), (5, 5, 2), (7, 1, 4)])
def test_tiles_divide_the_row(width: int, pixels: int, channels: int) -> None:
    func = conv(ops.Window(), (1, 4, width, 8), (8, 1, 1, 8))
    assert buffers(cortex_m.schedule(func)) == {"conv": (1, 1, pixels, channels)}


def test_dilated_rows_lie_in_one_strip() -> None:
    func = conv(ops.Window((2, 1), (3, 1), (2, 0, 2, 0)), (1, 13, 9, 4), (3, 3, 3, 4))
    assert buffers(cortex_m.schedule(func)) == {"pad": (1, 7, 9, 4), "conv": (1, 1, 1, 1)}


def test_padding_is_a_fill_and_a_copy() -> None:
    func = conv(ops.Window(padding=(1, 1, 1, 1)), (1, 9, 12, 8), (8, 3, 3, 8))
    assert stages(func) == ["pad", "conv", "requantize"]
    scheduled = cortex_m.schedule(func).script()
    assert "if_then_else" not in scheduled
    # One run of bytes for the whole strip, and one for each row of the image.
    assert "range(336)" in scheduled
    assert "T.grid(1, 3, 96)" in scheduled


def test_no_pad_stage_without_padding() -> None:
    assert stages(conv(ops.Window((2, 2)), (1, 7, 6, 4), (5, 3, 3, 4))) == ["conv", "requantize"]


def test_depthwise_unrolls_small_windows_only() -> None:
    def scheduled(size: int) -> str:
        op = ops.DepthwiseConv2d(INPUT, OUTPUT, (0.003,), ops.Window(), 1)
        return cortex_m.schedule(kernel_of(op, [(1, 9, 8, 3)], [np.ones((1, size, size, 3), np.int8)]).func).script()

    assert "in T.unroll(3)" in scheduled(3)
    assert "in T.unroll(5)" not in scheduled(5)


@pytest.mark.parametrize(
    ("op", "shape", "expected"),
    [
        (ops.AveragePool((2, 2), ops.Window((2, 2))), (1, 6, 4, 3), {"pool": (1, 1, 1, 1)}),
        (ops.Mean(INPUT, OUTPUT, (1, 2), False), (1, 6, 4, 3), {"sum": (1, 1)}),
        (ops.Mean(INPUT, OUTPUT, (0,), False), (6,), {"sum": ()}),
    ],
    ids=["pool", "mean", "mean-of-all"],
)
def test_reductions_keep_one_number(
    op: ops.Operator, shape: tuple[int, ...], expected: dict[str, tuple[int, ...]]
) -> None:
    assert buffers(cortex_m.schedule(kernel_of(op, [shape]).func)) == expected


def test_softmax_keeps_one_number_for_each_stage_of_a_row() -> None:
    op = ops.Softmax(INPUT, ops.Affine(1 / 256, -128))
    shapes = buffers(cortex_m.schedule(kernel_of(op, [(5, 12)]).func)).values()
    assert set(shapes) == {(1,)}


def test_elementwise_kernels_become_one_loop() -> None:
    add = ops.Add(INPUT, OUTPUT, OUTPUT)
    assert "range(420)" in cortex_m.schedule(kernel_of(add, [(2, 7, 6, 5)] * 2).func).script()


def test_what_is_not_known_passes_through() -> None:
    broadcast = kernel_of(ops.Add(INPUT, OUTPUT, OUTPUT), [(2, 7, 6, 5), (5,)]).func
    assert tvm_ffi.structural_equal(cortex_m.schedule(broadcast), broadcast)


def test_x86_is_the_identity() -> None:
    func = conv(ops.Window(), (1, 4, 4, 4), (4, 1, 1, 4))
    assert x86.schedule(func).same_as(func)


@pytest.mark.parametrize(("size", "limit", "factor"), [(48, 4, 4), (9, 4, 3), (7, 4, 1), (2, 4, 2)])
def test_greatest_divisor(size: int, limit: int, factor: int) -> None:
    assert greatest_divisor(size, limit) == factor
