"""Each refusal by its text, each choice with its proof."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tvm_wvv.passes.choose import Choice, Refusal, choose
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.passes.estimate import direct_instructions, winograd_instructions
from tvm_wvv.passes.spec import parse_spec
from tvm_wvv.quant.operators import Affine, Conv2d, DepthwiseConv2d, Window
from tvm_wvv.transforms.catalog import F4, by_name

OP = Conv2d(Affine(0.5, -128), Affine(1.0, 0), (0.25,), Window(padding=(1, 1, 1, 1)))


def site(height=16, width=16, inputs=32, outputs=32, kernel=(3, 3), window=OP.window, fill=None) -> ConvSite:
    shape = (outputs, *kernel, inputs)
    weights = np.random.default_rng(0).integers(-128, 128, shape, np.int8)
    if fill is not None:
        weights = np.full(shape, fill, np.int8)
    return ConvSite(replace(OP, window=window), (1, height, width, inputs), weights)


@pytest.mark.parametrize(
    ("spec", "name", "multiplications"),
    [
        ("f2", "f2:exact", 8 * 8 * 16),
        ("f2:exact", "f2:exact", 8 * 8 * 16),
        ("auto", "f4:exact", 4 * 4 * 36),
        ("f6c", "f6c:exact", 3 * 3 * 88),
        ("f4x1", "f4x1:exact", 15 * 4 * 18),
        ("f2x1:exact", "f2x1:exact", 15 * 8 * 12),
    ],
)
def test_a_common_layer_is_taken(spec, name, multiplications):
    choice = choose(site(height=15), parse_spec(spec))
    assert isinstance(choice, Choice)
    assert str(choice.variant) == name
    assert choice.multiplications == multiplications * 32 * 32
    assert choice.ranges is not None and choice.ranges.overflow() is None


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


@pytest.mark.parametrize(("name", "inputs", "bits"), [("f2", 1827, 29), ("f4c", 456, 27), ("f4", 114, 25)])
def test_sums_that_32_bits_do_not_tell_apart_are_refused_with_the_number(name, inputs, bits):
    """Weights of -128 on inputs of 255: 9 * 128 * 255 for each channel must stay within what the scale leaves."""
    assert isinstance(choose(site(4, 4, inputs, 1, fill=-128), parse_spec(name)), Choice)
    reason = f"sums may reach {-(inputs + 1) * 9 * 128 * 255}, what 32 bits tell apart ends at {-(1 << bits)}"
    refused = choose(site(4, 4, inputs + 1, 1, fill=-128), parse_spec(name))
    assert refused == Refusal(f"{name}:exact is not exact here: {reason}")


def test_int16_that_rounds_nothing_is_exact_and_else_has_quantizers():
    for name, inputs, rounds in (("f4:int16", 100, False), ("f4:int16", 200, True), ("f4h:int16", 8, True)):
        choice = choose(site(4, 4, inputs, 8, fill=-128), parse_spec(name))
        assert isinstance(choice, Choice)
        assert str(choice.variant) == name
        assert (choice.integers is not None) == rounds


def test_auto_takes_the_next_best_where_the_best_overflows():
    for inputs, name in ((100, "f4:exact"), (200, "f4c:exact"), (500, "f2:exact")):
        decision = choose(site(8, 8, inputs, 8, fill=-128), parse_spec("auto"))
        assert isinstance(decision, Choice)
        assert str(decision.variant) == name


def test_the_actual_weights_count_not_the_worst():
    decision = choose(site(4, 4, 4000, 1, fill=3), parse_spec("f2"))
    assert isinstance(decision, Choice)


def test_auto_refuses_what_does_not_pay_with_both_estimates():
    few = site(32, 32, inputs=1, outputs=8)
    refused = choose(few, parse_spec("auto"))
    assert isinstance(refused, Refusal)
    fast, direct = f"{winograd_instructions(few, F4):,.0f}", f"{direct_instructions(few):,.0f}"
    assert refused.reason == (
        "does not pay with 1 input and 8 output channels on 32x32: "
        f"about {fast} instructions by f4:exact, {direct} direct"
    )
    assert isinstance(choose(few, parse_spec("f2")), Choice)


# Counted on QEMU's Cortex-M4: direct, f2, f4, f4c, f6c, f2x1, f4x1 in thousands; the best of them in the comment.
COUNTED = {
    (8, 8, 64, 64): (4636, 2180, 1415, 1728, 3556, 3410, 2456),  # f4
    (16, 16, 32, 32): (4771, 2495, 1616, 1934, 2390, 3736, 2766),  # f4
    (32, 32, 16, 16): (4995, 3110, 2150, 2428, 3101, 4363, 3420),  # f4
    (6, 6, 32, 32): (672, 363, 391, 464, 342, 519, 519),  # f6c
    (24, 24, 32, 32): (10740, 5609, 3628, 4355, 4382, 8351, 6218),  # f4
    (32, 32, 3, 16): (1362, 1177, 995, 1079, 1482, 1579, 1337),  # f4
    (32, 32, 1, 8): (336, 389, 392, 397, 586, 494, 434),  # direct
    (1, 1, 16, 16): (6.4, 13.9, 34.0, 40.3, 82.4, 10.5, 15.9),  # direct
    (16, 16, 16, 1): (133, 146, 132, 123, 174, 198, 175),  # f4c, by so little that direct is taken
}
NAMES = ("direct", "f2:exact", "f4:exact", "f4c:exact", "f6c:exact", "f2x1:exact", "f4x1:exact")


@pytest.mark.parametrize("shape", COUNTED, ids=str)
def test_auto_costs_at_most_a_twelfth_more_than_the_best(shape):
    decision = choose(site(*shape), parse_spec("auto"))
    taken = str(decision.variant) if isinstance(decision, Choice) else "direct"
    counts = dict(zip(NAMES, COUNTED[shape], strict=True))
    assert counts[taken] <= min(counts.values()) * 13 / 12


@pytest.mark.parametrize("shape", [shape for shape in COUNTED if shape[2] >= 16 and shape[3] >= 16], ids=str)
def test_estimates_are_near_the_counts(shape):
    where, counts = site(*shape), COUNTED[shape]
    assert direct_instructions(where) / 1000 == pytest.approx(counts[0], rel=0.1)
    for name, count in zip(NAMES[1:], counts[1:], strict=True):
        estimate = winograd_instructions(where, by_name(name.removesuffix(":exact")))
        assert estimate / 1000 == pytest.approx(count, rel=0.3 if shape[0] == 1 else 0.1), name
