"""Pools and means with x86 vectors give the oracle's bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_run import LlvmKernel
from strategies import SingleOp, seeds
from strategies_elementwise import mean_models, pool_models
from x86_cases import CPUS, SLOW, made, require

from tvm_wvv.kernels.x86_pool import division
from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.fixed_point import to_float32
from tvm_wvv.reference.apply import apply


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("models", [pool_models(), mean_models()], ids=["pool", "mean"])
@SLOW
@given(data=st.data(), seed=seeds)
def test_random_layers(cpu: str, models: st.SearchStrategy[SingleOp], data: st.DataObject, seed: int) -> None:
    case = data.draw(models)
    kernel = made(require(cpu), case.op, list(case.inputs), ())
    if kernel is None:
        return
    run = LlvmKernel(kernel.func, cpu)
    for one in zip(*case.samples(seed), strict=True):
        np.testing.assert_array_equal(run(one), case.oracle(one))


SAME = ops.Window((2, 2), (1, 1), (1, 0, 1, 2))
MEAN = ops.Mean(ops.Affine(to_float32(0.03), -11), ops.Affine(to_float32(0.02), 9), (1, 2), False)
# Channels that leave pieces of every width, padding on three sides, a window as large as the image, all of an image.
LAYERS: dict[str, tuple[ops.Operator, tuple[int, ...]]] = {
    "average, padded": (ops.AveragePool((3, 4), SAME, (-100, 90)), (2, 5, 7, 87)),
    "average of all": (ops.AveragePool((25, 5), ops.Window()), (1, 25, 5, 16)),
    "average of 64": (ops.AveragePool((8, 8), ops.Window()), (1, 8, 8, 9)),
    "greatest, padded": (ops.MaxPool((3, 4), SAME, (-100, 90)), (2, 5, 7, 87)),
    "greatest of few": (ops.MaxPool((2, 2), ops.Window((2, 2))), (1, 6, 8, 3)),
    "mean": (MEAN, (2, 6, 7, 45)),
    "mean, axes kept": (ops.Mean(MEAN.input, MEAN.output, (1, 2), True), (1, 3, 2, 16)),
}


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("name", LAYERS)
def test_hand_picked_layers(cpu: str, name: str) -> None:
    op, shape = LAYERS[name]
    x = np.random.default_rng(len(name)).integers(-128, 128, shape).astype(np.int8)
    x[..., 0], x[..., 1], x.flat[::7] = -128, 127, -128
    kernel = made(require(cpu), op, [shape], ())
    assert kernel is not None
    expected = apply(op, [x])
    assert len(np.unique(expected)) > 5
    np.testing.assert_array_equal(LlvmKernel(kernel.func, cpu)([x]), expected)


@pytest.mark.parametrize("counts", [[1], [7], [64], [125], [4, 6, 9], list(range(1, 50))], ids=str)
def test_a_product_and_a_shift_divide_every_sum(counts: list[int]) -> None:
    found = division(counts)
    assert found is not None
    for count in counts:
        sums = np.arange(128 * count + 1)
        products = (sums + count // 2) * found.factors[count]
        assert products.max() < 1 << 31
        np.testing.assert_array_equal(products >> found.places, (sums + count // 2) // count)


def test_what_has_no_short_form_is_left_to_others() -> None:
    assert division([4097]) is None
    shape = (1, 6, 7, 16)
    assert made("haswell", ops.MaxPool((2, 2), ops.Window(dilation=(2, 1))), [shape], ()) is None
    assert made("haswell", ops.AveragePool((2, 2), ops.Window(dilation=(2, 1))), [shape], ()) is None
    assert made("haswell", ops.Mean(MEAN.input, MEAN.output, (3,), False), [shape], ()) is None
    loud = ops.Mean(ops.Affine(to_float32(9.0), 0), ops.Affine(to_float32(0.001), 0), (1, 2), False)
    assert made("haswell", loud, [shape], ()) is None
