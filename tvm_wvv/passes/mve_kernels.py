"""Kernels made of C microkernels, for Cortex-M with integer vectors (MVE).

The maker gives a finished kernel, or None where it has none for an operator or a shape; then that of the DSP extension
is taken, which these cores have too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tvm_wvv.kernels import winograd_mve
from tvm_wvv.kernels.direct_mve import direct_kernel
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.passes.dsp_kernels import exact_winograd
from tvm_wvv.passes.stages import STAGES

Shape = tuple[int, ...]
Constants = Sequence[np.ndarray]


def mve_kernel(
    nodes: Sequence[Any], shapes: Sequence[Sequence[Shape]], constants: Sequence[Constants]
) -> Kernel | None:
    """The kernel of one operator, or of the stages of one Winograd layer."""
    if isinstance(nodes[0], STAGES):
        return exact_winograd(winograd_mve, nodes, shapes[0][0], constants)
    return direct_kernel(nodes[0], shapes[0], constants[0])
