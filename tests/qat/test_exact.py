"""Evaluation as integers in torch against the NumPy oracles: the same bytes, no tolerance."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which is not among the test packages")

from qat_cases import SCHEMES, made  # noqa: E402

from tvm_wvv.qat import exact  # noqa: E402
from tvm_wvv.qat.export import affine, integer_layer, integer_weights  # noqa: E402
from tvm_wvv.qat.fake_quant import Activation  # noqa: E402
from tvm_wvv.qat.layers import QuantConv2d, QuantLinear, Scheme  # noqa: E402
from tvm_wvv.quant.operators import Add, AveragePool, FullyConnected, Window  # noqa: E402
from tvm_wvv.quant.requantize import requantize  # noqa: E402
from tvm_wvv.reference.conv import conv2d  # noqa: E402
from tvm_wvv.reference.dense import fully_connected  # noqa: E402
from tvm_wvv.reference.elementwise import add  # noqa: E402
from tvm_wvv.reference.pool import average_pool  # noqa: E402
from tvm_wvv.reference.winograd_quantized import winograd_conv2d  # noqa: E402


def codes(*shape: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).integers(-128, 128, shape, dtype=np.int8)
    found.flat[0] = -128
    return found


def tensor(low: float, high: float) -> Activation:
    found = Activation()
    found.assign(low, high)
    return found


def test_requantization_is_the_project_s() -> None:
    rng = np.random.default_rng(1)
    acc = np.concatenate([rng.integers(-(2**31), 2**31, 500), np.arange(-40, 40), [-(2**31), 2**31 - 1]])
    for mantissa, shift in ((1 << 30, 0), (1 << 30, -3), (1518500250, -7), (2**31 - 1, -31), (1 << 30, -1)):
        got = exact.requantize(torch.from_numpy(acc), torch.tensor(mantissa), torch.tensor(shift))
        np.testing.assert_array_equal(got, requantize(acc, mantissa, shift))
    small = np.arange(-2000, 2000)
    got = exact.requantize(torch.from_numpy(small), torch.tensor(1234567890), torch.tensor(5))
    np.testing.assert_array_equal(got, requantize(small, 1234567890, 5))


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: f"{one.granularity}{'-powers' * one.power_of_two}")
@pytest.mark.parametrize("name", ["f2", "f4", "f4c", "f6c", "f4x1"])
def test_a_winograd_layer_gives_the_oracle_s_bytes(name: str, scheme: Scheme) -> None:
    case = made(name, scheme)
    exported = integer_layer(case.layer, case.output)
    expected = winograd_conv2d(case.codes.astype(np.int8), exported.op, case.layer.algorithm, exported.integers)
    np.testing.assert_array_equal(exact.winograd(torch.from_numpy(case.codes), case.layer, case.output), expected)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_direct_layer_gives_the_reference_s_bytes(stride: int) -> None:
    torch.manual_seed(stride)
    layer = QuantConv2d(torch.nn.Conv2d(5, 6, 3, stride, padding=1), tensor(-1, 2))
    output, x = tensor(-1.5, 1.9), codes(2, 7, 10, 5)
    op, weights, bias = integer_weights(layer, output)
    got = exact.direct(torch.from_numpy(x).long(), layer, output)
    np.testing.assert_array_equal(got, conv2d(x, weights, bias, op))
    centred = torch.from_numpy(x).float() - layer.source.zero_point
    faked = output.codes(layer(centred.permute(0, 3, 1, 2) * layer.source.scale())) + output.zero_point
    assert np.abs(faked.detach().permute(0, 2, 3, 1).numpy() - got.numpy()).max() <= 1


def test_sums_pools_and_dense_layers_give_the_reference_s_bytes() -> None:
    torch.manual_seed(0)
    left, right, output = tensor(-1, 2), tensor(0, 5.5), tensor(-0.7, 4)
    x, y = codes(2, 8, 8, 6), codes(2, 8, 8, 6, seed=1)
    got = exact.add(torch.from_numpy(x).long(), torch.from_numpy(y).long(), (left, right), output)
    np.testing.assert_array_equal(got, add(x, y, Add(affine(left), affine(right), affine(output))))
    pooled = average_pool(x, AveragePool((8, 8), Window((8, 8))))
    np.testing.assert_array_equal(exact.mean(torch.from_numpy(x).long()), pooled.reshape(2, 6))
    layer = QuantLinear(torch.nn.Linear(6, 4), left)
    op, weights, bias = integer_weights(layer, output)
    dense = FullyConnected(op.input, op.output, op.weight_scales[:1])
    got = exact.dense(torch.from_numpy(pooled.reshape(2, 6)).long(), layer, output)
    np.testing.assert_array_equal(got, fully_connected(pooled, weights, bias, dense))
