"""Winograd layers in training against the integer oracle: constants to the bit, and bytes but for ties."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which is not among the test packages")

from qat_cases import SCHEMES, Case, made  # noqa: E402

from tvm_wvv.qat import exact  # noqa: E402
from tvm_wvv.qat.export import IntegerLayer, integer_layer  # noqa: E402
from tvm_wvv.qat.fake_quant import Activation, quantize  # noqa: E402
from tvm_wvv.qat.layers import QuantConv2d, Scheme, weight_codes, weight_steps  # noqa: E402
from tvm_wvv.qat.tiles import image, tiles  # noqa: E402
from tvm_wvv.reference.winograd_quantized import image_tiles, trace  # noqa: E402
from tvm_wvv.transforms.catalog import ALGORITHMS, by_name  # noqa: E402

# Float32 and the kernels' fixed point part only where a value lies within about 2^-20 of the middle between two steps.
TIES = 2e-3


def integers(case: Case) -> IntegerLayer:
    return integer_layer(case.layer, case.output)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: f"{one.granularity}{'-powers' * one.power_of_two}")
@pytest.mark.parametrize("name", ["f2", "f4", "f4c", "f4x1"])
def test_the_exported_layer_gives_the_bytes_of_training(name: str, scheme: Scheme) -> None:
    case = made(name, scheme, (24, 31))
    exported = integers(case)
    oracle = trace(case.codes.astype(np.int8), exported.op, case.layer.algorithm, exported.integers)
    difference = np.abs(case.bytes() - oracle.output.astype(np.int64))
    assert len(np.unique(oracle.output)) > 30, "an output that says something"
    assert np.mean(difference > 0) <= TIES


@pytest.mark.parametrize("low", [0.0, -4.0])
def test_a_direct_layer_gives_the_bytes_of_training(low: float) -> None:
    """Sums of one channel are small: the last requantization's first rounding shows."""
    torch.manual_seed(1)
    source, output = Activation(), Activation()
    source.assign(-1.3, 2.9)
    output.assign(low, 5.0)
    layer = QuantConv2d(torch.nn.Conv2d(1, 6, 3, stride=2, padding=1), source)
    codes = torch.from_numpy(np.random.default_rng(2).integers(-128, 128, (3, 60, 50, 1)))
    with torch.no_grad():
        real = (codes.float() - source.zero_point).permute(0, 3, 1, 2) * source.scale()
        got, unaware = (output.codes(one).permute(0, 2, 3, 1) + output.zero_point for one in
                        (layer(real, output), layer(real)))  # fmt: skip
    expected = exact.direct(codes, layer, output)
    assert (got != expected).double().mean() <= 1e-4 < (unaware != expected).double().mean()


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: f"{one.granularity}{'-powers' * one.power_of_two}")
@pytest.mark.parametrize("name", ["f2", "f4", "f4c"])
def test_frozen_weights_are_those_of_training_to_the_bit(name: str, scheme: Scheme) -> None:
    case = made(name, scheme)
    layer, most = case.layer, case.layer.u_scale.limits[1]
    with torch.no_grad():
        exact = layer.transformed_weight(weight_codes(layer.weight, weight_steps(layer.weight)))
        u = quantize(exact.double(), 1 / layer.u_scale()[:, None, :].double(), -most, most, half_up=False)
    np.testing.assert_array_equal(u.permute(0, 2, 1), integers(case).integers.u)


@pytest.mark.parametrize("name", ["f4", "f4c", "f6", "f2x1"])
def test_transformed_inputs_are_exact(name: str) -> None:
    case = made(name, Scheme("tap"), (9, 6))
    exported = integers(case)
    v = trace(case.codes.astype(np.int8), exported.op, case.layer.algorithm, exported.integers).v
    centred = torch.from_numpy(case.codes).float() - case.layer.source.zero_point
    got = case.layer.transformed_input(centred).numpy()
    np.testing.assert_array_equal(got, np.moveaxis(v, 3, 0).reshape(got.shape))


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_a_layer_of_many_bits_is_the_float_convolution(name: str) -> None:
    """With 16 bits in every stage only the int8 weights and inputs are left to differ, and both sides share those."""
    case = made(name, Scheme("tap_channel", 16, 16, 16))
    layer = case.layer
    with torch.no_grad():
        steps = weight_steps(layer.weight)
        weight = weight_codes(layer.weight, steps) * steps
        expected = torch.nn.functional.conv2d(case.real, weight, layer.bias, padding=1)
        got = layer(case.real)
    noise = (got - expected).square().mean() / expected.square().mean()
    # Points beyond 2 amplify the rounding of 16 bits.
    assert noise < (1e-2 if name == "f6" else 1e-5)


@pytest.mark.parametrize("name", ["f2", "f4", "f6", "f2x1", "f4x1"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 9), (8, 4), (12, 13)])
@pytest.mark.parametrize("padding", [(1, 1, 1, 1), (0, 2, 2, 1)])
def test_tiles_are_the_oracle_s_and_their_gradient_is_the_adjoint(
    name: str, shape: tuple[int, int], padding: tuple[int, int, int, int]
) -> None:
    algorithm = by_name(name)
    x = torch.randn(2, *shape, 3, dtype=torch.float64, requires_grad=True)
    cut = tiles(x, algorithm, padding)
    expected = np.moveaxis(image_tiles(x.detach().numpy(), algorithm, padding), 3, 0)
    np.testing.assert_array_equal(cut.detach(), expected.reshape(cut.shape))
    weight = torch.randn_like(cut)
    (cut * weight).sum().backward()
    moved = torch.randn(2, *shape, 3, dtype=torch.float64)
    # <tiles(moved), weight> = <moved, gradient> for every `moved`, since tiling is linear.
    torch.testing.assert_close((tiles(moved, algorithm, padding) * weight).sum(), (moved * x.grad).sum())


def test_output_tiles_come_back_in_place() -> None:
    algorithm, shape = by_name("f4"), (2, 6, 11, 3)
    whole = torch.arange(2 * 8 * 12 * 5).reshape(2, 2, 4, 3, 4, 5)
    cut = whole.permute(2, 4, 0, 1, 3, 5).reshape(16, 12, 5)
    expected = whole.reshape(2, 8, 12, 5)[:, :6, :11]
    assert torch.equal(image(cut, algorithm, shape, (1, 1, 1, 1)), expected)


def test_clips_learn_to_lower_the_error() -> None:
    """Gradient descent on the scales alone, from scales far too large, comes close to the float convolution."""
    case = made("f4", Scheme("tap"))
    layer = case.layer
    with torch.no_grad():
        expected = torch.nn.functional.conv2d(case.real, layer.weight, layer.bias, padding=1)
        for stage in (layer.v_scale, layer.u_scale, layer.m_scale):
            stage.log2 += 2
    scales = [one.log2 for one in (layer.v_scale, layer.u_scale, layer.m_scale)]
    optimizer, losses = torch.optim.Adam(scales, 0.1), []
    for _ in range(40):
        optimizer.zero_grad()
        loss = (layer(case.real) - expected).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
