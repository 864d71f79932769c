"""Fake quantization by its definition: values, gradients inside and outside the range, scales and zero points."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which is not among the test packages")

from tvm_wvv.qat.fake_quant import Activation, LearnedScale, quantize  # noqa: E402
from tvm_wvv.quant.requantize import requantize  # noqa: E402

VALUES = torch.tensor([-9.0, -3.5, -2.5, -0.5, -0.2, 0.0, 0.5, 1.5, 2.49, 3.4, 3.6, 40.0], dtype=torch.float64)


def test_halves_round_as_requantization_does() -> None:
    """Multiplying by 1/2 with one rounding: what the kernels do to V and M where scales are powers of two."""
    whole = np.arange(-9, 10)
    expected = np.clip(requantize(whole, 1 << 30, 0), -4, 3)
    np.testing.assert_array_equal(quantize(torch.from_numpy(whole).double(), torch.tensor(0.5), -4, 3), expected)


def test_constants_round_halves_to_even() -> None:
    got = quantize(VALUES, torch.tensor(1.0), -4, 3, half_up=False)
    np.testing.assert_array_equal(got, np.clip(np.rint(VALUES.numpy()), -4, 3))


def test_gradients_are_the_clipped_line_s() -> None:
    """Where nothing rounds, q is clip(x * per_step): its own derivative, by autograd, is the oracle."""
    x, per_step = (
        VALUES.clone().requires_grad_(),
        torch.tensor([[1.0], [0.25]], dtype=torch.float64, requires_grad=True),
    )
    weight = torch.linspace(-1, 2, 24, dtype=torch.float64).reshape(2, 12)
    (quantize(x, per_step, -4, 3) * weight).sum().backward()
    line_x, line_step = x.detach().clone().requires_grad_(), per_step.detach().clone().requires_grad_()
    ((line_x * line_step).clamp(-4, 3) * weight).sum().backward()
    torch.testing.assert_close(x.grad, line_x.grad)
    torch.testing.assert_close(per_step.grad, line_step.grad)


@pytest.mark.parametrize(("granularity", "count"), [("tensor", 1), ("tap", 5), ("tap_channel", 15)])
def test_exported_scales_are_those_of_the_forward_pass(granularity: str, count: int) -> None:
    scale = LearnedScale(6, granularity, (5, 3))  # type: ignore[arg-type]
    scale.assign(torch.rand(scale.log2.shape) * 9 + 0.1)
    exported = scale.exported()
    assert (exported.bits, exported.granularity, len(exported.scale)) == (6, granularity, count)
    np.testing.assert_array_equal(np.array(exported.scale, np.float32), scale().detach().flatten().numpy())


def test_powers_of_two_learn_straight_through() -> None:
    scale = LearnedScale(8, "tap", (3, 1), power_of_two=True)
    scale.assign(torch.tensor([[3.1], [0.26], [100.0]]))
    assert scale.exported().scale == (4.0, 0.25, 128.0)
    scale().sum().backward()
    assert (scale.log2.grad != 0).all()


def test_an_activation_that_begins_at_zero_uses_all_codes_above_it() -> None:
    tensor = Activation()
    tensor.assign(0.0, 5.1)
    assert int(tensor.zero_point) == -128
    real = torch.tensor([-3.0, 0.0, 0.0301, 5.1, 77.0])
    assert tensor.codes(real).tolist() == [0, 0, 2, 255, 255]
    np.testing.assert_allclose(tensor(real).detach(), [0, 0, 0.04, 5.1, 5.1], atol=1e-6)


def test_quantizing_twice_changes_nothing() -> None:
    tensor = Activation()
    tensor.assign(-1.7, 2.2)
    once = tensor(torch.randn(1000))
    torch.testing.assert_close(tensor.codes(once), torch.round(once / tensor.scale()))
    torch.testing.assert_close(tensor(once), once)


def test_a_state_carries_zero_points() -> None:
    tensor, other = Activation(), Activation()
    tensor.assign(-1.0, 3.0)
    other.load_state_dict(tensor.state_dict())
    real = torch.randn(50) * 3
    torch.testing.assert_close(other(real), tensor(real), rtol=0, atol=0)
