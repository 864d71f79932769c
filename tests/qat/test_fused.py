"""Training's own kernels against the plain torch code that they stand for: outputs, and every gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which is not among the test packages")

from conftest import require_tool  # noqa: E402
from qat_cases import SCHEMES, Case, made  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from tvm_wvv.errors import WvvError  # noqa: E402
from tvm_wvv.qat import fused, kernels  # noqa: E402
from tvm_wvv.qat.fake_quant import Activation, quantize  # noqa: E402
from tvm_wvv.qat.layers import QuantConv2d, Scheme  # noqa: E402

Run = Callable[[], Tensor]


@pytest.fixture(autouse=True)
def _plain_again() -> Iterator[None]:
    require_tool("c++")
    yield
    fused.use(False)
    torch.set_num_threads(1)


def both(run: Run, learned: list[Tensor]) -> list[list[Tensor]]:
    """[output, gradients ...] of a loss that weighs each output by itself: plain torch, then our kernels."""
    found = []
    for on in (False, True):
        fused.use(on)
        for one in learned:
            one.grad = None
        out = run()
        weight = torch.linspace(-1, 2, out.numel()).reshape(out.permute(0, 2, 3, 1).shape).permute(0, 3, 1, 2)
        (out * weight.sin()).sum().backward()
        found.append([out.detach(), *(one.grad.clone() for one in learned if one.grad is not None)])
    return found


def check(plain: list[Tensor], ours: list[Tensor]) -> None:
    assert len(plain) == len(ours)
    for one, other in zip(plain, ours, strict=True):
        # Sums of many gradients in another order: float32's noise is upon the largest of what cancels in them.
        torch.testing.assert_close(other, one, rtol=2e-3, atol=5e-5 * max(1.0, one.abs().max().item()))


def learned_of(case: Case, x: Tensor) -> list[Tensor]:
    return [x, *case.layer.parameters()]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: f"{one.granularity}{'-powers' * one.power_of_two}")
@pytest.mark.parametrize("name", ["f2", "f4", "f4c", "f6c", "f4x1"])
def test_a_winograd_layer_is_that_of_torch(name: str, scheme: Scheme) -> None:
    case = made(name, scheme)
    x = case.real.detach().clone().requires_grad_()
    plain, ours = both(lambda: case.layer(x, case.output), learned_of(case, x))
    check(plain, ours)
    assert len(plain) == 8, "output, image, weights, bias and four scales"


@pytest.mark.parametrize(("channels", "outputs"), [(1, 1), (16, 32), (19, 33)])
def test_channels_fill_vectors_or_not(channels: int, outputs: int) -> None:
    case = made("f4", Scheme("tap_channel"), (9, 6), channels, outputs)
    x = case.real.detach().clone().requires_grad_()
    check(*both(lambda: case.layer(x), learned_of(case, x)))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_no_bit(threads: int) -> None:
    case = made("f4c", Scheme("tap"))
    x = case.real.detach().clone().requires_grad_()
    torch.set_num_threads(1)
    _, once = both(lambda: case.layer(x), learned_of(case, x))
    torch.set_num_threads(threads)
    _, again = both(lambda: case.layer(x), learned_of(case, x))
    assert all(torch.equal(one, other) for one, other in zip(once, again, strict=True))


def test_a_direct_layer_is_that_of_torch() -> None:
    source = Activation()
    source.assign(-1.3, 2.9)
    torch.manual_seed(5)
    layer = QuantConv2d(nn.Conv2d(3, 18, 3, stride=2, padding=1), source)
    x = (torch.randn(2, 3, 9, 7) * 2).requires_grad_()
    output = Activation()
    output.assign(-2.0, 3.1)
    check(*both(lambda: layer(x), [x, *layer.parameters()]))
    check(*both(lambda: layer(x, output), [x, *layer.parameters()]))


@pytest.mark.parametrize("channels_last", [False, True])
def test_an_activation_is_that_of_torch(channels_last: bool) -> None:
    tensor = Activation()
    tensor.assign(-0.4, 2.2)
    start = torch.randn(3, 5, 7, 4) * 3
    start = start.contiguous(memory_format=torch.channels_last) if channels_last else start
    x = start.clone().requires_grad_()
    plain, ours = both(lambda: tensor(x) + 0.5 * tensor.codes(x), [x, tensor.log2])
    assert torch.equal(plain[0], ours[0])
    check(plain, ours)


def test_halves_and_what_is_no_number() -> None:
    """Ties, both ends and NaN as `quantize` has them, to the bit."""
    fused.use()
    x = torch.tensor([[-9.0, -4.0, -3.5, -2.5, -0.5, -0.0, 0.49999997, 0.5, 1.5, 2.49, 2.5, 40.0, float("nan")]])
    got = fused.quantized(x, torch.tensor(1.0), torch.tensor(1.0), -4, 3)
    assert torch.equal(got[:, :-1], quantize(x, torch.tensor(1.0), -4, 3)[:, :-1])
    assert torch.isnan(got[0, -1])


def test_bytes_are_those_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    case = made("f4", Scheme("tap"), (24, 31))
    plain = case.bytes()
    fused.use()
    assert np.mean(plain != case.bytes()) < 1e-3


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    kernels.elementwise.cache_clear()
    with pytest.raises(WvvError, match="training's kernels need a C"):
        fused.use()


def test_a_compiler_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "false")
    kernels.elementwise.cache_clear()
    with pytest.raises(WvvError, match=r"cannot compile training's kernels \(no reason given\)"):
        fused.use()
