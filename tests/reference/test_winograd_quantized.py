"""The integer oracle of quantized layers: against a simulation in real numbers, its own proofs, direct convolution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from winograd_cases import WinogradCase, winograd_cases
from winograd_simulation import simulate

from tvm_wvv.errors import WvvError
from tvm_wvv.quant.default_stages import from_ranges
from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.quant.requantize import requantize
from tvm_wvv.quant.stage import GRANULARITIES, StageQuantizer, Stages
from tvm_wvv.quant.winograd_parameters import WinogradIntegers, winograd_integers
from tvm_wvv.reference import winograd_quantized as oracle
from tvm_wvv.reference.conv import conv2d, conv2d_sums
from tvm_wvv.transforms.catalog import ALGORITHMS, F2, F4, F4C, Variant

# A mantissa has ten bits at least, and rounds by half a unit.
RELATIVE = 2.0**-11
# So that a stored value of 8 bits is within 1/16 of a step of where it should be rounded.
SLACK = 128 * RELATIVE
cases = st.sampled_from(list(ALGORITHMS.values())).flatmap(winograd_cases)


@st.composite
def quantized(draw: st.DrawFn, power_of_two: bool) -> tuple[WinogradCase, Stages]:
    """A case in one of both arithmetics, with clips from far too narrow to none, and zero points for V."""
    case, granularity = draw(cases), draw(st.sampled_from(GRANULARITIES))
    arithmetic = draw(st.sampled_from(("int16", "int8")))
    stages = from_ranges(case.algorithm, case.op, case.weights, arithmetic, granularity, power_of_two)
    if arithmetic == "int16":
        return case, stages
    assert stages.v is not None and stages.m is not None
    share = [2.0 ** draw(st.integers(-6, 0)) for _ in "vm"]
    v = replace(_finer(stages.v, share[0]), zero_point=(draw(st.integers(-128, 127)),))
    # No finer than the sums' own step, which `winograd_integers` refuses.
    step = (v.scales(case.algorithm.taps) * stages.u.scales(case.algorithm.taps, case.weights.shape[0])).max()
    m = _finer(stages.m, share[1])
    return case, Stages(stages.u, v, replace(m, scale=tuple(max(one, step) for one in m.scale)))


def _finer(stage: StageQuantizer, share: float) -> StageQuantizer:
    return replace(stage, scale=tuple(max(1.0, one * share) for one in stage.scale))


def integers_of(case: WinogradCase, stages: Stages) -> WinogradIntegers:
    try:
        return winograd_integers(case.algorithm, case.op, case.weights, case.bias, stages)
    except WvvError as error:
        # A step of the worst-case sums may be thousands of output steps; such layers are rightly refused.
        assume("is so fine that it raises the sums" not in str(error))
        raise


def traced(case: WinogradCase, integers: WinogradIntegers) -> oracle.Trace:
    return oracle.trace(case.x, case.op, case.algorithm, integers)


def real_y(case: WinogradCase, integers: WinogradIntegers, trace: oracle.Trace) -> np.ndarray:
    """y without bias on the grid of M."""
    outputs = case.weights.shape[0]
    scale = np.array([one.mantissa * 2.0 ** (one.shift - 31) for one in integers.out_multipliers])
    steps = np.broadcast_to(case.op.input.scale * np.array(case.op.weight_scales) / case.op.output.scale, outputs)
    return trace.y * scale / steps * case.algorithm.scale


@settings(deadline=None)
@given(drawn=quantized(power_of_two=True))
def test_powers_of_two_give_the_very_integers_of_the_simulation(drawn):
    case, stages = drawn
    integers = integers_of(case, stages)
    trace, expected = traced(case, integers), simulate(case, stages)
    np.testing.assert_array_equal(trace.stored_v, expected.v)
    if stages.m is not None:
        np.testing.assert_array_equal(trace.rescaled_m, expected.m)
        np.testing.assert_allclose(real_y(case, integers, trace), expected.y, rtol=1e-6, atol=1e-6)


@settings(deadline=None)
@given(drawn=quantized(power_of_two=False))
def test_each_stage_stores_the_nearest_value_or_its_clip(drawn):
    case, stages = drawn
    trace = traced(case, integers_of(case, stages))
    expected = simulate(case, stages)
    pairs = [(trace.stored_v, expected.v_steps, stages.v)]
    if np.array_equal(trace.stored_v, expected.v):
        pairs.append((trace.rescaled_m, expected.m_steps, stages.m))
    for stored, steps, stage in pairs:
        if stage is not None:
            within = np.clip(steps, *stage.limits)
            assert (np.abs(stored - within) <= 0.5 + (np.abs(steps) + 128) * RELATIVE).all()
            assert stage.limits[0] <= stored.min() and stored.max() <= stage.limits[1]


@settings(deadline=None)
@given(case=cases, arithmetic=st.sampled_from(("int16", "int8")), granularity=st.sampled_from(GRANULARITIES),
       powers=st.booleans())  # fmt: skip
def test_without_clips_the_error_is_below_the_sum_of_half_steps(case, arithmetic, granularity, powers):
    stages = from_ranges(case.algorithm, case.op, case.weights, arithmetic, granularity, powers)
    integers = integers_of(case, stages)
    trace = traced(case, integers)
    exact = conv2d_sums(case.x, case.weights, None, case.op).astype(float) * case.algorithm.scale
    bound = _half_steps(case, stages, integers, trace)
    error = np.abs(real_y(case, integers, trace) - exact)
    assert (error <= bound + 1e-6 * np.abs(exact)).all()


def _half_steps(case: WinogradCase, stages: Stages, integers: WinogradIntegers, trace: oracle.Trace) -> np.ndarray:
    """For each output channel, what the roundings of U, V, M and of the taps' factors may add up to, at worst."""
    taps, outputs, channels = case.algorithm.taps, case.weights.shape[0], case.x.shape[3]
    u_scale = stages.u.scales(taps, outputs)
    v_scale = np.ones(taps) if stages.v is None else stages.v.scales(taps)[:, 0]
    u_real = np.abs(integers.u.astype(float)) * u_scale[:, :, None]
    v_real = np.abs(trace.v).max(axis=(0, 1, 2, 4)).astype(float)
    step_of_v = np.zeros(taps) if stages.v is None else 0.5 * v_scale + (v_real + 128 * v_scale) * RELATIVE
    of_v = step_of_v[:, None] * u_real.sum(axis=2)
    of_u = 0.5 * u_scale * v_real[:, None] * channels
    # y's scale, from the output multipliers; wide M is rounded to it, narrow M to its own.
    steps = case.op.input.scale * np.array(case.op.weight_scales) / case.op.output.scale / case.algorithm.scale
    multipliers = np.array([one.mantissa * 2.0 ** (one.shift - 31) for one in integers.out_multipliers])
    y_scale = multipliers / np.broadcast_to(steps, outputs)
    m_scale = np.broadcast_to(y_scale, (taps, outputs)) if stages.m is None else stages.m.scales(taps, outputs)
    of_m = (0.5 + SLACK + 2.0**-10) * m_scale
    of_factors = 0.0 if stages.m is None else 0.5 * y_scale * 128
    weights = np.abs(np.array(case.algorithm.output_matrix, float))
    return (weights @ (of_v + of_u + of_m + of_factors)).max(axis=0)


