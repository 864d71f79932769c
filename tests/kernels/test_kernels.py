"""Every kernel gives the oracle's bytes through LLVM, as its factory made it and as it is scheduled for a Cortex-M."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel_run import LlvmKernel, kernel_for, operands
from strategies import SingleOp, conv_models, dense_models, depthwise_models, seeds
from strategies_elementwise import EVERY_OPERATOR_WITHOUT_WEIGHTS

from tvm_wvv.kernels.dispatch import kernel_of
from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.fixed_point import to_float32
from tvm_wvv.reference.apply import apply
from tvm_wvv.schedules import cortex_m, x86

EVERY_OPERATOR = {
    "conv2d": conv_models(),
    "conv2d-grouped": conv_models(grouped=True),
    "depthwise": depthwise_models(),
    "dense": dense_models(),
    **EVERY_OPERATOR_WITHOUT_WEIGHTS,
}
INPUT, OUTPUT, WEIGHT = ops.Affine(to_float32(0.02), -5), ops.Affine(to_float32(0.05), 3), to_float32(0.002)


@pytest.mark.parametrize("kind", EVERY_OPERATOR)
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), seed=seeds)
def test_kernel_gives_the_bytes_of_the_oracle(kind: str, data: st.DataObject, seed: int) -> None:
    case: SingleOp = data.draw(EVERY_OPERATOR[kind])
    kernel = kernel_for(case)
    runs = {"plain": LlvmKernel(kernel.func), "cortex_m": LlvmKernel(cortex_m.schedule(kernel.func))}
    for one in zip(*case.samples(seed), strict=True):
        expected = case.oracle(one)
        for name, run in runs.items():
            np.testing.assert_array_equal(run(operands(case, one, kernel)), expected, err_msg=f"{name}: {case.op}")


def conv(window: ops.Window) -> ops.Conv2d:
    return ops.Conv2d(INPUT, OUTPUT, (WEIGHT,), window)


# What random models seldom or never draw: paddings that are neither SAME nor VALID, windows that lie partly outside on
# every side, larger shapes whose tiles and rounds differ, a long softmax row.
HAND_PICKED: dict[str, tuple[ops.Operator, tuple[int, ...], tuple[int, ...] | None]] = {
    "conv-asymmetric": (conv(ops.Window((2, 1), (1, 2), (3, 0, 0, 4))), (2, 7, 6, 5), (6, 3, 2, 5)),
    "conv-wide": (conv(ops.Window(padding=(1, 1, 1, 1))), (1, 5, 9, 16), (8, 3, 3, 16)),
    "conv-1x1-padded": (conv(ops.Window((2, 2), padding=(1, 0, 0, 1))), (1, 5, 4, 3), (2, 1, 1, 3)),
    "conv-of-whole-image": (conv(ops.Window(padding=(0, 1, 0, 0))), (1, 6, 4, 2), (3, 6, 5, 2)),
    "depthwise-5x5": (
        ops.DepthwiseConv2d(INPUT, OUTPUT, (WEIGHT,), ops.Window(padding=(2, 2, 2, 2)), 1),
        (1, 6, 5, 7),
        (1, 5, 5, 7),
    ),
    "average-outside": (ops.AveragePool((3, 3), ops.Window((1, 2), padding=(2, 1, 0, 2))), (2, 5, 4, 3), None),
    "average-dilated": (ops.AveragePool((2, 3), ops.Window((1, 1), (3, 2), (3, 2, 1, 2))), (1, 5, 6, 2), None),
    "softmax-long": (ops.Softmax(ops.Affine(to_float32(0.02), 0), ops.Affine(1 / 256, -128)), (2, 1500), None),
    "mean-many": (ops.Mean(INPUT, INPUT, (1, 2), True), (1, 25, 20, 3), None),
}


@pytest.mark.parametrize("name", HAND_PICKED)
def test_hand_picked_kernels_give_the_bytes_of_the_oracle(name: str) -> None:
    op, x_shape, weight_shape = HAND_PICKED[name]
    rng = np.random.default_rng(len(name))
    x = rng.integers(-128, 128, x_shape, dtype=np.int8)
    x.flat[::7] = -128
    constants = () if weight_shape is None else (rng.integers(-128, 128, weight_shape, dtype=np.int8),)
    kernel, expected = kernel_of(op, [x_shape], constants), apply(op, [x], constants)
    assert len(np.unique(expected)) > 1
    for func in (x86.schedule(kernel.func), cortex_m.schedule(kernel.func)):
        np.testing.assert_array_equal(LlvmKernel(func)([x, *kernel.constants]), expected)


def test_unknown_operators_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="no kernel for Affine"):
        kernel_of(INPUT, [(1,)])  # type: ignore[arg-type]


@pytest.mark.parametrize("zero_point", [-128, -1, 0, 127])
def test_quantize_of_numbers_that_the_reference_leaves_undefined(zero_point: int) -> None:
    op = ops.Quantize(ops.Affine(to_float32(0.1), zero_point))
    x = np.array([np.inf, -np.inf, np.nan, -np.nan, 3e38, -3e38, 2.0**31, -(2.0**31)], np.float32)
    expected = np.array([127, -128, -128, -128, 127, -128, 127, -128], np.int8)
    np.testing.assert_array_equal(apply(op, [x]), expected)
    kernel = kernel_of(op, [x.shape])
    for func in (x86.schedule(kernel.func), cortex_m.schedule(kernel.func)):
        np.testing.assert_array_equal(LlvmKernel(func)([x, *kernel.constants]), expected)


@pytest.mark.parametrize("scale", [1e-45, 1e-39, 0.1, 1 / 3, 3e38])
def test_scales_are_exact_to_the_last_bit(scale: float) -> None:
    affine, codes = ops.Affine(to_float32(scale), -128), np.arange(-128, 128, dtype=np.int8)
    there = kernel_of(ops.Dequantize(affine), [codes.shape])
    real = LlvmKernel(cortex_m.schedule(there.func))([codes, *there.constants])
    np.testing.assert_array_equal(real.view(np.int32), apply(ops.Dequantize(affine), [codes]).view(np.int32))
    back = kernel_of(ops.Quantize(affine), [codes.shape])
    again = LlvmKernel(cortex_m.schedule(back.func))([real, *back.constants])
    np.testing.assert_array_equal(again[np.isfinite(real)], codes[np.isfinite(real)])
