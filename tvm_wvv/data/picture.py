"""Decode one JPEG or PNG to pixels: grey stays one channel, every colour picture becomes RGB; alpha is dropped."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from tvm_wvv.errors import WvvError

# Pillow's modes with 8 bits a channel; the 16 and 32 bit modes are refused, for narrowing them would clip.
_TARGET = {"1": "L", "L": "L", "LA": "L", "P": "RGB", "PA": "RGB", "RGB": "RGB", "RGBA": "RGB", "RGBX": "RGB",
           "CMYK": "RGB", "YCbCr": "RGB"}  # fmt: skip

# What Pillow raises on broken bytes: the PNG reader says SyntaxError, the others OSError, ValueError or EOFError.
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)


def decode(data: bytes, where: str) -> np.ndarray:
    """uint8 (h, w, 1) or (h, w, 3); `where` names the picture in the error."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
            target = _TARGET.get(picture.mode)
            if target is None:
                raise WvvError(f"{where}: pixels of mode {picture.mode!r}, need 8 bits a channel (grey or RGB)")
            pixels = np.asarray(picture.convert(target))
    except _BROKEN as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WvvError(f"{where}: not a readable PNG or JPEG ({reason})") from error
    return pixels.reshape(*pixels.shape[:2], -1)


def stack(pictures: list[np.ndarray], wheres: list[str]) -> np.ndarray:
    """All pictures as one array; they must have one shape."""
    for picture, where in zip(pictures, wheres, strict=True):
        if picture.shape != pictures[0].shape:
            raise WvvError(
                f"{where}: the image is {_size(picture)}, those before it are {_size(pictures[0])}: "
                "all images of a set need one size and one number of channels"
            )
    return np.stack(pictures)


def _size(picture: np.ndarray) -> str:
    return "x".join(map(str, picture.shape))
