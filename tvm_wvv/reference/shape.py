"""Operators that only move bytes: pad, reshape, concatenation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tvm_wvv.quant.operators import Concat, Pad, Reshape
from tvm_wvv.reference.finish import Int8Array


def pad(x: Int8Array, op: Pad) -> Int8Array:
    """The tensor within a margin of `value`."""
    return np.pad(x, op.widths, constant_values=op.value)


def reshape(x: Int8Array, op: Reshape) -> Int8Array:
    """The same bytes under another shape."""
    return x.reshape(op.shape)


def concat(parts: Sequence[Int8Array], op: Concat) -> Int8Array:
    """The operands one after the other along the axis, held within the clamp."""
    return np.clip(np.concatenate(parts, axis=op.axis), *op.clamp).astype(np.int8)
