"""Positions in row-major arrays: a flat index and the index of each axis, and what broadcasting reads."""

from __future__ import annotations

from collections.abc import Sequence

from tvm.ir import Expr

from tvm_wvv.kernels.kernel import Shape


def ravel(index: Sequence[Expr], shape: Shape) -> Expr:
    """The flat position of `index`."""
    flat = index[0] if shape else 0
    for size, position in zip(shape[1:], index[1:], strict=True):
        flat = flat * size + position
    return flat


def unravel(flat: Expr, shape: Shape) -> tuple[Expr, ...]:
    """The index whose flat position is `flat`; axes of size one get a plain 0."""
    index: list[Expr] = []
    for size in reversed(shape):
        index.append(flat % size if size > 1 else 0)
        flat = flat // size
    return tuple(reversed(index))


def broadcast_index(index: Sequence[Expr], shape: Shape) -> tuple[Expr, ...]:
    """What an operand of `shape` is read at when the result is at `index`: NumPy's rules."""
    last = index[len(index) - len(shape) :]
    return tuple(position if size > 1 else 0 for position, size in zip(last, shape, strict=True))
