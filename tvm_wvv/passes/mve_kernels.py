"""Kernels made of C microkernels, for Cortex-M with integer vectors (MVE).

The maker gives a finished kernel, or None where it has none for an operator or a shape; then that of the DSP extension
is taken, which these cores have too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tvm_wvv.kernels import winograd_mve, winograd_mve_int8
from tvm_wvv.kernels.direct_mve import direct_kernel
from tvm_wvv.kernels.kernel import AS_BY_DEFAULT, Blocking, Kernel
from tvm_wvv.passes.dsp_kernels import exact_winograd
from tvm_wvv.passes.stage_kernels import is_exact, parts_of
from tvm_wvv.passes.stages import STAGES, InputTransform, Stage
from tvm_wvv.quant.operators import Window
from tvm_wvv.transforms.catalog import read_variant

Shape = tuple[int, ...]
Constants = Sequence[np.ndarray]


def mve_kernel(
    nodes: Sequence[Any],
    shapes: Sequence[Sequence[Shape]],
    constants: Sequence[Constants],
    _blocking: Blocking = AS_BY_DEFAULT,
) -> Kernel | None:
    """The kernel of one operator, or of the stages of one Winograd layer."""
    if isinstance(nodes[0], STAGES):
        if len(nodes) > 1 and not is_exact(constants):
            return _int8_winograd(nodes, shapes[0][0], constants)
        return exact_winograd(winograd_mve, nodes, shapes[0][0], constants)
    return direct_kernel(nodes[0], shapes[0], constants[0])


def _int8_winograd(stages: Sequence[Stage], x_shape: Shape, constants: Sequence[Constants]) -> Kernel | None:
    """The layer that rounds in between, if all of it is in 8 bits."""
    first = stages[0]
    if not isinstance(first, InputTransform):
        return None
    algorithm, parts = read_variant(first.algorithm).algorithm, parts_of(stages, constants)
    if not winograd_mve_int8.fits(algorithm, parts):
        return None
    window = Window(padding=first.padding)
    return winograd_mve_int8.winograd_conv2d(algorithm, window, first.zero_point, x_shape, parts)
