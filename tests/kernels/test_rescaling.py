"""The rounding between Winograd stages against `quant.requantize`, in each of its forms, at the ends of every range."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tvm
from conftest import require_tool
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_run import CKernel
from tvm import tirx

from tvm_wvv.kernels import winograd_blocks as blocks
from tvm_wvv.kernels.blocks import primitive
from tvm_wvv.kernels.rescaling import WIDE, Rescaling
from tvm_wvv.quant.requantize import requantize
from tvm_wvv.quant.winograd_parameters import MultiplierArray, multipliers

INT32_MAX = (1 << 31) - 1
TAPS, OUTPUTS, PLACES = 3, 2, 120


def values_within(bound: int, given: MultiplierArray) -> np.ndarray:
    """[1, 1, place, tap, o]: both ends, small numbers, random ones, and what lies beside the halves."""
    rng = np.random.default_rng(bound % 1000)
    step = 2.0**31 / max(int(given.mantissa.max()), 1) * 2.0**-given.shift
    halves = np.rint((rng.integers(-300, 300, 40) + 0.5) * step)
    drawn = rng.integers(-bound, bound + 1, PLACES - 85)
    found = np.concatenate([[bound, -bound, 1, 0, -1], drawn, halves, halves[:40] + 1])
    clipped = np.clip(found, -bound, bound).astype(np.int32)
    return np.broadcast_to(clipped[None, None, :, None, None], (1, 1, PLACES, TAPS, OUTPUTS)).copy()


def kernel(rescaling: Rescaling, shape: tuple[int, ...]) -> tirx.PrimFunc:
    def body(m: tirx.Buffer, *rest: tirx.Buffer) -> None:
        blocks.requantize_products(m, rest[-1], rescaling.value, rest[:-1])

    buffers = {name: (array.shape, str(array.dtype)) for name, array in rescaling.constants.items()}
    return primitive({"m": (shape, "int32"), **buffers, "out": (shape, rescaling.dtype)}, body)


def run(rescaling: Rescaling, values: np.ndarray) -> np.ndarray:
    func = kernel(rescaling, values.shape)
    built = tvm.compile(func.with_attr("global_symbol", "kernel"), target="llvm")
    out = tvm.runtime.tensor(np.full(values.shape, 85, rescaling.dtype))
    built["kernel"](*map(tvm.runtime.tensor, (values, *rescaling.constants.values())), out)
    return out.numpy()


def expected(rescaling: Rescaling, values: np.ndarray) -> np.ndarray:
    given = rescaling.multipliers
    moved = requantize(values, given.mantissa, given.shift).astype(np.int64) + rescaling.zero_points
    half = 1 << (rescaling.bits - 1)
    return moved if rescaling.bits == WIDE else np.clip(moved, -half, half - 1)


def check(rescaling: Rescaling) -> None:
    values = values_within(rescaling.bound, rescaling.multipliers)
    np.testing.assert_array_equal(run(rescaling, values), expected(rescaling, values))


@st.composite
def rescalings(draw: st.DrawFn) -> Rescaling:
    """Multipliers as `winograd_integers` makes them: no value times its multiplier leaves int32."""
    greatest, count = 2.0 ** draw(st.floats(-30, 1.0)), draw(st.sampled_from((1, TAPS * OUTPUTS)))
    bound = draw(st.integers(1, int(INT32_MAX / max(1.0, 2 * greatest))))
    spread = draw(st.lists(st.floats(0, 8), min_size=count, max_size=count))
    if draw(st.booleans()):
        greatest, spread = 2.0 ** np.floor(np.log2(greatest)), [float(int(one)) for one in spread]
    reals = np.broadcast_to(greatest * 2.0 ** -np.resize(spread, (TAPS, OUTPUTS)), (TAPS, OUTPUTS))
    bits = draw(st.sampled_from((5, 8, 8, 16, WIDE)))
    if bits == WIDE:
        return Rescaling(multipliers(reals), bits, bound)
    ends = st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    zero_points = draw(st.lists(ends, min_size=count, max_size=count))
    return Rescaling(multipliers(reals), bits, bound, np.resize(np.array(zero_points, np.int32), (TAPS, OUTPUTS)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(rescaling=rescalings())
def test_any_multipliers(rescaling: Rescaling) -> None:
    check(rescaling)


@pytest.mark.parametrize("real", [2.0, 1.0, 1 - 2.0**-31, 0.75, 0.5, 0.4999, 0.25, 2.0**-16, 2.0**-17, 3e-9])
@pytest.mark.parametrize("bits", [8, WIDE])
def test_where_forms_change(real: float, bits: int) -> None:
    """One at each side of where a mantissa needs a shift, and where 32 bits are full."""
    reals = np.array([[real, real / 3], [real / 2, real], [real / 200, real]])
    for bound in (1, 127, (1 << 30) - 1, 1 << 30, INT32_MAX):
        if bound * real * (2 if real >= 1 else 1) <= INT32_MAX:
            check(Rescaling(multipliers(reals), bits, bound))


def test_an_offset_does_not_lead_out_of_32_bits(tmp_path: Path) -> None:
    """In C, where the sanitized sum wraps; LLVM's may do anything."""
    rescaling = Rescaling(multipliers(np.full((TAPS, OUTPUTS), 1 - 2.0**-31)), 8, INT32_MAX)
    values = values_within(INT32_MAX, rescaling.multipliers)
    made = CKernel(kernel(rescaling, values.shape), require_tool("cc"), tmp_path)((values,))
    np.testing.assert_array_equal(made, expected(rescaling, values))


def test_one_power_of_two_reads_nothing_and_multiplies_nothing() -> None:
    shift = Rescaling(multipliers(np.full((TAPS, OUTPUTS), 2.0**-5)), 8, 4000)
    assert shift.constants == {}
    assert " * " not in str(shift.value(tirx.Var("x", "int32"), [], lambda one: one))


def test_one_tap_of_many() -> None:
    reals, moved = np.array([0.3, 0.01, 0.2]), np.array([5, -7, 0], np.int32)
    all_taps = Rescaling(multipliers(reals), 8, 5000, moved)
    assert set(all_taps.constants) == {"mantissas", "zero_points"}
    one = all_taps.at_tap(1)
    assert one.constants == {}
    assert (one.multipliers.mantissa, one.zero_points) == (all_taps.multipliers.mantissa[1], -7)
