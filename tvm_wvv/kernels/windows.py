"""How a window lies on an NHWC image: the output's size, and the `pad` stage where the window leaves the image."""

from __future__ import annotations

from tvm import te, tirx
from tvm.ir import Expr

from tvm_wvv.quant.operators import Pair, Window


def output_size(x_shape: tuple[int, ...], size: Pair, window: Window) -> Pair:
    """Output (h, w) of a window of `size` taps on an NHWC input."""
    top, left, bottom, right = window.padding
    spans = [dilation * (taps - 1) + 1 for dilation, taps in zip(window.dilation, size, strict=True)]
    height = (x_shape[1] + top + bottom - spans[0]) // window.strides[0] + 1
    return height, (x_shape[2] + left + right - spans[1]) // window.strides[1] + 1


def inside(row: Expr, column: Expr, x_shape: tuple[int, ...]) -> Expr:
    """Whether a position lies on the image."""
    return tirx.all(row >= 0, row < x_shape[1], column >= 0, column < x_shape[2])


def padded(x: te.Tensor, window: Window, value: int) -> te.Tensor:
    """The image with `value`, its zero point, around it (numerics.md, N2), or the image itself without padding."""
    top, left, bottom, right = window.padding
    if not any(window.padding):
        return x
    batch, height, width, channels = (int(size) for size in x.shape)

    def at(n: Expr, row: Expr, column: Expr, c: Expr) -> Expr:
        value_there = x[n, row - top, column - left, c]
        on_image = inside(row - top, column - left, (batch, height, width, channels))
        return tirx.if_then_else(on_image, value_there, tirx.const(value, "int8"))

    return te.compute((batch, height + top + bottom, width + left + right, channels), at, name="pad")