@settings(deadline=None)
@given(drawn=st.booleans().flatmap(lambda powers: quantized(power_of_two=powers)))
def test_no_value_leaves_its_proved_bound_nor_its_type(drawn):
    case, stages = drawn
    integers = integers_of(case, stages)
    trace = traced(case, integers)
    outputs = case.weights.shape[0]
    assert (trace.v.shape, trace.v.dtype) == (case.grid.v_shape, np.int32)
    assert trace.stored_v.dtype == (np.int8 if integers.v_bits <= 8 else np.int16)
    assert integers.u.dtype == (np.int8 if integers.u_bits <= 8 else np.int16)
    assert trace.m.shape == trace.rescaled_m.shape == case.grid.m_shape(outputs)
    assert np.abs(trace.m.astype(np.int64)).max() <= integers.products_bound <= 2**31 - 1
    assert np.abs(trace.y.astype(np.int64) + integers.bias_y).max() <= integers.y_bound <= 2**31 - 1
    assert (trace.output.shape, trace.output.dtype) == (case.grid.out_shape(outputs), np.int8)


@settings(deadline=None)
@given(case=st.sampled_from((F2, F4C)).flatmap(winograd_cases))
def test_int16_is_direct_convolution_where_everything_fits(case):
    """Weights and inputs are exact then; only the two roundings of the last step see another multiplier."""
    stages = from_ranges(case.algorithm, case.op, case.weights, "int16")
    assert set(stages.u.scale) == {1.0} and stages.v is None
    integers = integers_of(case, stages)
    assert integers.m_multipliers is None
    trace = traced(case, integers)
    sums = conv2d_sums(case.x, case.weights, None, case.op)
    np.testing.assert_array_equal(trace.y, sums.astype(np.int64) * case.algorithm.scale)
    golden = conv2d(case.x, case.weights, case.bias, case.op)
    assert np.abs(trace.output.astype(int) - golden).max() <= 1


