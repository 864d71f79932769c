"""Scales to integers: values worked out by hand, limits and refusals. The exact rules: tests/reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import affines, scales

from tvm_wvv.errors import WvvError
from tvm_wvv.quant import parameters
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.operators import Add, Affine, Conv2d, FullyConnected, Mean, Mul, Relu, Requantize, Window

UNIT = Affine(1.0, 0)
THIRD = 0.3333333432674408  # the float32 next to 1/3
TENTH = 0.10000000149011612


def real(multiplier: Multiplier) -> float:
    return multiplier.mantissa * 2.0 ** (multiplier.shift - 31)


@pytest.mark.parametrize(
    ("kind", "affine", "clamp"),
    [
        ("NONE", Affine(0.5, 3), (-128, 127)),
        ("RELU", Affine(0.5, 3), (3, 127)),
        ("RELU", Affine(0.5, -128), (-128, 127)),
        ("RELU6", Affine(0.5, -128), (-128, -116)),
        ("RELU6", Affine(0.01, 3), (3, 127)),
        ("RELU_N1_TO_1", Affine(0.25, 3), (-1, 7)),
        ("RELU_N1_TO_1", Affine(0.25, -127), (-128, -123)),
        # 6 / 4 and 1 / 2 are ties, and go outward.
        ("RELU6", Affine(4.0, 0), (0, 2)),
        ("RELU_N1_TO_1", Affine(2.0, 0), (-1, 1)),
    ],
)
def test_activation_clamps(kind: str, affine: Affine, clamp: tuple[int, int]) -> None:
    assert parameters.activation_clamp(kind, affine) == clamp


def test_an_unknown_activation_is_named_with_the_known_ones() -> None:
    with pytest.raises(WvvError, match="activation TANH is not supported; known: NONE, RELU, RELU6, RELU_N1_TO_1"):
        parameters.activation_clamp("TANH", UNIT)


def test_convolutions_have_a_multiplier_for_each_weight_scale() -> None:
    op = Conv2d(Affine(0.5, 0), Affine(4.0, 0), (1.0, 2.0, 0.75), Window())
    assert [real(one) for one in parameters.conv_multipliers(op)] == [0.125, 0.25, 0.09375]


def test_a_dense_layer_rounds_its_product_only_with_one_scale() -> None:
    lone = FullyConnected(Affine(THIRD, 0), UNIT, (TENTH,))
    pair = FullyConnected(Affine(THIRD, 0), UNIT, (TENTH, TENTH))
    (rounded,), (exact, _) = parameters.dense_multipliers(lone), parameters.dense_multipliers(pair)
    assert rounded.shift == exact.shift and rounded.mantissa != exact.mantissa
    assert rounded.mantissa % 2**7 == 0  # a float32 has 24 of the 31 bits


def test_a_product_and_a_relu_divide_in_float32_and_a_requantize_does_not() -> None:
    assert parameters.mul_multiplier(Mul(Affine(THIRD, 0), UNIT, Affine(TENTH, 0))).mantissa % 2**7 == 0
    assert parameters.relu_multiplier(Relu(Affine(THIRD, 0), Affine(TENTH, 0), (0, 127))).mantissa % 2**7 == 0
    assert parameters.requantize_multiplier(Requantize(Affine(THIRD, 0), Affine(TENTH, 0))).mantissa % 2**7 != 0


@given(affines, affines)
def test_an_addition_never_shifts_left(lhs: Affine, rhs: Affine) -> None:
    use = parameters.add_parameters(Add(lhs, rhs, lhs))
    assert all(one.shift <= 0 for one in (use.lhs, use.rhs, use.output))
    assert max(real(use.lhs), real(use.rhs)) == 0.5


def test_an_addition_whose_sum_cannot_be_raised_enough_is_refused() -> None:
    with pytest.raises(WvvError, match="input scale 524288 is 524288 times the output scale, need less than 524288"):
        parameters.add_parameters(Add(Affine(2.0**19, 0), UNIT, UNIT))


@given(scales, scales, st.integers(1, 10**6))
def test_a_mean_divides_by_its_count(source: float, output: float, count: int) -> None:
    op = Mean(Affine(source, 0), Affine(output, 0), (1,), False)
    multiplier = parameters.mean_multiplier(op, count)
    assert 2**29 < multiplier.mantissa < 2**31 and multiplier.shift >= -31
    assert real(multiplier) == pytest.approx(source / output / count, rel=2.0**-28)


def test_a_mean_truncates_where_a_plain_multiplier_would_round() -> None:
    assert parameters.mean_multiplier(Mean(UNIT, UNIT, (1,), False), 3) == Multiplier((2**30 << 1) // 3, 0)


def test_a_multiplier_beyond_c_s_shifts_is_refused() -> None:
    with pytest.raises(WvvError, match=r"is 2\^30 or more; check the scales"):
        parameters.requantize_multiplier(Requantize(Affine(2.0**31, 0), UNIT))
