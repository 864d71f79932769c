"""The stages of a Winograd convolution as operators of the graph, between a layer's int8 input and its int8 output.

input transform: (n, h, w, c) int8 -> V (n, tile rows, tile columns, taps, c) int16 or int32
requantize input: V, mantissas (taps), zero points (taps) -> V as it is stored, int8 or int16
tile product:    V, U[, offset] -> M (n, tile rows, tile columns, taps, outputs) int32
requantize products: M, mantissas (taps, outputs) -> M on few bits, int8 or int16, or on another scale, int32
output transform: M[, factors] -> sums (n, out h, out w, outputs) int32
requantize:      sums, bias[, mantissas, shifts] -> (n, out h, out w, outputs) int8

Exact arithmetic has the four stages without "requantize" before the last and no operands in brackets: M is known modulo
2^32, and the sums are those of direct convolution without bias. Arithmetic that rounds has all operands; where V or M
needs no rounding, that stage is left out. `quant.winograd_parameters` has the formulas, and `bound` is a proved limit
of what a stage gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tvm_wvv.quant.operators import INT8_RANGE, Affine, Pair

# One more than any int32 sum can reach: nothing is known.
ANY_SUM = 1 << 31


@dataclass(frozen=True)
class InputTransform:
    """V = B (d - zero point) for every tile; `padding` is (top, left, bottom, right)."""

    op: ClassVar[str] = "winograd_input_transform"
    algorithm: str
    zero_point: int
    padding: tuple[int, int, int, int]
    dtype: str = "int16"


@dataclass(frozen=True)
class RequantizeInput:
    """clip(rq(V, mantissa 2^shift) + zero point) on `bits` bits, tap by tap."""

    op: ClassVar[str] = "winograd_requantize_input"
    algorithm: str
    bits: int
    shift: int
    bound: int


@dataclass(frozen=True)
class TileProduct:
    """For each tile and tap, the product of V's channels with the transformed weights U (taps, outputs, c)."""

    op: ClassVar[str] = "winograd_tile_product"
    algorithm: str


@dataclass(frozen=True)
class RequantizeProducts:
    """clip(rq(M, mantissa 2^shift)) on `bits` bits, without a clip on 32."""

    op: ClassVar[str] = "winograd_requantize_products"
    algorithm: str
    bits: int
    shift: int
    bound: int


@dataclass(frozen=True)
class OutputTransform:
    """A M / scale for every tile, modulo 2^32, or A (factors M); cut to an output of `size` (h, w)."""

    op: ClassVar[str] = "winograd_output_transform"
    algorithm: str
    size: Pair


@dataclass(frozen=True)
class WinogradRequantize:
    """Bias, requantization, zero point and clamp, as in direct convolution, or by multipliers of its own."""

    op: ClassVar[str] = "winograd_requantize"
    input: Affine
    output: Affine
    weight_scales: tuple[float, ...]
    clamp: Pair = INT8_RANGE
    bound: int = ANY_SUM


Stage = InputTransform | RequantizeInput | TileProduct | RequantizeProducts | OutputTransform | WinogradRequantize
STAGES = (InputTransform, RequantizeInput, TileProduct, RequantizeProducts, OutputTransform, WinogradRequantize)


def stored_dtype(bits: int) -> Literal["int8", "int16", "int32"]:
    """The narrowest type that holds a stage's values of so many bits."""
    return "int8" if bits <= 8 else "int16" if bits <= 16 else "int32"
