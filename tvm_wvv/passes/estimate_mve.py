"""Instructions of a convolution by the microkernels for integer vectors (MVE), estimated: what `auto` decides by there.

Fitted to counts on QEMU's Cortex-M55 (GCC 12 at -O3), 64 layers with images of 1x1 to 40x40, 3 to 128 channels in and
4 to 128 out: direct, f4 and f4c are within 5 %, f2 within 7 %; a single pixel by the direct kernel is 22 % too low.
Other algorithms run on the microkernels for the DSP extension, which these cores have too, or on TensorIR's.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm_wvv.passes import estimate_dsp
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.quant.operators import INT8_RANGE
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import F2

_VECTOR, _CHANNELS, _UNROLLED = 16, 4, 9
# Direct, of two pixels and four channels: a vector of taps, a round of the loop, bias and requantization, and what
# outputs below the zero point add to it.
_TAPS, _ROUND, _BLOCK, _SIGNED = 14, 2, 28.7, 5.8
# Direct, of one pixel: its call and window, each vector of it, and what a window that leaves the image adds.
_PIXEL, _COPY, _BORDER = 82, 3.4, 111
# Winograd, of two tiles and four outputs: a vector of one tap, a round of further vectors, a tap of one vector and of
# more, all taps; of each output below the zero point.
_LANES, _PRODUCTS, _PRODUCT_ROUND, _PRODUCT_UNROLLED, _SHORT_TAP, _TAP, _CHANNEL_BLOCK = 8, 14, 2, 8, 4, 6, 45
_SIGNED_OUTPUT = 2


@dataclass(frozen=True)
class _Transforms:
    """Of one tile: eight channels to V, edges included; four outputs; where some of them are not stored, four outputs
    and each pixel; the tile itself."""

    into: float
    back: float
    part: float
    pixel: float
    tile: float


_TRANSFORMS = {
    "f2": _Transforms(289, 213, 151, 13, 172),
    "f4": _Transforms(590, 436, 293, 37, 172),
    "f4c": _Transforms(695, 592, 498, 19, 178),
}


def direct_instructions(site: ConvSite) -> float:
    """Of the direct kernel."""
    height, width = site.grid(F2).output  # which does not depend on the algorithm
    vectors = _groups(site.weights[0].size, _VECTOR)
    block = _TAPS * vectors + _ROUND * _groups(vectors, _UNROLLED) + _BLOCK + (_SIGNED if _signed(site) else 0)
    pixel = _groups(site.outputs, _CHANNELS) * block / 2 + _PIXEL + _COPY * vectors
    inner = [max(0, min(of, size - 2)) for of, size in zip((height, width), site.x_shape[1:3], strict=True)]
    return site.x_shape[0] * (height * width * pixel + (height * width - inner[0] * inner[1]) * _BORDER)


def winograd_instructions(site: ConvSite, algorithm: Algorithm) -> float:
    """Of all stages of `algorithm`, exact."""
    if algorithm.name not in _TRANSFORMS:
        return estimate_dsp.winograd_instructions(site, algorithm)
    of, grid, (m_h, m_w) = _TRANSFORMS[algorithm.name], site.grid(algorithm), algorithm.m
    (rows, columns), (height, width), batch = grid.tiles, grid.output, site.x_shape[0]
    tiles, vectors, blocks = rows * columns, _groups(site.x_shape[3], _LANES), _groups(site.outputs, _CHANNELS)
    rounds = _groups(vectors - 1, _PRODUCT_UNROLLED)
    tap = _PRODUCTS * vectors + (_TAP + _PRODUCT_ROUND * rounds if rounds else _SHORT_TAP)
    products = _groups(batch * tiles, 2) * blocks * (algorithm.taps * tap + _CHANNEL_BLOCK)
    # Tiles of which all is stored, without a clamp of their own, have a shorter end.
    fast = algorithm.name == "f2" or site.op.clamp == INT8_RANGE
    whole = (height // m_h) * (width // m_w) * (site.outputs // _CHANNELS) if fast else 0
    pixels = height * width * blocks - whole * m_h * m_w
    back = whole * of.back + (tiles * blocks - whole) * of.part + pixels * of.pixel
    signed = _SIGNED_OUTPUT * height * width * blocks if _signed(site) else 0
    return products + batch * (tiles * (vectors * of.into + of.tile) + back + signed)


def _signed(site: ConvSite) -> bool:
    """Whether outputs below the zero point show."""
    return site.op.clamp[0] < site.op.output.zero_point


def _groups(count: int, size: int) -> int:
    return -(-count // size)