def clipped_case() -> tuple[WinogradCase, Stages]:
    """Values beyond both clips of V and M, and zero points."""
    rng = np.random.default_rng(5)
    x, weights = rng.integers(-128, 128, (1, 7, 5, 3), np.int8), rng.integers(-128, 128, (2, 3, 3, 3), np.int8)
    op = Conv2d(Affine(1.0, -3), Affine(900.0, 0), (1.0, 1.0), Window(padding=(1, 1, 1, 1)))
    v = StageQuantizer(8, (2.0,), "tensor", (11,), True)
    stages = Stages(
        StageQuantizer(8, (16.0,), "tensor", (0,), True), v, StageQuantizer(8, (256.0,), "tensor", (0,), True)
    )
    return WinogradCase(F2, op, x, weights, np.zeros(2, np.int32)), stages


@pytest.mark.parametrize("wrong", [{"excess": 1}, {"excess": -1}, {"correct_zero_points": False}], ids=str)
def test_a_clip_off_by_one_and_a_missing_zero_point_correction_are_seen(wrong):
    case, stages = clipped_case()
    trace = traced(case, integers_of(case, stages))
    right, broken = simulate(case, stages), simulate(case, stages, **wrong)
    np.testing.assert_array_equal(trace.rescaled_m, right.m)
    assert not np.array_equal(trace.rescaled_m, broken.m)
    for stored, ends in ((trace.stored_v, (-128, 127)), (trace.rescaled_m, (-128, 127))):
        assert (stored.min(), stored.max()) == ends


def test_a_changed_matrix_entry_is_seen():
    case, stages = clipped_case()
    rows = [list(row) for row in F2.input_factors[0]]
    rows[1][2] += 1
    broken = replace(case, algorithm=replace(F2, input_factors=(tuple(map(tuple, rows)), *F2.input_factors[1:])))
    assert not np.array_equal(traced(broken, integers_of(broken, stages)).rescaled_m, simulate(case, stages).m)


def test_padding_is_the_zero_point_in_every_tap():
    """An image of zero points is zero everywhere, though V is stored with zero points of its own."""
    case, stages = clipped_case()
    empty = replace(case, x=np.full_like(case.x, case.zero_point))
    trace = traced(empty, integers_of(empty, stages))
    assert (trace.stored_v == 11).all()
    assert not trace.m.any()
    assert not trace.y.any()


