"""What the stages of a quantized Winograd layer may reach, for all taps and channels at once (numerics.md, N13).

The same reasoning as `transforms.ranges`, on arrays: cells of the input range independently, so an interval sum by sign
is the exact range. Values that were rounded are bounded by their quantized interval instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.ranges import INT8, input_range
from tvm_wvv.transforms.straight_line import Program, combinations_of_inputs

FloatArray = NDArray[np.float64]
WideArray = NDArray[np.int64]


def transformed_weights(weights: NDArray[np.int8], algorithm: Algorithm) -> WideArray:
    """U = G w as exact integers, [tap, o, c] of filters OHWI (numerics.md, N7)."""
    flat = weights.astype(np.int64).reshape(weights.shape[0], -1, weights.shape[3])
    return np.einsum("tk,okc->toc", np.array(algorithm.weight_matrix, np.int64), flat)


def transformed_input_ranges(algorithm: Algorithm, zero_point: int) -> tuple[WideArray, WideArray]:
    """Least and greatest V of each tap, for every int8 input."""
    matrix = np.array(algorithm.input_matrix, np.int64)
    low, high = INT8[0] - zero_point, INT8[1] - zero_point
    positive, negative = np.maximum(matrix, 0).sum(axis=1), np.minimum(matrix, 0).sum(axis=1)
    return positive * low + negative * high, positive * high + negative * low


def greatest_transformed_input(algorithm: Algorithm, zero_point: int) -> int:
    """The largest magnitude of V."""
    low, high = transformed_input_ranges(algorithm, zero_point)
    return int(max(-low.min(), high.max()))


def greatest_while_transforming(algorithm: Algorithm, zero_point: int) -> int:
    """The largest magnitude of V and of every value that the input transform makes on the way."""
    return max(map(abs, input_range(algorithm, (INT8[0] - zero_point, INT8[1] - zero_point))))


def product_ranges(u: NDArray, low: NDArray, high: NDArray) -> tuple[FloatArray, FloatArray]:
    """Least and greatest partial sum over c of u [t, o, c] * v, v in [low, high] [t]: exact in double below 2^53.

    Zero counts as a partial sum, so the ends lie on both sides of it.
    """
    positive = np.maximum(u, 0).sum(axis=2, dtype=np.float64)
    negative = np.minimum(u, 0).sum(axis=2, dtype=np.float64)
    below, above = np.minimum(low, 0)[:, None], np.maximum(high, 0)[:, None]
    return positive * below + negative * above, positive * above + negative * below


def program_weights(program: Program) -> FloatArray:
    """[values, inputs]: by how much each input may count, in magnitude, in every value the program makes.

    The terms of a sum are values of their own here: a shift or product can overflow where the sum would fit.
    """
    rows = np.abs(np.array(combinations_of_inputs(program), np.float64))
    terms = [term for pair in program.sums for term in pair] + list(program.outputs)
    shifted = [rows[term.value] * term.weight for term in terms if term.weight != 1]
    return np.concatenate([rows, np.array(shifted)]) if shifted else rows
