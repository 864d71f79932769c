"""Instructions of a convolution by the microkernels for the DSP extension, estimated: what `auto` decides by there.

Counted on QEMU's Cortex-M4 (GCC 12 at -O3), 14 layers with images of 1x1 to 32x32 and 1 to 128 channels: with 16 or
more of them on more than one tile all estimates are within 15 %, those along the width with one output within 17 %.
With fewer, those of the direct kernel are off by up to 30 %, and on a single pixel by half.
"""

from __future__ import annotations

from tvm_wvv.passes import estimate
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import F2

# Ten instructions for 2x2 products of four channels each; sums are stored and the loop is closed in five, once a tap.
_QUAD, _TAP, _BLOCK, _LONGEST_RUN, _ROUND = 10, 5, 60, 16, 8
# Transforms: of one tile and four channels, edges included; of one tile and two outputs, with requantization.
_TRANSFORMS = {"f2": (490, 230), "f4": (760, 555), "f4c": (1100, 960), "f2x1": (170, 77), "f4x1": (450, 141)}
# Direct: a product, an output, and for each pixel its window's entries and loops.
_PRODUCT, _OUTPUT, _ENTRY, _PIXEL = 0.64, 12.0, 1.2, 120.0


def direct_instructions(site: ConvSite) -> float:
    """Of the direct kernel."""
    height, width = site.grid(F2).output  # which does not depend on the algorithm
    window = site.weights.shape[1] * site.weights.shape[2] * site.weights.shape[3]
    of_outputs = 2 * _groups(site.outputs, 2) * (_PRODUCT * 4 * _groups(window, 4) + _OUTPUT)
    return site.x_shape[0] * height * width * (of_outputs + _ENTRY * window + _PIXEL)


def winograd_instructions(site: ConvSite, algorithm: Algorithm) -> float:
    """Of all stages of `algorithm`, exact; that of TensorIR alone where it has no microkernels."""
    if algorithm.name not in _TRANSFORMS:
        return estimate.winograd_instructions(site, algorithm)
    into, back = _TRANSFORMS[algorithm.name]
    rows, columns = site.grid(algorithm).tiles
    tiles, quads, pairs = site.x_shape[0] * rows * columns, _groups(site.x_shape[3], 4), _groups(site.outputs, 2)
    # Along the width alone, the rows of a kernel are summed like channels.
    summed = quads * (algorithm.tile[0] if algorithm.m[0] == 1 else 1)
    further = _ROUND * summed / _LONGEST_RUN if summed > _LONGEST_RUN else 0
    products = algorithm.taps * quads / summed * (_QUAD * summed + _TAP + further) + _BLOCK
    return _groups(tiles, 2) * pairs * products + tiles * (quads * into + pairs * back)


def _groups(count: int, size: int) -> int:
    return -(-count // size)
