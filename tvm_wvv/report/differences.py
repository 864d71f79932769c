"""How far a layer's outputs are from the reference's: differing bytes, largest difference, signal to noise.

All values count in steps of the layer's scale: a code less its zero point, a float divided by the scale. With r the
reference's and d the device's,

    SQNR = 10 log10( sum r^2 / sum (d - r)^2 )  decibels, the sums over all elements of all inferences.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tvm_wvv.quant.operators import Affine


@dataclass(frozen=True)
class Difference:
    """Of some inferences; those of further ones are added. `largest` is in steps, `signal` and `noise` in their
    squares.
    """

    differing_bytes: int = 0
    bytes: int = 0
    largest: float = 0
    signal: float = 0
    noise: float = 0

    def __add__(self, other: Difference) -> Difference:
        return Difference(
            self.differing_bytes + other.differing_bytes,
            self.bytes + other.bytes,
            max(self.largest, other.largest),
            self.signal + other.signal,
            self.noise + other.noise,
        )

    @property
    def identical(self) -> bool:
        """Byte for byte."""
        return self.differing_bytes == 0

    @property
    def sqnr_db(self) -> float | None:
        """None where a ratio says nothing: no difference, or a reference that is zero throughout."""
        return 10 * math.log10(self.signal / self.noise) if self.signal and self.noise else None


@dataclass(frozen=True)
class LayerDifference:
    """One layer under its TFLite tensor's name."""

    name: str
    op: str
    algorithm: str
    difference: Difference


@dataclass(frozen=True)
class Comparison:
    """All layers in the order of computation. With `each`, every layer was fed the reference's own values."""

    board: str
    n: int
    each: bool
    layers: tuple[LayerDifference, ...]

    @property
    def first_difference(self) -> str | None:
        """The first layer of which some byte differs."""
        return next((layer.name for layer in self.layers if not layer.difference.identical), None)


def difference(device: np.ndarray, reference: np.ndarray, affine: Affine) -> Difference:
    """Of arrays of one shape and type, int8 or float32; `affine` is that of the codes, or of those a float stands for.

    Integers are summed exactly.
    """
    assert device.shape == reference.shape, f"the device gave {device.shape}, the reference {reference.shape}"
    assert device.dtype == reference.dtype, f"the device gave {device.dtype}, the reference {reference.dtype}"
    ours, theirs = _steps(device, affine), _steps(reference, affine)
    error = ours - theirs
    return Difference(
        differing_bytes=int(np.count_nonzero(_bytes(device) != _bytes(reference))),
        bytes=device.nbytes,
        largest=np.abs(error).max(initial=0).item(),
        signal=np.square(theirs).sum().item(),
        noise=np.square(error).sum().item(),
    )


def comparison_object(comparison: Comparison) -> dict[str, Any]:
    """What `wvv compare --json` prints."""
    first = comparison.first_difference
    return {
        "board": comparison.board,
        "n": comparison.n,
        "each": comparison.each,
        "identical": first is None,
        "first_difference": first,
        "layers": [_layer_object(layer) for layer in comparison.layers],
    }


def by_lowest_sqnr(layers: Sequence[LayerDifference]) -> LayerDifference | None:
    """The layer with most noise; None where no layer has any."""
    noisy = [(layer.difference.sqnr_db, layer) for layer in layers]
    known = [(decibels, layer) for decibels, layer in noisy if decibels is not None]
    return min(known, key=lambda pair: pair[0])[1] if known else None


def _layer_object(layer: LayerDifference) -> dict[str, Any]:
    found = layer.difference
    return {
        "name": layer.name,
        "op": layer.op,
        "algorithm": layer.algorithm,
        "identical": found.identical,
        "differing_bytes": found.differing_bytes,
        "bytes": found.bytes,
        "largest_difference": found.largest,
        "sqnr_db": found.sqnr_db,
    }


def _steps(values: np.ndarray, affine: Affine) -> np.ndarray:
    if values.dtype == np.float32:
        return values.astype(np.float64) / affine.scale
    return values.astype(np.int64) - affine.zero_point


def _bytes(values: np.ndarray) -> np.ndarray:
    """Equal floats may differ in bits, as the two zeros do."""
    return np.ascontiguousarray(values).view(np.uint8)
