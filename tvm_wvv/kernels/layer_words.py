"""A layer with a window as `struct wvv_layer` of the C microkernels: int32 numbers in the order of wvv_window.h."""

from __future__ import annotations

import numpy as np

from tvm_wvv.kernels.kernel import Shape
from tvm_wvv.quant.operators import Pair, Window


def layer_words(
    x_shape: Shape,
    out_size: Pair,
    outputs: int,
    kernel: Pair,
    window: Window,
    zero_point: int,
    finish: int,
    clamp: Pair,
    groups: int = 0,
    window_words: int = 0,
) -> np.ndarray:
    """All numbers of the struct."""
    top, left, _, _ = window.padding
    geometry = [*x_shape, *out_size, outputs, *kernel, *window.strides, *window.dilation, top, left]
    return np.array([*geometry, zero_point, finish, *clamp, groups, window_words], np.int32)


def window_words(window: Window, window_bytes: int) -> int:
    """Words of scratch for one window, where some leave the image or have gaps between their taps; else 0."""
    gathered = any(window.padding) or window.dilation != (1, 1)
    return -(-window_bytes // 4) if gathered else 0
