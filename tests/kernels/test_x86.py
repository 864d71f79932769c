"""x86 kernels with vectors of their own give the oracle's bytes, with every vector unit that this machine has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_run import LlvmKernel
from strategies import SingleOp, conv_models, dense_models, seeds
from tvm import tirx
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)
from winograd_cases import WinogradCase, winograd_cases
from x86_cases import CPUS, SLOW, check, made, require

from tvm_wvv.kernels import x86_winograd
from tvm_wvv.kernels.microkernel import microkernels
from tvm_wvv.kernels.winograd import exact_output_stage
from tvm_wvv.kernels.x86_add import Linear, add, linear
from tvm_wvv.kernels.x86_filters import Filters, Form, form_of
from tvm_wvv.kernels.x86_output import X86Output, x86_output
from tvm_wvv.kernels.x86_vectors import AVX2, ramp
from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.fixed_point import Multiplier, to_float32
from tvm_wvv.quant.parameters import conv_multipliers
from tvm_wvv.quant.requantize import requantize_by
from tvm_wvv.reference.apply import apply
from tvm_wvv.reference.winograd import transform_weights, winograd_conv2d
from tvm_wvv.schedules import x86
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import F2, F4, F4C
from tvm_wvv.transforms.modular import quotient


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("models", [conv_models(), dense_models()], ids=["conv", "dense"])
@SLOW
@given(data=st.data(), seed=seeds)
def test_random_layers(cpu: str, models: st.SearchStrategy[SingleOp], data: st.DataObject, seed: int) -> None:
    check(cpu, data.draw(models), seed)


def conv(
    *, stride: int = 1, padding: tuple[int, int, int, int] = (1, 1, 1, 1), clamp: ops.Pair = (-128, 127)
) -> ops.Conv2d:
    scales = tuple(to_float32(0.0004 * (1 + number % 5)) for number in range(72))
    source, target = ops.Affine(to_float32(0.02), -7), ops.Affine(to_float32(0.05), 3)
    return ops.Conv2d(source, target, scales, ops.Window((stride, stride), (1, 1), padding), clamp)


# Whole registers, one that is not full behind full ones, tiles that lie over each other, one pixel, both kinds of rows.
LAYERS = {
    "16 of 3": (conv(), (2, 5, 19, 3), (16, 3, 3, 3)),
    "72 of 8": (conv(clamp=(3, 90)), (1, 4, 9, 8), (72, 3, 3, 8)),
    "stride 2": (conv(stride=2, padding=(0, 0, 1, 1)), (1, 7, 34, 4), (32, 3, 3, 4)),
    "1x1": (conv(padding=(0, 0, 0, 0)), (1, 3, 7, 5), (24, 1, 1, 5)),
    "wide": (conv(padding=(0, 3, 2, 0)), (1, 2, 41, 12), (8, 2, 4, 12)),
    "one pixel": (conv(padding=(0, 0, 0, 0)), (1, 3, 3, 17), (33, 3, 3, 17)),
}


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("name", LAYERS)
def test_hand_picked_convolutions(cpu: str, name: str) -> None:
    op, x_shape, weight_shape = LAYERS[name]
    op = replace(op, weight_scales=op.weight_scales[: weight_shape[0]])
    rng = np.random.default_rng(len(name))
    x, weights = (rng.integers(-128, 128, shape).astype(np.int8) for shape in (x_shape, weight_shape))
    x.flat[::5] = -128
    bias = rng.integers(-9999, 9999, weight_shape[0]).astype(np.int32)
    kernel = made(require(cpu), op, [x_shape], (weights, bias))
    assert kernel is not None
    expected = apply(op, [x], (weights, bias))
    assert len(np.unique(expected)) > 20
    np.testing.assert_array_equal(LlvmKernel(kernel.func, cpu)([x, *kernel.constants]), expected)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(("algorithm", "form"), [(F2, "constant"), (F4, "column"), (F4C, "column"), (F4, "whole")])
@settings(SLOW, max_examples=3)
@given(data=st.data())
def test_exact_winograd(cpu: str, algorithm: object, form: Form, data: st.DataObject) -> None:
    case: WinogradCase = data.draw(winograd_cases(algorithm, channels=2))  # type: ignore[arg-type]
    vectors = x86.vectors_of(require(cpu))
    assert vectors is not None
    case = in_whole_registers(case, vectors.lanes)
    u = transform_weights(case.weights, case.algorithm)
    bound = exact_output_stage(case.op, case.algorithm, u, case.bias).bound
    raised = quotient(case.algorithm.scale).shift
    zero_point, multipliers = case.op.output.zero_point, conv_multipliers(case.op)
    output = x86_output(vectors, case.bias, bound, zero_point, multipliers, case.op.clamp, raised)
    if output is None:
        return
    shape = case.x.shape
    window = case.op.window
    kernel = x86_winograd.winograd_conv2d(vectors, case.algorithm, window, case.zero_point, shape, u, output, form)
    expected = winograd_conv2d(case.x, case.weights, case.bias, case.op, case.algorithm)
    np.testing.assert_array_equal(LlvmKernel(kernel.func, cpu)([case.x, *kernel.constants]), expected)


@pytest.mark.parametrize("algorithm", [F2, F4, F4C], ids=str)
def test_filters_are_found_again_in_what_was_made_of_them(algorithm: Algorithm) -> None:
    weights = np.random.default_rng(5).integers(-128, 128, (32, 3, 3, 16)).astype(np.int8)
    weights[0] = -128
    u = transform_weights(weights, algorithm)
    filters = Filters(AVX2, algorithm, u, 2, "column")
    np.testing.assert_array_equal(filters.weights, weights.reshape(32, 9, 16).transpose(1, 0, 2))
    assert filters.constant.nbytes == weights.size
    with pytest.raises(AssertionError, match="that of no int8 filters"):
        _ = Filters(AVX2, algorithm, u + np.int16(1), 2, "column").weights


def test_filters_stay_a_constant_where_few_tiles_share_what_fits() -> None:
    assert form_of(F4, 4, 64, 64) == "constant"
    assert form_of(F4, 196, 64, 64) == "whole"
    assert form_of(F4, 49, 128, 128) == form_of(F4, 4, 128, 128) == "column"


# Halves below a zero point that the clamp shows are rounded away from it; multipliers are 1/4, 1/300 and 1/8.
@pytest.mark.parametrize(("mantissa", "shift"), [(1 << 30, -1), (1833951035, -8), ((1 << 31) - 1, -3)])
@pytest.mark.parametrize("zero_point", [-128, 77])
@pytest.mark.parametrize("raised", [0, 6])
@pytest.mark.parametrize("cpu", ["x86-64", "haswell", "cascadelake"])
def test_the_output_stage_is_both_roundings(cpu: str, raised: int, zero_point: int, mantissa: int, shift: int) -> None:
    vectors = x86.vectors_of(require(cpu))
    assert vectors is not None
    multiplier, count = Multiplier(mantissa, shift), 4 * vectors.lanes
    reach = int(300 * 2.0 ** (31 - shift) / mantissa)
    sums = np.unique(np.linspace(-reach, reach, 4099).astype(np.int32))
    sums = np.resize(np.concatenate([sums, np.arange(-700, 700)]), (-(-5500 // count), count)).astype(np.int32)
    signed, start = zero_point > -128, np.zeros(count, np.int32)
    output = x86_output(vectors, start, reach + 1, zero_point, [multiplier], raised=raised or signed)
    assert output is not None
    assert output.signed == signed
    expected = np.clip(requantize_by(sums, multiplier).astype(np.int64) + zero_point, -128, 127)
    kernel = LlvmKernel(output_kernel(output, sums.shape), cpu)
    names = ("mantissas", "addends", "places")
    got = kernel([sums * 2**output.raised, *(output.constants[name] for name in names)])
    np.testing.assert_array_equal(got, expected)


def output_kernel(output: X86Output, shape: tuple[int, ...]) -> tirx.PrimFunc:
    """int32 sums to bytes, four registers at a time."""
    lanes, names = output.vectors.lanes, ("mantissas", "addends", "places")
    held = {name: (output.constants[name].shape, str(output.constants[name].dtype)) for name in names}

    def body(x: tirx.Buffer, y: tirx.Buffer, **buffers: tirx.Buffer) -> None:
        with T.serial(shape[0]) as row:
            totals = [tirx.BufferLoad(x, [row, ramp(block * lanes, lanes)]) for block in range(4)]
            values = [output.value(buffers, tirx.const(block, "int32"), one) for block, one in enumerate(totals)]
            T.buffer_store(y, output.bytes(values), [row, ramp(0, 4 * lanes)])

    return microkernels("output", "", {"x": (shape, "int32"), **held, "y": (shape, "int8")}, body)


def in_whole_registers(case: WinogradCase, lanes: int) -> WinogradCase:
    """The case with `lanes` times as many channels, each a copy that is turned by some pixels or outputs."""
    scales = case.op.weight_scales * (lanes if len(case.op.weight_scales) > 1 else 1)
    wide = replace(case.op.output, scale=case.op.output.scale * 2)
    x = np.concatenate([np.roll(case.x, turn, axis=2) for turn in range(lanes)], axis=3)
    by_input = np.concatenate([np.roll(case.weights, turn, axis=1) for turn in range(lanes)], axis=3)
    weights = np.concatenate([np.roll(by_input, turn, axis=2) for turn in range(lanes)], axis=0)
    op = replace(case.op, weight_scales=scales, output=wide)
    return replace(case, op=op, x=x, weights=weights, bias=np.tile(case.bias, lanes))


def test_layers_without_a_kernel_are_left_to_others() -> None:
    grouped, dilated = conv(), replace(conv(), window=ops.Window(dilation=(1, 2)))
    weights = np.ones((72, 3, 3, 4), np.int8)
    assert made("haswell", grouped, [(1, 5, 5, 8)], (weights,)) is None
    assert made("haswell", dilated, [(1, 5, 7, 4)], (weights,)) is None
    # A multiplier above one shifts to the left, which the short requantization has no room for.
    loud = replace(conv(), output=ops.Affine(to_float32(1e-6), 0))
    assert made("haswell", loud, [(1, 5, 7, 4)], (weights,)) is None


ADDITIONS = [
    ((0.04, -128), (0.1, 4), (0.05, -128)),
    ((0.02, 5), (0.02, 5), (0.02, 5)),
    ((0.9, 127), (0.01, -128), (0.45, 3)),
    ((0.02, 0), (0.01, 0), (0.04, 0)),
    ((0.005, 0), (0.007, -3), (0.09, 100)),
]


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("exactly", [False, True])
@pytest.mark.parametrize("affines", ADDITIONS)
def test_every_sum_of_two_bytes(cpu: str, exactly: bool, affines: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    lhs, rhs, output = (ops.Affine(to_float32(scale), zero_point) for scale, zero_point in affines)
    op = ops.Add(lhs, rhs, output, (-120, 127))
    if exactly:
        monkeypatch.setattr("tvm_wvv.kernels.x86_add.linear", lambda _: None)
    octets = np.arange(-128, 128, dtype=np.int8)
    left, right = (np.ascontiguousarray(one).reshape(1, -1) for one in np.meshgrid(octets, octets))
    # A length that leaves pieces of every width behind the last whole register.
    left, right = (np.concatenate([one, one[:, -31:]], axis=1) for one in (left, right))
    vectors = x86.vectors_of(require(cpu))
    assert vectors is not None
    kernel = add(vectors, op, left.shape, right.shape)
    assert kernel is not None
    np.testing.assert_array_equal(LlvmKernel(kernel.func, cpu)([left, right]), apply(op, [left, right]))


def test_a_sum_without_short_form_is_told_apart() -> None:
    lhs, rhs = ops.Affine(to_float32(0.02), 0), ops.Affine(to_float32(0.01), 0)
    # A quarter of the second byte falls on halves, which are rounded away from zero on both sides of it.
    assert linear(ops.Add(lhs, rhs, ops.Affine(to_float32(0.04), 0))) is None
    assert isinstance(linear(ops.Add(lhs, rhs, ops.Affine(to_float32(0.037), 0))), Linear)