def normal_case(name: str, channels: int = 64) -> WinogradCase:
    """Normal weights, int8 for each output channel; normal activations after a ReLU."""
    rng = np.random.default_rng(0)
    real = rng.normal(size=(16, 3, 3, channels))
    scales = np.abs(real).max(axis=(1, 2, 3)) / 127
    weights = np.rint(real / scales[:, None, None, None]).astype(np.int8)
    image = np.maximum(rng.normal(size=(1, 24, 24, channels)), 0)
    x = (np.rint(image / (image.max() / 255)) - 128).astype(np.int8)
    op = Conv2d(
        Affine(float(image.max() / 255), -128), Affine(1.0, 0), tuple(scales.tolist()), Window(padding=(1,) * 4)
    )
    largest = np.abs(conv2d_sums(x, weights, None, op) * op.input.scale * scales).max()
    op = replace(op, output=Affine(float(largest / 127), 0))
    return WinogradCase(ALGORITHMS[name], op, x, weights, np.zeros(16, np.int32))


def sqnr(case: WinogradCase, stages: Stages) -> float:
    integers = integers_of(case, stages)
    exact = conv2d_sums(case.x, case.weights, None, case.op).astype(float) * case.algorithm.scale
    error = real_y(case, integers, traced(case, integers)) - exact
    return 10 * float(np.log10((exact**2).sum() / (error**2).sum()))


@pytest.mark.parametrize(("name", "least"), [("f4", 60), ("f4h", 60), ("f6", 44)])
def test_int16_is_practically_lossless(name, least):
    case = normal_case(name)
    assert sqnr(case, from_ranges(case.algorithm, case.op, case.weights, "int16")) > least


def test_scales_from_the_worst_case_cost_what_calibration_wins_back():
    """Sums of 64 products never come near their range: 8 bits of that range leave four of the values."""
    case = normal_case("f4c")
    stages = from_ranges(case.algorithm, case.op, case.weights, "int8", "tap_channel")
    reached = np.abs(simulate(case, Stages(stages.u, stages.v)).m).max(axis=(0, 1, 2))
    assert stages.m is not None
    fitted = replace(stages, m=replace(stages.m, scale=tuple((reached / 127).ravel().tolist())))
    assert sqnr(case, fitted) > sqnr(case, stages) + 10


def test_the_same_bits_are_worth_more_in_complex_points():
    """Per tap, V and M scaled to what they reach: real points lose over 10 dB against complex ones."""
    found = {}
    for algorithm in (F2, F4, F4C):
        case = normal_case(algorithm.name)
        stages = from_ranges(algorithm, case.op, case.weights, "int8", "tap")
        assert stages.v is not None and stages.m is not None
        exact = simulate(case, Stages(stages.u))
        v = replace(stages.v, scale=tuple((np.abs(exact.v).max(axis=(0, 1, 2, 4)) / 127).tolist()))
        m = replace(stages.m, scale=tuple((np.abs(exact.m).max(axis=(0, 1, 2, 4)) / 127).tolist()))
        found[algorithm.name] = sqnr(case, Stages(stages.u, v, m))
    assert found["f4c"] > 31 and found["f2"] > 31
    assert found["f4"] < found["f4c"] - 10


def test_the_variants_of_the_catalog_are_all_covered():
    assert {str(Variant(one, "int8")) for one in ALGORITHMS.values()} >= {"f2:int8", "f4c:int8", "f6c:int8"}


def test_requantization_of_v_rounds_once():
    """Two roundings move one value in five at a scale near two."""
    case, stages = clipped_case()
    integers = integers_of(case, replace(stages, v=StageQuantizer(8, (1.9,))))
    assert integers.v_multipliers is not None
    values = np.arange(-200, 201, dtype=np.int32)
    once = np.floor(values / 1.9 + 0.5)
    made = requantize(values, integers.v_multipliers.mantissa[0], integers.v_multipliers.shift)
    assert (made != once).mean() < 0.01
