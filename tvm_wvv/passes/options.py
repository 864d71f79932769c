"""What a user may ask of the pipeline, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Target = Literal["cortex_m", "x86"]


@dataclass(frozen=True)
class Options:
    """`winograd` is auto, off or an algorithm (f2, f2:exact); `layers` holds (layer, algorithm) pairs, which go first.

    `every_layer` makes the network return the output of every layer, in order, for comparison with the reference.
    """

    winograd: str = "auto"
    layers: tuple[tuple[str, str], ...] = ()
    every_layer: bool = False
