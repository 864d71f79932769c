"""What convolutions and dense layers prepare offline: the order of weights, biases, the range of their sums.

Weights come as a matrix or filter with the output channel first.
"""

from __future__ import annotations

import numpy as np

INT8_LEAST, INT8_GREATEST = -128, 127


def channel_block(outputs: int) -> int:
    """How many output channels share one load of the input: 4, 2 or 1, a divisor of `outputs`.

    Four sums for each of two pixels, with what feeds them, are as many as the registers of a Cortex-M hold.
    """
    return next(block for block in (4, 2, 1) if outputs % block == 0)


def blocked(weights: np.ndarray, block: int) -> np.ndarray:
    """(outputs, ...) as (outputs / block, ..., block): what the inner loop reads lies in one run of bytes."""
    grouped = weights.reshape(weights.shape[0] // block, block, *weights.shape[1:])
    return np.ascontiguousarray(np.moveaxis(grouped, 1, -1))


def folded_bias(weights: np.ndarray, bias: np.ndarray | None, zero_point: int) -> np.ndarray:
    """bias - zero_point * sum of the weights, for each output channel; wraps as 32-bit sums do (numerics.md, N2)."""
    given = np.zeros(len(weights), np.int64) if bias is None else bias.astype(np.int64)
    return (given - zero_point * _per_channel(weights).sum(axis=1)).astype(np.int32)


def sum_bound(weights: np.ndarray, bias: np.ndarray | None, zero_point: int) -> int:
    """The greatest |sum (x - zero_point) w + bias| over every int8 input and every channel; exact but for the bias."""
    flat = _per_channel(weights)
    positive, negative = np.maximum(flat, 0).sum(axis=1), np.minimum(flat, 0).sum(axis=1)
    low, high = INT8_LEAST - zero_point, INT8_GREATEST - zero_point
    sums = np.maximum(positive * high + negative * low, -(positive * low + negative * high))
    given = np.zeros(len(weights), np.int64) if bias is None else np.abs(bias.astype(np.int64))
    return int((sums + given).max())


def _per_channel(weights: np.ndarray) -> np.ndarray:
    return weights.reshape(len(weights), -1).astype(np.int64)
