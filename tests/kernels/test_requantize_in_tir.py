"""The requantization of kernels against `quant.requantize`, in each of its forms, at the ends of every range."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import te, tirx

from tvm_wvv.kernels.fixed_point import requantize
from tvm_wvv.kernels.output_stage import OutputStage
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.requantize import requantize_by
from tvm_wvv.reference.finish import finish, wrapped

INT32 = np.iinfo(np.int32)
mantissas = st.one_of(st.sampled_from((1 << 30, (1 << 31) - 1)), st.integers(1 << 30, (1 << 31) - 1))
shifts = st.one_of(st.sampled_from((-31, -1, 0, 1)), st.integers(-31, 33))
multipliers = st.one_of(st.builds(Multiplier, mantissas, shifts), st.just(Multiplier(0, 0)))
# Multipliers that trained networks have, for which the short form is meant.
small_multipliers = st.one_of(st.builds(Multiplier, mantissas, st.integers(-22, -1)), st.just(Multiplier(0, 0)))


def sums_within(bound: int, right: int) -> np.ndarray:
    """Both ends, values around zero, random ones, and ties of a shift to the right with their neighbours."""
    bound = min(bound, INT32.max)
    rng = np.random.default_rng(bound % 1000)
    ties = (2 * rng.integers(-40, 40, 40) + 1) << max(right - 1, 0)
    values = np.concatenate([[bound, -bound, 1, 0, -1], rng.integers(-bound, bound + 1, 100), ties, ties + 1, ties - 1])
    return np.clip(values, -bound, bound).astype(np.int32)


def run(placeholders: list[te.Tensor], out: te.Tensor, arrays: list[np.ndarray]) -> np.ndarray:
    func: tirx.PrimFunc = te.create_prim_func([*placeholders, out])
    built = tvm.compile(func.with_attr("global_symbol", "kernel"), target="llvm")
    result = tvm.runtime.tensor(np.zeros([int(size) for size in out.shape], str(out.dtype)))
    built["kernel"](*map(tvm.runtime.tensor, arrays), result)
    return result.numpy()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(multiplier=multipliers, bound=st.one_of(st.none(), st.integers(1, INT32.max)))
def test_one_multiplier(multiplier: Multiplier, bound: int | None) -> None:
    values = sums_within(INT32.max if bound is None else bound, -multiplier.shift)
    if bound is None:
        values[0] = INT32.min
    x = te.placeholder(values.shape, "int32", "x")
    out = te.compute(values.shape, lambda i: requantize(x[i], multiplier, bound), name="y")
    np.testing.assert_array_equal(run([x], out, [values]), requantize_by(values, multiplier), err_msg=str(multiplier))


def check_stage(stage: OutputStage, channels: int) -> None:
    """The stage on sums that stay within its bound together with the bias, or anywhere where nothing is proved."""
    columns = []
    for one, bias in zip(stage.multipliers * (channels if stage.single else 1), stage.bias, strict=False):
        wanted = sums_within(stage.bound, -one.shift).astype(np.int64)
        # What is summed up before the bias fits as well, since 128 times the weights does.
        columns.append(np.clip(wanted - int(bias), INT32.min, INT32.max).astype(np.int32))
    sums = np.stack(columns, axis=-1)
    x, constants = te.placeholder(sums.shape, "int32", "x"), stage.placeholders()
    got = run([x, *constants], stage.of(x, constants), [sums, *stage.constants])
    total = wrapped(sums.astype(np.int64) + stage.bias)
    expected = finish(requantize_by(total, stage.multipliers), stage.zero_point, stage.clamp)
    np.testing.assert_array_equal(got, expected, err_msg=str(stage))


@pytest.mark.parametrize(("drawn", "greatest"), [(multipliers, INT32.max), (small_multipliers, (1 << 30) - 1)])
@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=st.data())
def test_output_stage(drawn: st.SearchStrategy[Multiplier], greatest: int, data: st.DataObject) -> None:
    channels = data.draw(st.integers(1, 5))
    count = data.draw(st.sampled_from((1, channels)))
    bound = data.draw(st.integers(200, greatest))
    bias = np.array(data.draw(st.lists(st.integers(-bound, bound), min_size=channels, max_size=channels)), np.int32)
    used = tuple(data.draw(st.lists(drawn, min_size=count, max_size=count)))
    zero_point, low = data.draw(st.integers(-128, 127)), data.draw(st.integers(-128, 0))
    check_stage(OutputStage(bias, used, zero_point, (low, 127), bound), channels)


def test_sums_that_pass_32_bits_wrap_as_the_oracle_does() -> None:
    used = (Multiplier(1 << 30, -20), Multiplier(1_500_000_000, -24))
    stage = OutputStage(np.array([INT32.max, INT32.min], np.int32), used, 0, (-128, 127), 1 << 33)
    assert not stage.short
    check_stage(stage, 2)


def test_short_form_is_taken_only_where_it_is_proved() -> None:
    bias, small, half = np.zeros(2, np.int32), Multiplier(1 << 30, -5), Multiplier(1 << 30, 0)
    zero = Multiplier(0, 0)
    assert OutputStage(bias, (small, Multiplier(1 << 30, -22)), 0, (-128, 127), (1 << 30) - 1).short
    assert OutputStage(bias, (small, zero), 0, (-128, 127), 1000).short
    assert not OutputStage(bias, (small, half), 0, (-128, 127), 1000).short
    assert not OutputStage(bias, (small, Multiplier(1 << 30, -23)), 0, (-128, 127), 1000).short
    assert not OutputStage(bias, (small, small), 0, (-128, 127), 1 << 30).short
