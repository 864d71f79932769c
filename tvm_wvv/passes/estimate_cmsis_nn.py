"""Instructions of a convolution by CMSIS-NN, estimated: what `auto` holds Winograd against where the library computes
direct layers.

Of version 7, the fastest so far: where Winograd pays beside it, it pays beside every older copy. Fitted to counts of
the library's functions on QEMU (GCC 12 at -Ofast), four 3x3 layers of ResNet-8 on each core: within 2 % on M3 and M4,
8 % on M55. On 1x1 kernels, which Winograd refuses, it was not fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.transforms.catalog import F2


@dataclass(frozen=True)
class _Costs:
    """Of a product, an output with its requantization, and an entry of a pixel's window (im2col)."""

    product: float
    output: float
    entry: float


_COSTS: dict[str, _Costs] = {
    "cortex_m": _Costs(2.48, 71.5, 5.97),
    "cortex_m_dsp": _Costs(1.60, 84.4, 2.46),
    "cortex_m_mve": _Costs(0.165, 33.6, 0.03),
}


def direct_instructions(site: ConvSite, target: str) -> float:
    """Of `arm_convolve_wrapper_s8` on a core of Cortex-M."""
    costs, (height, width) = _COSTS[target], site.grid(F2).output  # which does not depend on the algorithm
    window = site.weights[0].size
    pixel = site.outputs * (costs.product * window + costs.output) + costs.entry * window
    return site.x_shape[0] * height * width * pixel
