"""Algorithms with matrices as training may leave them: near the algorithm's own, in fixed point, zeros moved too."""

from __future__ import annotations

import numpy as np

from tvm_wvv.transforms.catalog import axis_of
from tvm_wvv.transforms.learned import FixedPoint, Transforms
from tvm_wvv.transforms.matrix import IntMatrix

# Steps in one, of input, weight and output matrix: those that training takes.
STEPS = {"f2": (16, 128, 16), "f4": (16, 128, 8), "f4h": (16, 128, 16), "f6": (16, 128, 2)}


def learned_transforms(base: str, seed: int = 0, moved: float = 0.08) -> Transforms:
    """Each entry moved by a share of the greatest."""
    random, axis = np.random.default_rng(seed), axis_of(base)
    matrices = zip((axis.bt, axis.g, axis.at), STEPS[base], strict=True)
    return Transforms(base, *(_moved(matrix, steps, random, moved) for matrix, steps in matrices))


def own_transforms(base: str) -> Transforms:
    """The algorithm's own matrices."""
    axis = axis_of(base)
    return Transforms(base, FixedPoint(axis.bt), FixedPoint(axis.g), FixedPoint(axis.at))


def _moved(matrix: IntMatrix, steps: int, random: np.random.Generator, share: float) -> FixedPoint:
    real = np.array(matrix) + share * np.abs(matrix).max() * random.uniform(-1, 1, np.shape(matrix))
    codes = np.rint(real * steps).astype(int)
    return FixedPoint(tuple(map(tuple, codes.tolist())), steps)
