"""Depthwise convolutions with x86 vectors give the oracle's bytes; channels with one output are that constant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_run import LlvmKernel
from strategies import depthwise_models, seeds
from x86_cases import CPUS, SLOW, check, made, require

from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.fixed_point import to_float32
from tvm_wvv.reference.apply import apply


@pytest.mark.parametrize("cpu", CPUS)
@SLOW
@given(data=st.data(), seed=seeds)
def test_random_layers(cpu: str, data: st.DataObject, seed: int) -> None:
    check(cpu, data.draw(depthwise_models()), seed)


def depthwise(
    channels: int, *, stride: int = 1, padding: tuple[int, int, int, int] = (1, 1, 1, 1)
) -> ops.DepthwiseConv2d:
    scales = tuple(to_float32(0.004 * (1 + number % 5)) for number in range(channels))
    source, target = ops.Affine(to_float32(0.02), -7), ops.Affine(to_float32(0.02), 3)
    return ops.DepthwiseConv2d(source, target, scales, ops.Window((stride, stride), (1, 1), padding), 1, (-120, 127))


# Runs of pixels in a register, a register that is not full, windows higher than a group, wide and even ones, a pixel.
LAYERS = {
    "flat": (depthwise(8), (2, 5, 6, 8), (3, 3)),
    "flat, 5x3": (depthwise(4, padding=(2, 1, 2, 1)), (1, 7, 8, 4), (5, 3)),
    "32": (depthwise(32), (1, 4, 5, 32), (3, 3)),
    "40, stride 2": (depthwise(40, stride=2, padding=(0, 0, 1, 1)), (1, 6, 8, 40), (3, 3)),
    "2x6": (depthwise(16, padding=(1, 3, 0, 2)), (2, 3, 9, 16), (2, 6)),
    "24, no padding": (depthwise(24, padding=(0, 0, 0, 0)), (1, 3, 7, 24), (3, 1)),
    "one pixel": (depthwise(17, padding=(0, 0, 0, 0)), (1, 9, 2, 17), (9, 2)),
}


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("name", LAYERS)
def test_hand_picked_layers(cpu: str, name: str) -> None:
    op, x_shape, kernel_size = LAYERS[name]
    rng = np.random.default_rng(len(name))
    x = rng.integers(-128, 128, x_shape).astype(np.int8)
    weights = rng.integers(-128, 128, (1, *kernel_size, x_shape[3])).astype(np.int8)
    x.flat[::5] = -128
    bias = rng.integers(-9999, 9999, x_shape[3]).astype(np.int32)
    kernel = made(require(cpu), op, [x_shape], (weights, bias))
    assert kernel is not None
    expected = apply(op, [x], (weights, bias))
    assert len(np.unique(expected)) > 10
    np.testing.assert_array_equal(LlvmKernel(kernel.func, cpu)([x, *kernel.constants]), expected)


def test_layers_without_a_kernel_are_left_to_others() -> None:
    shape, weights = (1, 5, 5, 32), np.ones((1, 3, 3, 32), np.int8)
    assert made("haswell", replace(depthwise(32), window=ops.Window(dilation=(2, 1))), [shape], (weights,)) is None
    assert made("haswell", replace(depthwise(32), multiplier=2), [(1, 5, 5, 16)], (weights,)) is None
    # Three channels would leave most of each register empty.
    assert made("haswell", depthwise(3), [(1, 5, 5, 3)], (weights[..., :3],)) is None


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("biased", [False, True])
def test_dead_channels_give_their_constant(cpu: str, biased: bool) -> None:
    """As in MobileNets: weights of zero, a bias of 2^30 and scales that no short form has."""
    outputs, x_shape = 37, (1, 3, 4, 20)
    rng = np.random.default_rng(9)
    weights = rng.integers(-128, 128, (outputs, 1, 1, 20)).astype(np.int8)
    bias = rng.integers(-9999, 9999, outputs).astype(np.int32)
    scales = np.full(outputs, 0.002)
    weights[3:30:2] = 0
    bias[3:30:4], bias[5:30:4] = -(1 << 30), (1 << 30) - 1
    scales[3:30:2] = np.geomspace(1e-12, 1e9, len(scales[3:30:2]))
    given = bias if biased else None
    op = ops.Conv2d(
        ops.Affine(to_float32(0.02), -7), ops.Affine(to_float32(0.05), 3), tuple(map(to_float32, scales)), ops.Window()
    )
    constants = (weights,) if given is None else (weights, given)
    kernel = made(require(cpu), op, [x_shape], constants)
    assert kernel is not None
    x = rng.integers(-128, 128, x_shape).astype(np.int8)
    expected = apply(op, [x], constants)
    assert not np.ptp(expected[..., 3:30:2], axis=(0, 1, 2)).any()
    assert len(np.unique(expected[..., 3:30:2])) == (5 if biased else 1)
    np.testing.assert_array_equal(LlvmKernel(kernel.func, cpu)([x, *kernel.constants]), expected)
