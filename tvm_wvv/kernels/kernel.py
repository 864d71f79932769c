"""A kernel: what is computed (TensorIR, unscheduled) and the constants that were prepared for it offline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from tvm import tirx

Shape = tuple[int, ...]
Blocking = Mapping[str, int]
"""How a kernel cuts its loops, by the names of its maker's parameters; what is not named is as by default."""
AS_BY_DEFAULT: Blocking = {}


@dataclass(frozen=True)
class Kernel:
    """`func` takes buffers in the order inputs, constants, output; `name` is the stem of its C name."""

    name: str
    func: tirx.PrimFunc
    constants: tuple[np.ndarray, ...] = ()
