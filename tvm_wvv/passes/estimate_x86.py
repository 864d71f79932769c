"""Cycles of a convolution on x86, estimated: what `auto` decides by there.

Fitted to times of our kernels on one core of an AMD EPYC with AVX-512 VNNI (Zen 5, about 4.1 GHz), once with it and
once with AVX2 alone: eight layers of 16 to 64 channels, all within 10 %. Weights that the second cache does not hold
are taken to come from memory every time, as they do in a network of many such layers; how fast was fitted to the whole
of a ResNet-18, in which a layer of 256 channels lost by Winograd more than it gains by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tvm_wvv.kernels import x86_winograd
from tvm_wvv.kernels.x86_filters import form_of
from tvm_wvv.kernels.x86_vectors import AVX2, AVX512, AVX512_VNNI, AVX_VNNI, SSE2, Vectors
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import F2

# A simple instruction on a register; those of one output's requantization; one register of direct sums to its bytes,
# which mostly hides behind the next products.
_STEP, _FINISH, _DIRECT_FINISH = 0.33, 11, 3.0
# One register of one tap of U, made of weights; 2.2 by itself, and it drives other things out of the second cache.
_TRANSFORM = 4.0
# Bytes of weights in a cycle out of memory, and what stays in the second cache.
_BYTES, _SECOND_CACHE = 6.5, 1 << 19


@dataclass(frozen=True)
class X86Estimate:
    """`dot` are the cycles of one dot product of registers."""

    vectors: Vectors
    dot: float
    unit = "cycles"

    def direct_instructions(self, site: ConvSite) -> float:
        """Cycles of the direct kernel."""
        height, width = site.grid(F2).output  # which does not depend on the algorithm
        registers = site.x_shape[0] * height * width * _groups(site.outputs, self.vectors.lanes)
        compute = registers * (self.dot * _groups(site.macs, self.vectors.group) + _DIRECT_FINISH)
        # int8 where a group has four cells, int16 where it has two.
        return compute + site.x_shape[0] * _cold(4 // self.vectors.group * site.weights.size)

    def winograd_instructions(self, site: ConvSite, algorithm: Algorithm) -> float:
        """Cycles of `algorithm`, exact; infinite where the kernels have no vectors for it."""
        lanes, channels = self.vectors.lanes, site.x_shape[3]
        if not x86_winograd.fits(self.vectors, site.x_shape, site.outputs):
            return math.inf
        tiles, taps = math.prod(site.grid(algorithm).tiles), algorithm.taps
        dots = taps * site.outputs // lanes * channels // 2
        into = _groups(channels, 2 * lanes) * (algorithm.input_program.values + 2 * taps)
        back = site.outputs // lanes * (algorithm.output_program.values + taps + _FINISH * math.prod(algorithm.m))
        compute = tiles * (self.dot * dots + _STEP * (into + back))
        return site.x_shape[0] * (compute + self._filters(site, algorithm, tiles))

    def _filters(self, site: ConvSite, algorithm: Algorithm, tiles: int) -> float:
        """Cycles until U is there: read, or made of weights."""
        taps, size = algorithm.taps, site.x_shape[3] * site.outputs
        if form_of(algorithm, tiles, site.x_shape[3], site.outputs) == "constant":
            return _cold(2 * taps * size)
        return size / (2 * self.vectors.lanes) * _TRANSFORM * taps + _cold(site.weights.size)


ESTIMATES = {
    one.vectors.name: one
    for one in (
        *(X86Estimate(vectors, 0.5) for vectors in (AVX512_VNNI, AVX_VNNI)),
        *(X86Estimate(vectors, 0.58) for vectors in (AVX512, AVX2, SSE2)),
    )
}


def _cold(weight_bytes: int) -> float:
    """Cycles that pass until weights are there."""
    return 0.0 if weight_bytes <= _SECOND_CACHE else weight_bytes / _BYTES


def _groups(count: int, size: int) -> int:
    return -(-count // size)
