"""How good and how faithful a network's outputs are, from arrays alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvm_wvv.errors import WvvError


@dataclass(frozen=True)
class Score:
    """`top1` in percent; `agreement` (equal arg-max) and `identical` (equal bytes) are shares of 1.

    Both are against the reference kernels, and None where the model is not at hand to run them.
    """

    n: int
    top1: float
    agreement: float | None
    identical: float | None


def score(outputs: np.ndarray, labels: np.ndarray, reference: np.ndarray | None) -> Score:
    """Outputs (n, ...) of class scores; ties go to the lower class, as `argmax` has it."""
    rows = outputs.reshape(len(labels), -1)
    if labels.max() >= rows.shape[1]:
        raise WvvError(
            f"labels go up to {labels.max()}, the model tells {rows.shape[1]} classes apart "
            f"(0 to {rows.shape[1] - 1}): use the data set that it was trained for"
        )
    best = rows.argmax(axis=1)
    top1 = 100 * float(np.mean(best == labels))
    if reference is None:
        return Score(len(labels), top1, None, None)
    golden = reference.reshape(len(labels), -1)
    return Score(
        n=len(labels),
        top1=top1,
        agreement=float(np.mean(best == golden.argmax(axis=1))),
        identical=float(np.mean((_bytes(rows) == _bytes(golden)).all(axis=1))),
    )


def _bytes(rows: np.ndarray) -> np.ndarray:
    """Equal floats may differ in bits (the two zeros), and a NaN differs from itself."""
    return np.ascontiguousarray(rows).view(np.uint8)
