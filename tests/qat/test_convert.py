"""Swapping layers: which are taken, which are refused and why; batch normalization folds to the same function."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which is not among the test packages")
from torch import nn  # noqa: E402

from tvm_wvv.qat.convert import Converted, Winograd, convert, fold_batch_norm  # noqa: E402
from tvm_wvv.qat.layers import QuantConv2d, QuantLinear, WinogradConv2d  # noqa: E402
from tvm_wvv.transforms.catalog import by_name  # noqa: E402

F4 = Winograd(by_name("f4"))


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Sequential(nn.Conv2d(4, 4, 3, stride=2), nn.Conv2d(4, 6, 1)),
        nn.Conv2d(6, 6, 3, groups=2), nn.Conv2d(6, 6, 3, dilation=2), nn.Conv2d(6, 6, 3, padding="same"),
        nn.Flatten(), nn.Linear(6, 2),
    )  # fmt: skip


def test_every_layer_is_reported_with_its_reason() -> None:
    model = network()
    weight = model[0].weight
    report = convert(model, lambda _name, _layer: F4)
    assert report == [
        Converted("0", "f4"),
        Converted("2.0", "direct", "stride is (2, 2), need (1, 1)"),
        Converted("2.1", "direct", "kernel is (1, 1), need (3, 3)"),
        Converted("3", "float", "2 groups, need 1"),
        Converted("4", "float", "dilation is (2, 2), need (1, 1)"),
        Converted("5", "float", "padding is 'same' with zeros, need numbers and zeros"),
        Converted("7", "direct"),
    ]
    kinds = [type(model.get_submodule(name)) for name in ("0", "2.0", "2.1", "3", "7")]
    assert kinds == [WinogradConv2d, QuantConv2d, QuantConv2d, nn.Conv2d, QuantLinear]
    assert model[0].weight is weight, "the parameters stay the same"


def test_a_rule_may_keep_a_layer_direct() -> None:
    model = network()
    report = convert(model, lambda name, _layer: None if name == "0" else F4)
    assert report[0] == Converted("0", "direct")


@pytest.mark.parametrize("bias", [False, True])
def test_folding_keeps_the_function(bias: bool) -> None:
    torch.manual_seed(1)
    conv, norm = nn.Conv2d(3, 5, 3, stride=2, padding=1, bias=bias), nn.BatchNorm2d(5)
    with torch.no_grad():
        for one in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            one.copy_(torch.rand(5) + 0.3)
    x = torch.randn(2, 3, 8, 7)
    torch.testing.assert_close(fold_batch_norm(conv, norm.eval())(x), norm(conv(x)), rtol=1e-4, atol=1e-5)
