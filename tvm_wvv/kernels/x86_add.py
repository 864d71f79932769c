"""Addition of two int8 tensors of one shape for x86, a register at a time (numerics.md, N21).

Two bytes have 65,536 pairs of values. Where (a * lhs + b * rhs + c) >> t gives TFLite's result for every one of them,
which is tried here, that is the kernel: a fifth of the work of three requantizations. Else those are computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from tvm import tirx
from tvm.ir import Expr
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.kernels.kernel import Kernel, Shape
from tvm_wvv.kernels.microkernel import microkernels
from tvm_wvv.kernels.x86_threads import WORTH_SHARING, share, shared_out
from tvm_wvv.kernels.x86_vectors import Index, Vectors, chunks, high_of_double, narrowed, run_of, splat, vector_type
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.operators import Add, Pair
from tvm_wvv.quant.parameters import ADD_LEFT_SHIFT, add_parameters
from tvm_wvv.quant.requantize import requantize_by

_HALF = Multiplier(1 << 30, 0)
# Of the search for factors, in units of their last place.
_FIRST_STEP = 64
# Elements, of a core with AVX-512.
_IN_A_CYCLE = 6


@dataclass(frozen=True)
class Linear:
    """(lhs_factor * lhs + rhs_factor * rhs + addend) >> places, all within int32."""

    lhs_factor: int
    rhs_factor: int
    addend: int
    places: int


def add(vectors: Vectors, op: Add, lhs_shape: Shape, rhs_shape: Shape) -> Kernel | None:
    """None for operands that are broadcast, and for scales far apart that have no short form."""
    use = add_parameters(op)
    # The sum stays below 2^28, and so does what the output's multiplier, below one, makes of it.
    fits = -22 <= use.output.shift <= -1 and use.lhs.shift <= 0 and use.rhs.shift <= 0
    short = linear(op)
    if lhs_shape != rhs_shape or (short is None and not fits):
        return None

    count = math.prod(lhs_shape)
    # What is left over by whole registers every thread would write.
    worth = count // _IN_A_CYCLE >= WORTH_SHARING and count % vectors.lanes == 0
    threads = vectors.threads if worth else 1

    def value(left: Expr, right: Expr, lanes: int) -> Expr:
        total = _exactly(op, left, right, lanes) if short is None else _linearly(short, left, right, lanes)
        return narrowed(total, op.clamp, lanes)

    def body(lhs: tirx.Buffer, rhs: tirx.Buffer, y: tirx.Buffer) -> None:
        def store(first: Index, lanes: int) -> None:
            place = run_of(lhs, first, lanes)
            left, right = (tirx.Cast(vector_type("int32", lanes), tirx.BufferLoad(one, place)) for one in (lhs, rhs))
            T.buffer_store(y, value(left, right, lanes), place)

        with shared_out(threads) as chunk:
            chunks(count, vectors.lanes, store, share(count // vectors.lanes, chunk, threads))

    parameters = dict.fromkeys(("lhs", "rhs", "y"), (lhs_shape, "int8"))
    func = microkernels("add", "", parameters, body).with_attr("wvv.in_place", [0, 1])
    return Kernel("add", func.without_attr("wvv.headers"))


def linear(op: Add) -> Linear | None:
    """The short form where it is right for all pairs of bytes, before the clamp to int8 and within it."""
    bytes_ = np.arange(-128, 128, dtype=np.int64)
    lhs, rhs = bytes_[:, None], bytes_[None, :]
    exact = np.clip(_reference(op, lhs, rhs), -128, 127)
    factors = op.lhs.scale / op.output.scale, op.rhs.scale / op.output.scale
    # The greatest number of places with which nothing leaves int32.
    offset = op.output.zero_point - factors[0] * op.lhs.zero_point - factors[1] * op.rhs.zero_point
    reach = 128 * (factors[0] + factors[1]) + abs(offset) + 2
    places = 31 - math.ceil(math.log2(reach))
    if places < 1:
        return None
    nearest = [round(factor * (1 << places)) for factor in factors]
    # What clamps to an end may be anything beyond it.
    low = np.where(exact > -128, exact << places, -(1 << 62))
    top = np.where(exact < 127, exact + 1 << places, 1 << 62)

    def addends(a: int, b: int) -> Pair:
        """The least and the greatest that serve these factors; the former is greater where none does."""
        raised = a * lhs + b * rhs
        return int((low - raised).max()), int((top - raised).min()) - 1

    a, b = _descend(lambda a, b: addends(a, b)[0] - addends(a, b)[1], nearest)
    least, most = addends(a, b)
    return Linear(a, b, (least + most) // 2, places) if least <= most else None


def _descend(gap: Callable[[int, int], int], start: Sequence[int]) -> Pair:
    """Factors that close `gap`, or come near to its least: it is convex, so that every step down is on the way."""
    a, b, step = *start, _FIRST_STEP
    best = gap(a, b)
    while step and best > 0:
        moves = [(a + i * step, b + j * step) for i, j in product((-1, 0, 1), repeat=2)]
        found, move = min((gap(*one), one) for one in moves)
        if found < best:
            best, (a, b) = found, move
        else:
            step //= 2
    return a, b


def _reference(op: Add, lhs: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    """The output before any clamp, by the three requantizations."""
    use = add_parameters(op)
    left = requantize_by(lhs - op.lhs.zero_point << use.left_shift, use.lhs).astype(np.int64)
    total = left + requantize_by(rhs - op.rhs.zero_point << use.left_shift, use.rhs)
    return requantize_by(total, use.output).astype(np.int64) + op.output.zero_point


def _linearly(use: Linear, left: Expr, right: Expr, lanes: int) -> Expr:
    products = left * splat(use.lhs_factor, lanes) + right * splat(use.rhs_factor, lanes)
    return (products + splat(use.addend, lanes)) >> splat(use.places, lanes)


def _exactly(op: Add, left: Expr, right: Expr, lanes: int) -> Expr:
    use = add_parameters(op)
    total = _raised(left, op.lhs.zero_point, use.lhs, lanes) + _raised(right, op.rhs.zero_point, use.rhs, lanes)
    places = -use.output.shift
    return _rescaled(total, use.output, (1 << places >> 1) + (op.output.zero_point << places), lanes)


def _raised(value: Expr, zero_point: int, multiplier: Multiplier, lanes: int) -> Expr:
    """(value - zero_point) * 2^20, rescaled; the operand of the greater scale is always halved, which is exact."""
    if multiplier == _HALF:
        return (value << splat(ADD_LEFT_SHIFT - 1, lanes)) - splat(zero_point << (ADD_LEFT_SHIFT - 1), lanes)
    centred = (value << splat(ADD_LEFT_SHIFT, lanes)) - splat(zero_point << ADD_LEFT_SHIFT, lanes)
    return _rescaled(centred, multiplier, 1 << -multiplier.shift >> 1, lanes)


def _rescaled(value: Expr, multiplier: Multiplier, addend: int, lanes: int) -> Expr:
    """By a multiplier of shift <= 0; `addend` is what the last shift rounds with."""
    mantissa = splat(multiplier.mantissa, max(lanes // 2, 1), "int64")
    high = high_of_double(value, (mantissa, mantissa), lanes)
    if not multiplier.shift:
        return high
    return (high + (high >> splat(31, lanes)) + splat(addend, lanes)) >> splat(-multiplier.shift, lanes)
