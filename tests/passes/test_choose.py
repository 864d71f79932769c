"""Each refusal by its text, each choice with its proof."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tvm_wvv.passes.choose import Choice, ConvSite, Refusal, choose, direct_instructions, winograd_instructions
from tvm_wvv.passes.spec import parse_spec
from tvm_wvv.quant.operators import Affine, Conv2d, DepthwiseConv2d, Window
from tvm_wvv.transforms.catalog import F2

OP = Conv2d(Affine(0.5, -128), Affine(1.0, 0), (0.25,), Window(padding=(1, 1, 1, 1)))


def site(height=16, width=16, inputs=32, outputs=32, kernel=(3, 3), window=OP.window, fill=None) -> ConvSite:
    shape = (outputs, *kernel, inputs)
    weights = np.random.default_rng(0).integers(-128, 128, shape, np.int8)
    if fill is not None:
        weights = np.full(shape, fill, np.int8)
    return ConvSite(replace(OP, window=window), (1, height, width, inputs), weights)


@pytest.mark.parametrize("spec", ["f2", "f2:exact", "auto"])
def test_a_common_layer_is_taken(spec):
    choice = choose(site(height=15), parse_spec(spec))
    assert isinstance(choice, Choice)
    assert str(choice.variant) == "f2:exact"
    assert choice.multiplications == 8 * 8 * 16 * 32 * 32
    assert choice.ranges.overflow() is None


def test_nothing_is_said_where_winograd_is_off():
    assert choose(site(), parse_spec("off")) is None


@pytest.mark.parametrize("spec", ["f2", "auto"])
@pytest.mark.parametrize(
    ("where", "reason"),
    [
        (site(kernel=(1, 1), window=Window()), "kernel is (1, 1), need (3, 3)"),
        (site(kernel=(3, 5)), "kernel is (3, 5), need (3, 3)"),
        (site(window=Window(strides=(2, 1))), "stride is (2, 1), need (1, 1)"),
        (site(window=Window(dilation=(1, 2))), "dilation is (1, 2), need (1, 1)"),
        (replace(site(), x_shape=(1, 16, 16, 128)), "4 groups, need 1"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(spec, where, reason):
    assert choose(where, parse_spec(spec)) == Refusal(reason)


def test_depthwise_is_refused():
    op = DepthwiseConv2d(OP.input, OP.output, OP.weight_scales, OP.window, 1)
    refused = choose(ConvSite(op, (1, 8, 8, 4), np.zeros((1, 3, 3, 4), np.int8)), parse_spec("f2"))
    assert isinstance(refused, Refusal)
    assert refused.reason.startswith("depthwise:")


@pytest.mark.parametrize(("inputs", "fits"), [(1827, True), (1828, False)])
def test_sums_that_may_reach_2_to_the_31_are_refused_with_the_number(inputs, fits):
    """Weights of -128 on inputs of 255: 1828 * 1152 * 1020 passes 2^31, 1827 channels stay below."""
    decision = choose(site(4, 4, inputs, 1, fill=-128), parse_spec("f2"))
    if fits:
        assert isinstance(decision, Choice)
        assert decision.ranges.products[0] == -1827 * 1152 * 1020
        return
    reason = f"sums of products may reach {-1828 * 1152 * 1020}, int32 ends at -2147483648"
    assert decision == Refusal(f"f2:exact is not exact here: {reason}")


def test_the_actual_weights_count_not_the_worst():
    decision = choose(site(4, 4, 4000, 1, fill=3), parse_spec("f2"))
    assert isinstance(decision, Choice)


def test_auto_refuses_what_does_not_pay_with_both_estimates():
    few = site(32, 32, inputs=1, outputs=8)
    refused = choose(few, parse_spec("auto"))
    assert isinstance(refused, Refusal)
    assert refused.reason == (
        "does not pay with 1 input and 8 output channels on 32x32: "
        f"about {winograd_instructions(few, F2):,.0f} instructions by f2:exact, {direct_instructions(few):,.0f} direct"
    )
    assert isinstance(choose(few, parse_spec("f2")), Choice)


@pytest.mark.parametrize(
    ("shape", "taken"),
    [
        ((32, 32, 3, 16), True),
        ((8, 8, 64, 64), True),
        ((16, 16, 2, 8), False),
        ((16, 16, 16, 1), False),
        ((1, 1, 16, 16), False),
    ],
)
def test_auto_agrees_with_counts_on_the_emulated_m4(shape, taken):
    """Counted on QEMU, direct over Winograd: 1.20, 2.07, 0.92, 0.85, 0.47."""
    assert isinstance(choose(site(*shape), parse_spec("auto")), Choice) == taken
