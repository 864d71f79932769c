"""Which layers the direct microkernels leave to TensorIR, and that every average is exact as a multiplication."""

from __future__ import annotations

import numpy as np
import pytest

from tvm_wvv.kernels import direct_dsp, direct_mve
from tvm_wvv.kernels.direct_depthwise_mve import depthwise_conv2d
from tvm_wvv.kernels.direct_pool import MOST_AVERAGED
from tvm_wvv.quant import operators as ops

Given = tuple[ops.Operator, list[tuple[int, ...]]]
A, B = ops.Affine(0.5, 3), ops.Affine(0.25, -7)
IMAGE = (1, 9, 7, 5)
TAKEN: dict[str, Given] = {
    "average pool": (ops.AveragePool((2, 3), ops.Window((2, 1), (1, 1), (1, 2, 1, 2))), [IMAGE]),
    "global pool of the most": (ops.AveragePool((63, 65), ops.Window()), [(1, 63, 65, 2)]),
    "mean of an image": (ops.Mean(A, B, (1, 2), False), [IMAGE]),
    "mean of everything before the channels": (ops.Mean(A, B, (0, 1, 2), True), [IMAGE]),
    "pad of an image": (ops.Pad(((0, 0), (1, 2), (0, 3), (0, 0)), 3), [IMAGE]),
    "pad of the channels": (ops.Pad(((0, 0), (0, 0), (0, 0), (2, 0)), 3), [(1, 1, 3, 5)]),
    "pad of nothing": (ops.Pad(((0, 0), (0, 0)), 3), [(3, 5)]),
    "concatenation": (ops.Concat(2), [IMAGE, (1, 9, 2, 5), IMAGE]),
}
LEFT: dict[str, Given] = {
    "dilated pool": (ops.MaxPool((2, 2), ops.Window((1, 1), (2, 1))), [IMAGE]),
    "pool beside the image": (ops.MaxPool((2, 2), ops.Window(padding=(0, 0, 0, 2))), [IMAGE]),
    "pool of too many": (ops.AveragePool((64, 65), ops.Window()), [(1, 64, 65, 2)]),
    "mean of the channels": (ops.Mean(A, B, (3,), False), [IMAGE]),
    "mean of axes apart": (ops.Mean(A, B, (0, 2), False), [IMAGE]),
    "mean of nothing": (ops.Mean(A, B, (), False), [IMAGE]),
    "mean that shifts to the left": (ops.Mean(ops.Affine(64.0, 0), B, (1,), False), [IMAGE]),
    "pad of three axes": (ops.Pad(((0, 0), (1, 0), (1, 0), (1, 0)), 3), [IMAGE]),
    "pad of many images": (ops.Pad(((0, 0), (1, 0), (1, 0), (0, 0)), 3), [(5, 2, 2, 2)]),
    "concatenation with a clamp": (ops.Concat(3, (0, 9)), [IMAGE, IMAGE]),
    "product": (ops.Mul(A, A, B), [IMAGE, IMAGE]),
}


@pytest.mark.parametrize("name", TAKEN)
def test_taken(name: str):
    assert direct_dsp.direct_kernel(*TAKEN[name], ()) is not None
    assert direct_mve.direct_kernel(*TAKEN[name], ()) is None, "these cores take the kernel of the DSP extension"


@pytest.mark.parametrize("name", LEFT)
def test_left_to_tensor_ir(name: str):
    assert direct_dsp.direct_kernel(*LEFT[name], ()) is None


def depthwise(width: int, output: ops.Affine, scale: float = 2.0**-8) -> bool:
    op = ops.DepthwiseConv2d(ops.Affine(1.0, 0), output, (scale,), ops.Window(), 1)
    weights = np.full((1, 3, 3, 4), 7, np.int8)
    return depthwise_conv2d(op, (1, 5, width, 4), weights, None) is not None


def test_depthwise_of_vectors_refuses_wide_images_and_large_multipliers():
    positive, signed = ops.Affine(1.0, -128), ops.Affine(1.0, 0)
    assert depthwise(128, positive) and not depthwise(129, positive)
    assert depthwise(9, positive, 0.75) and not depthwise(9, positive, 1.5)
    # Without a shift to the right halves of negative numbers could not be told.
    assert depthwise(9, signed, 0.25) and not depthwise(9, signed, 0.75)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 48, 49, 255, 256, 1023, MOST_AVERAGED - 1, MOST_AVERAGED])
def test_the_multiplication_divides_exactly(count: int):
    """The integers of `set_count` and `quotient` in wvv_pool*.c, for every sum that `count` numbers can have."""
    sums = np.arange(-128 * count, 127 * count + 1, dtype=np.int64)
    factor, even = (2**32 - 1) // count + (count > 1), count % 2 == 0
    raised = sums - (even & (sums < 0)) + count // 2 + 128 * count + (count == 1)
    assert raised.min() >= 0 and raised.max() < 2**32 and factor < 2**32
    found = (raised.astype(np.uint64) * np.uint64(factor) >> np.uint64(32)).astype(np.int64) - 128
    expected = np.sign(sums) * ((np.abs(sums) + count // 2) // count)
    np.testing.assert_array_equal(found, expected)
