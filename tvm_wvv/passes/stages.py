"""The stages of a Winograd convolution as operators of the graph, between a layer's int8 input and its int8 output.

input transform: (n, h, w, c) int8 -> V (n, tile rows, tile columns, taps, c) int16
tile product:    V, U -> M (n, tile rows, tile columns, taps, outputs) int32
output transform: M -> sums (n, out h, out w, outputs) int32, those of direct convolution without bias
requantize:      sums, bias -> (n, out h, out w, outputs) int8
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tvm_wvv.quant.operators import INT8_RANGE, Affine, Pair


@dataclass(frozen=True)
class InputTransform:
    """V = B (d - zero point) for every tile; `padding` is (top, left, bottom, right)."""

    op: ClassVar[str] = "winograd_input_transform"
    algorithm: str
    zero_point: int
    padding: tuple[int, int, int, int]


@dataclass(frozen=True)
class TileProduct:
    """For each tile and tap, the product of V's channels with the transformed weights U (taps, outputs, c)."""

    op: ClassVar[str] = "winograd_tile_product"
    algorithm: str


@dataclass(frozen=True)
class OutputTransform:
    """A M / scale for every tile, an exact quotient, cut to an output of `size` (h, w)."""

    op: ClassVar[str] = "winograd_output_transform"
    algorithm: str
    size: Pair


@dataclass(frozen=True)
class WinogradRequantize:
    """Bias, requantization, zero point and clamp, as in direct convolution."""

    op: ClassVar[str] = "winograd_requantize"
    input: Affine
    output: Affine
    weight_scales: tuple[float, ...]
    clamp: Pair = INT8_RANGE


Stage = InputTransform | TileProduct | OutputTransform | WinogradRequantize
STAGES = (InputTransform, TileProduct, OutputTransform, WinogradRequantize)
