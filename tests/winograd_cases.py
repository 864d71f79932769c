"""Random Winograd convolutions: shapes that are neither square nor even, any padding, extreme zero points and bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from strategies import seeds, zero_points

from tvm_wvv.quant.operators import Affine, Conv2d, Window
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid


@dataclass(frozen=True)
class WinogradCase:
    """One convolution that `algorithm` can compute, with its input."""

    algorithm: Algorithm
    op: Conv2d
    x: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    @property
    def grid(self) -> Grid:
        return Grid(self.algorithm, self.x.shape, self.op.window.padding)

    @property
    def padding(self) -> tuple[int, int, int, int]:
        return self.op.window.padding

    @property
    def zero_point(self) -> int:
        return self.op.input.zero_point


@st.composite
def winograd_cases(
    draw: st.DrawFn, algorithm: Algorithm, channels: int = 9, largest: tuple[int, int] = (11, 11), batch: int = 2
) -> WinogradCase:
    """Up to `channels` in and out, images up to `largest` (h, w); `padding` leaves at least one output."""
    rng = np.random.default_rng(draw(seeds))
    padding = draw(st.tuples(*[st.integers(0, 2)] * 4))
    least = [max(1, r - sum(ends)) for r, ends in zip(algorithm.r, (padding[::2], padding[1::2]), strict=True)]
    height, width = (draw(st.integers(low, high)) for low, high in zip(least, largest, strict=True))
    inputs, outputs = draw(st.integers(1, channels)), draw(st.integers(1, channels))
    x = _bytes(draw, rng, (draw(st.integers(1, batch)), height, width, inputs))
    weights = _bytes(draw, rng, (outputs, *algorithm.r, inputs))
    scales = tuple(rng.uniform(0.3, 1.7, outputs if draw(st.booleans()) else 1).astype(np.float32).tolist())
    spread = float(np.float32(60 * (9 * inputs) ** 0.5 * 2.0 ** draw(st.floats(-3, 3))))
    clamp = draw(st.sampled_from(((-128, 127), (-100, 27), (3, 127))))
    source, output = Affine(1.0, draw(zero_points)), Affine(spread, draw(zero_points))
    op = Conv2d(source, output, scales, Window(padding=padding), clamp)
    return WinogradCase(algorithm, op, x, weights, rng.integers(-20000, 20000, outputs, dtype=np.int32))


def _bytes(draw: st.DrawFn, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """All least, only the two ends, or anything with -128 among it."""
    kind = draw(st.sampled_from(("least", "ends", "any")))
    if kind == "least":
        return np.full(shape, -128, np.int8)
    if kind == "ends":
        return rng.choice(np.array([-128, 127], np.int8), shape)
    data = rng.integers(-128, 128, shape, dtype=np.int8)
    data.flat[0] = -128
    return data
