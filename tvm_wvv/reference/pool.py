"""Average and maximum pooling (numerics.md, N22). Positions outside the image neither count nor win."""

from __future__ import annotations

import numpy as np

from tvm_wvv.quant.operators import AveragePool, MaxPool
from tvm_wvv.reference.finish import Int8Array, finish
from tvm_wvv.reference.windows import taps


def average_pool(x: Int8Array, op: AveragePool) -> Int8Array:
    """The sum over the count of positions inside the image, to nearest, halves away from zero."""
    total = sum(view for _, _, view in taps(x.astype(np.int64), op.size, op.window, 0))
    count = sum(view for _, _, view in taps(np.ones(x.shape, np.int64), op.size, op.window, 0))
    # Sign and size apart: NumPy's integer division rounds down, and a half must go outward on both sides.
    size = (np.abs(total) + count // 2) // count
    return finish(np.sign(total) * size, 0, op.clamp)


def max_pool(x: Int8Array, op: MaxPool) -> Int8Array:
    """The greatest value of each window; outside the image stands the least int8."""
    views = [view for _, _, view in taps(x.astype(np.int64), op.size, op.window, -128)]
    return finish(np.max(views, axis=0), 0, op.clamp)
