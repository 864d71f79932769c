"""How kernel windows lie on an image: pad, then hand out one strided view for each tap.

A tap's view holds, for every output position at once, the input value that this tap meets.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.quant.operators import Pair, Window


def taps(x: NDArray[np.int64], kernel: Pair, window: Window, fill: int) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """(row, column, view) for each kernel tap over an NHWC image; positions outside the image hold `fill`."""
    top, left, bottom, right = window.padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    height, width = output_size(x.shape[1:3], kernel, window)
    (stride_h, stride_w), (dilation_h, dilation_w) = window.strides, window.dilation
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            top_edge, left_edge = row * dilation_h, column * dilation_w
            rows = slice(top_edge, top_edge + (height - 1) * stride_h + 1, stride_h)
            columns = slice(left_edge, left_edge + (width - 1) * stride_w + 1, stride_w)
            yield row, column, padded[:, rows, columns, :]


def output_size(size: tuple[int, ...], kernel: Pair, window: Window) -> Pair:
    """Output (h, w) of a window that walks over a padded image of `size`."""
    top, left, bottom, right = window.padding
    spans = [dilation * (taps - 1) + 1 for dilation, taps in zip(window.dilation, kernel, strict=True)]
    height = (size[0] + top + bottom - spans[0]) // window.strides[0] + 1
    return height, (size[1] + left + right - spans[1]) // window.strides[1] + 1
