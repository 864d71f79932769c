"""Instructions of a convolution by the microkernels for integer vectors (MVE), estimated: what `auto` decides by there.

Fitted to counts on QEMU's Cortex-M55 (GCC 12 at -O3), the nine convolutions of ResNet-8: within 6 %, the first layer
within 10 %. Algorithms but f4 run on the microkernels for the DSP extension, which these cores have too.
"""

from __future__ import annotations

from tvm_wvv.passes import estimate_dsp
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import F2, F4

_VECTOR, _CHANNELS, _UNROLLED = 16, 4, 9
# Direct, of two pixels and four channels: a vector of taps, a round of the loop, bias and requantization.
_TAPS, _ROUND, _BLOCK = 14, 2, 30
# Direct, of one pixel: its call, its window, each vector of a copy.
_CALL, _WINDOW, _COPY = 45, 45, 6
# Winograd, of two tiles and four outputs: a vector of one tap, a round of further vectors, a tap, all taps.
_LANES, _PRODUCTS, _PRODUCT_ROUND, _PRODUCT_UNROLLED, _TAP, _CHANNEL_BLOCK = 8, 14, 2, 8, 6, 60
# Winograd, of one tile: eight channels to V, edges included; four outputs with requantization; the tile itself.
_INTO, _BACK, _TILE = 560, 440, 150


def direct_instructions(site: ConvSite) -> float:
    """Of the direct kernel."""
    height, width = site.grid(F2).output  # which does not depend on the algorithm
    vectors = _groups(site.weights[0].size, _VECTOR)
    block = (_TAPS * vectors + _ROUND * _groups(vectors, _UNROLLED) + _BLOCK) / 2
    pixel = _groups(site.outputs, _CHANNELS) * block + _CALL + _WINDOW + _COPY * vectors
    return site.x_shape[0] * height * width * pixel


def winograd_instructions(site: ConvSite, algorithm: Algorithm) -> float:
    """Of all stages of `algorithm`, exact."""
    if algorithm.name != F4.name:
        return estimate_dsp.winograd_instructions(site, algorithm)
    rows, columns = site.grid(algorithm).tiles
    tiles, vectors = site.x_shape[0] * rows * columns, _groups(site.x_shape[3], _LANES)
    blocks, rounds = _groups(site.outputs, _CHANNELS), max(1, _groups(vectors - 1, _PRODUCT_UNROLLED))
    products = algorithm.taps * (_PRODUCTS * vectors + _PRODUCT_ROUND * rounds + _TAP) + _CHANNEL_BLOCK
    return _groups(tiles, 2) * blocks * products + tiles * (vectors * _INTO + blocks * _BACK + _TILE)


def _groups(count: int, size: int) -> int:
    return -(-count // size)
