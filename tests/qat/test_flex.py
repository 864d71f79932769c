"""Learned transforms in training: they begin as the algorithm, learn, stay provable, and export what they compute."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which is not among the test packages")

from qat_cases import SCHEMES, Case, made  # noqa: E402

from tvm_wvv.errors import WvvError  # noqa: E402
from tvm_wvv.qat import exact  # noqa: E402
from tvm_wvv.qat.convert import Winograd, convert  # noqa: E402
from tvm_wvv.qat.export import IntegerLayer, integer_layer  # noqa: E402
from tvm_wvv.qat.fake_quant import quantize  # noqa: E402
from tvm_wvv.qat.flex import LearnedTransforms  # noqa: E402
from tvm_wvv.qat.layers import Scheme, WinogradConv2d, weight_codes, weight_steps  # noqa: E402
from tvm_wvv.reference.winograd_quantized import trace, winograd_conv2d  # noqa: E402
from tvm_wvv.transforms.catalog import by_name  # noqa: E402
from tvm_wvv.transforms.learned import MOST_ROW  # noqa: E402

BASES = ("f2", "f4", "f4h", "f6")
# V on a finer grid has multipliers of fewer bits, so that more of it lies within the middle between two steps.
TIES = 1e-2


def flexible(case: Case) -> Case:
    """The same calibrated layer with learned transforms, as they begin."""
    old = case.layer
    conv = torch.nn.Conv2d(old.in_channels, old.out_channels, 3, padding=1)
    layer = WinogradConv2d(conv, old.algorithm, old.scheme, old.source, flex=True)
    missing, unexpected = layer.load_state_dict(old.state_dict(), strict=False)
    assert not unexpected and all(name.startswith("transforms.") for name in missing)
    return Case(layer, case.output, case.codes)


def always(value: Any, *_: object) -> Any:
    return value


def transforms_of(case: Case) -> LearnedTransforms:
    found = case.layer.transforms
    assert isinstance(found, LearnedTransforms)
    return found


def moved(case: Case, share: float = 0.04) -> Case:
    """As training may leave it, zeros moved too."""
    torch.manual_seed(7)
    case = flexible(case)
    with torch.no_grad():
        for matrix in transforms_of(case).parameters():
            matrix += share * torch.randn_like(matrix)
    return case


def oracle(case: Case, exported: IntegerLayer) -> np.ndarray:
    return winograd_conv2d(case.codes.astype(np.int8), exported.op, exported.algorithm, exported.integers)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: f"{one.granularity}{'-powers' * one.power_of_two}")
@pytest.mark.parametrize("name", BASES)
def test_it_begins_as_the_algorithm_to_the_bit(name: str, scheme: Scheme) -> None:
    fixed = made(name, scheme)
    flex = flexible(fixed)
    with torch.no_grad():
        assert torch.equal(flex.layer(flex.real), fixed.layer(fixed.real))
    exported = integer_layer(flex.layer, flex.output)
    assert exported.algorithm.input_matrix == by_name(name).input_matrix
    assert exported.algorithm.scale == by_name(name).scale
    np.testing.assert_array_equal(oracle(flex, exported), oracle(fixed, integer_layer(fixed.layer, fixed.output)))


def test_calibration_begins_alike() -> None:
    found = []
    for flex in (False, True):
        case = made("f4", Scheme("tensor"))
        model = torch.nn.Sequential(torch.nn.Conv2d(5, 4, 3, padding=1))
        torch.manual_seed(1)
        torch.nn.init.normal_(model[0].weight)
        wanted = Winograd(by_name("f4"), Scheme("tensor"), flex)
        (report,) = convert(model, partial(always, wanted), partial(always, case.layer.source))
        assert report.form == ("f4_flex" if flex else "f4")
        layer = model[0]
        layer.calibrating = True
        layer(case.real)
        found.append([one.log2.item() for one in (layer.v_scale, layer.u_scale, layer.m_scale)])
    assert found[0] == found[1]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: f"{one.granularity}{'-powers' * one.power_of_two}")
@pytest.mark.parametrize("name", BASES)
def test_learned_matrices_give_the_oracles_bytes(name: str, scheme: Scheme) -> None:
    case = moved(made(name, scheme))
    exported = integer_layer(case.layer, case.output)
    assert exported.algorithm.input_matrix != by_name(name).input_matrix
    expected = oracle(case, exported)
    assert len(np.unique(expected)) > 30, "an output that says something"
    np.testing.assert_array_equal(exact.winograd(torch.from_numpy(case.codes), case.layer, case.output), expected)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: f"{one.granularity}{'-powers' * one.power_of_two}")
@pytest.mark.parametrize("name", ["f2", "f4"])
def test_training_sees_the_exported_layer(name: str, scheme: Scheme) -> None:
    """The taps' factors have few bits beside learned matrices, and training knows them."""
    case = moved(made(name, scheme, (24, 31)))
    exported = integer_layer(case.layer, case.output)
    found = trace(case.codes.astype(np.int8), exported.op, exported.algorithm, exported.integers)
    assert np.mean(case.bytes() != found.output) <= TIES
    v = case.layer.transformed_input(torch.from_numpy(case.codes).float() - case.layer.source.zero_point)
    grid = case.layer.transforms.grid()[0]
    np.testing.assert_array_equal(v.detach() * grid, np.moveaxis(found.v, 3, 0).reshape(v.shape))


@pytest.mark.parametrize("name", ["f2", "f4"])
def test_frozen_weights_are_those_of_training_to_the_bit(name: str) -> None:
    case = moved(made(name, Scheme("tap")))
    layer, most = case.layer, case.layer.u_scale.limits[1]
    with torch.no_grad():
        exact_u = layer.transformed_weight(weight_codes(layer.weight, weight_steps(layer.weight)))
        u = quantize(exact_u, 1 / layer.u_scale()[:, None, :].double(), -most, most, half_up=False)
    np.testing.assert_array_equal(u.permute(0, 2, 1), integer_layer(layer, case.output).integers.u)


def test_matrices_learn_and_lower_the_error() -> None:
    case = moved(made("f4", Scheme("tap")))
    layer, parts = case.layer, list(transforms_of(case).parameters())
    with torch.no_grad():
        expected = torch.nn.functional.conv2d(case.real, layer.weight, layer.bias, padding=1)
    optimizer, losses = torch.optim.Adam(parts, 4e-3), []
    for _ in range(50):
        optimizer.zero_grad()
        loss = (layer(case.real) - expected).square().mean()
        loss.backward()
        assert all(part.grad is not None and part.grad.abs().max() > 0 for part in parts)
        optimizer.step()
        losses.append(loss.item())
    assert max(losses[-5:]) < losses[0] / 10


@pytest.mark.parametrize("name", BASES)
def test_matrices_that_ran_away_still_fit(name: str) -> None:
    """Rows are held within what 32 bits prove, however large the parameters grow."""
    case = flexible(made(name, Scheme("tap")))
    with torch.no_grad():
        for matrix in transforms_of(case).parameters():
            matrix *= 1000.0
    exported = integer_layer(case.layer, case.output)
    own = exported.algorithm.learned
    assert own is not None
    assert max(sum(map(abs, row)) for row in own.input.codes) <= MOST_ROW
    np.testing.assert_array_equal(
        exact.winograd(torch.from_numpy(case.codes), case.layer, case.output), oracle(case, exported)
    )


@pytest.mark.parametrize("name", ["f4c", "f6c", "f4x1"])
def test_what_cannot_be_learned_is_refused(name: str) -> None:
    with pytest.raises(WvvError, match=f"^{name} "):
        LearnedTransforms(by_name(name))
