"""The last step of nearly every integer operator: add the zero point, clamp, store as int8."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tvm_wvv.quant.operators import Affine, Pair

Int8Array = NDArray[np.int8]
Int32Array = NDArray[np.int32]
Float32Array = NDArray[np.float32]
WideArray = NDArray[np.int64]


def finish(values: ArrayLike, zero_point: int, clamp: Pair) -> Int8Array:
    """`values` moved by the zero point, then held within the clamp (numerics.md, N20)."""
    return np.clip(np.asarray(values, np.int64) + zero_point, *clamp).astype(np.int8)


def centred(x: Int8Array, affine: Affine) -> WideArray:
    """q - zero_point, wide enough for whatever follows (numerics.md, N1)."""
    return x.astype(np.int64) - affine.zero_point


def wrapped(values: WideArray) -> Int32Array:
    """Sums as a 32-bit accumulator holds them: TFLite's wrap around, so a sum past 2^31 must too."""
    return values.astype(np.int32)
