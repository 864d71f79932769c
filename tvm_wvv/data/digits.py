"""scikit-learn's handwritten digits as the packaged model takes them: 16x16 pixels 0..255, split once and for all.

Source: `sklearn.datasets.load_digits`, 1,797 images of 8x8 with values 0..16.
Enlarged: bilinear by 2 with half-pixel centres and repeated edges. An output pixel is (9a + 3b + 3c + d) / 16 of its
four nearest input pixels, so the sums are whole sixteenths; then 0..16 becomes 0..255, rounded half up; all integers.
Split: of each class a quarter (rounded) is held out, chosen by a fixed seed: 450 test images, 1,347 train images.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from tvm_wvv.data.labelled import LabelledImages

Split = Literal["train", "test"]

CLASSES = 10
SHAPE = (16, 16, 1)
_HELD_OUT = 0.25
_SPLIT_SEED = 0
_GREATEST = 16 * 16  # the greatest value 16, in sixteenths


def load(split: Split = "test") -> LabelledImages:
    """The images of one split, uint8 (n, 16, 16, 1), in the order of the source."""
    # scikit-learn takes a second to import, which no command that reads other data should pay.
    from sklearn.datasets import load_digits

    source = load_digits()
    labels = source.target.astype(np.int64)
    chosen = held_out(labels) if split == "test" else ~held_out(labels)
    return LabelledImages(enlarge(source.images[chosen].astype(np.int64)), labels[chosen])


def held_out(labels: np.ndarray) -> np.ndarray:
    """Which images are test images: a quarter of each class."""
    # RandomState, not default_rng: NumPy promises never to change its stream (NEP 19).
    random = np.random.RandomState(_SPLIT_SEED)
    chosen = np.zeros(len(labels), bool)
    for digit in range(CLASSES):
        members = random.permutation(np.flatnonzero(labels == digit))
        chosen[members[: round(_HELD_OUT * len(members))]] = True
    return chosen


def enlarge(images: np.ndarray) -> np.ndarray:
    """Integers 0..16 (n, h, w) to pixels uint8 (n, 2h, 2w, 1)."""
    sixteenths = _double(_double(images, axis=1), axis=2)
    return ((sixteenths * 255 + _GREATEST // 2) // _GREATEST).astype(np.uint8)[..., np.newaxis]


def _double(images: np.ndarray, axis: int) -> np.ndarray:
    """Twice as many entries along an axis, each 3 times its nearest entry plus the next nearest: 4 times the mean."""
    before = np.take(images, np.maximum(np.arange(images.shape[axis]) - 1, 0), axis)
    after = np.take(images, np.minimum(np.arange(images.shape[axis]) + 1, images.shape[axis] - 1), axis)
    pairs = np.stack([3 * images + before, 3 * images + after], axis=axis + 1)
    shape = list(images.shape)
    shape[axis] *= 2
    return pairs.reshape(shape)
