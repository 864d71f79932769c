"""The value every image source gives, and the one rule by which pixels become a model's input.

The rule: int8 = pixel - 128. An image input is calibrated on pixels 0..255, so its 256 codes are the 256 pixel values
in order, whatever real numbers the model's scale and zero point give them. MLPerf Tiny's image classification (scale 1,
zero point -128) and the packaged digits (scale 1/255, zero point -128) state this same rule.
A float32 input says nothing of its range (0..255, 0..1 and -1..1 are all in use), but the QUANTIZE behind it does: it
gets scale * (pixel - 128 - zero point), the real numbers of the same codes, so that the network sees pixel - 128 too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvm_wvv.errors import WvvError

_PIXEL_ZERO = 128  # pixel 0 is code -128


@dataclass(frozen=True)
class LabelledImages:
    """`images` uint8 (n, h, w, c) with c = 1 or 3, `labels` int64 (n,), both in the source's order."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def to_input(
    images: np.ndarray, shape: tuple[int, ...], scale: float, zero_point: int, dtype: str = "int8"
) -> np.ndarray:
    """(n, h, w, c) for a model whose input has this shape (its first axis is the batch) and quantization.

    `dtype` is int8 or float32; for the latter, the quantization is that of the model's own QUANTIZE.
    """
    if len(shape) != 4 or images.shape[1:] != tuple(shape[1:]):
        raise WvvError(
            f"the images are {_size(images.shape[1:])}, the model's input is {_size(shape[1:])} (h x w x channels): "
            "use a data set of that size"
        )
    if not scale > 0 or not -128 <= zero_point <= 127:
        raise WvvError(
            f"the model's input has scale {scale} and zero point {zero_point}, which no int8 input has: "
            "images need a model with an int8 input"
        )
    # XOR of the top bit subtracts 128 in the same byte.
    codes = (images ^ np.uint8(_PIXEL_ZERO)).view(np.int8)
    return codes if dtype == "int8" else real(codes, scale, zero_point)


def real(codes: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """The float32 numbers that int8 codes stand for; quantized again, they give the same codes."""
    return np.float32(scale) * (codes.astype(np.float32) - np.float32(zero_point))


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
