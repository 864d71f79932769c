"""What kernels prepare offline: weights in blocks of channels, folded biases, proved ranges; and index arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tvm_wvv.kernels.conv import conv2d, depthwise_conv2d
from tvm_wvv.kernels.indices import broadcast_index, ravel, unravel
from tvm_wvv.kernels.weights import blocked, channel_block, folded_bias, sum_bound
from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.fixed_point import to_float32

int8 = st.integers(-128, 127)


@pytest.mark.parametrize(("outputs", "block"), [(64, 4), (12, 4), (10, 2), (7, 1), (1, 1)])
def test_channel_block_divides_the_outputs(outputs: int, block: int) -> None:
    assert channel_block(outputs) == block


def test_blocks_put_the_weights_of_neighbouring_outputs_side_by_side() -> None:
    weights = np.arange(4 * 2 * 3, dtype=np.int8).reshape(4, 2, 3)
    laid = blocked(weights, 2)
    assert laid.shape == (2, 2, 3, 2)
    assert laid.flags.c_contiguous
    for o, row, channel in np.ndindex(weights.shape):
        assert laid[o // 2, row, channel, o % 2] == weights[o, row, channel]


@given(weights=arrays(np.int8, (3, 5), elements=int8), x=arrays(np.int8, 5, elements=int8), zero_point=int8)
def test_folded_bias_takes_the_zero_point_out_of_the_inner_loop(
    weights: np.ndarray, x: np.ndarray, zero_point: int
) -> None:
    bias = np.array([7, -(1 << 30), 1 << 30], np.int32)
    plain = weights.astype(np.int64) @ x.astype(np.int64) + folded_bias(weights, bias, zero_point)
    np.testing.assert_array_equal(plain, weights.astype(np.int64) @ (x.astype(np.int64) - zero_point) + bias)


@given(weights=arrays(np.int8, (2, 4), elements=int8), zero_point=int8, bias=st.integers(-500, 500))
def test_sum_bound_is_reached_and_never_passed(weights: np.ndarray, zero_point: int, bias: int) -> None:
    wide = weights.astype(np.int64)
    ends = np.where(wide > 0, 127, -128), np.where(wide > 0, -128, 127)
    reached = max(int(np.abs((wide * (x - zero_point)).sum(axis=1)).max()) for x in ends)
    assert sum_bound(weights, None, zero_point) == reached
    assert sum_bound(weights, np.full(2, bias, np.int32), zero_point) == reached + abs(bias)


def test_sums_wrap_where_the_bias_does_not_fit() -> None:
    weights, bias = np.full((1, 4), 127, np.int8), np.array([np.iinfo(np.int32).max], np.int32)
    assert folded_bias(weights, bias, -128)[0] == np.iinfo(np.int32).min + 4 * 127 * 128 - 1


@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple), data=st.data())
def test_ravel_and_unravel_are_numpys(shape: tuple[int, ...], data: st.DataObject) -> None:
    flat = data.draw(st.integers(0, int(np.prod(shape)) - 1))
    index = tuple(int(i) for i in np.unravel_index(flat, shape))
    assert unravel(flat, shape) == index
    assert ravel(index, shape) == flat


def test_broadcasting_reads_at_zero_where_the_operand_has_one() -> None:
    assert broadcast_index((4, 5, 6), (5, 1)) == (5, 0)
    assert broadcast_index((4, 5), ()) == ()


def affine(scale: float, zero_point: int) -> ops.Affine:
    return ops.Affine(to_float32(scale), zero_point)


def test_parameters_come_in_the_order_inputs_constants_output() -> None:
    op = ops.Conv2d(affine(0.1, 0), affine(0.2, 0), (0.001, 0.002, 0.003, 0.004), ops.Window())
    kernel = conv2d(op, (1, 5, 4, 3), np.ones((4, 3, 3, 3), np.int8), None)
    names = [parameter.name for parameter in kernel.func.params]
    assert names == ["x", "weights", "bias", "mantissas", "roundings", "rights", "requantize"]
    shapes = [tuple(int(n) for n in parameter.ty.shape) for parameter in kernel.func.params[1:-1]]
    assert shapes == [array.shape for array in kernel.constants]


def test_one_weight_scale_needs_only_a_bias() -> None:
    op = ops.DepthwiseConv2d(affine(0.1, 0), affine(0.2, 0), (0.001,), ops.Window(), 2)
    kernel = depthwise_conv2d(op, (1, 5, 4, 3), np.ones((1, 3, 3, 6), np.int8), None)
    assert [array.dtype for array in kernel.constants] == [np.int8, np.int32]
