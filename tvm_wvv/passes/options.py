"""What a user may ask of the pipeline, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Target = Literal["cortex_m", "cortex_m_dsp", "cortex_m_mve", "x86"]
"""What kernels are made for: any Cortex-M, one with the DSP extension (then with microkernels), one with integer
vectors (MVE) besides, or this host."""
Direct = Literal["own", "cmsis-nn"]


@dataclass(frozen=True)
class RecipeFile:
    """A recipe as its file holds it; `source` names it in messages."""

    source: str
    text: str


@dataclass(frozen=True)
class TunedFile:
    """A tuning database as its file holds it, empty for none; `source` names it in messages."""

    source: str
    text: str


@dataclass(frozen=True)
class Options:
    """`winograd` is auto, off or an algorithm (f2, f2:exact); `layers` holds (layer, algorithm) pairs, which go first.

    `auto` follows the recipe where it names a layer, and an algorithm that rounds takes its stage quantizers from it.
    `every_layer` makes the network return the output of every layer, in order, for comparison with the reference; with
    `alone` it also takes them, as further inputs, and every layer reads these instead of what the network computed.
    `direct` says whose kernels compute what Winograd does not; `cmsis_nn` is the folder of that library where the user
    named one. `flash_bytes` limits the constants of the whole network: what `auto` takes is then the fastest that fits.
    `mcpu` is LLVM's name of the CPU that x86 kernels are for, or native; without it they are for any host. `threads`
    share the work of those kernels, and `batch` images go through them together. `tuned` replaces the tuning database
    that comes with the package.
    Plain values throughout: archives keep the options as JSON.
    """

    winograd: str = "auto"
    layers: tuple[tuple[str, str], ...] = ()
    every_layer: bool = False
    alone: bool = False
    recipe: RecipeFile | None = None
    direct: Direct = "own"
    cmsis_nn: str | None = None
    flash_bytes: int | None = None
    mcpu: str = ""
    tuned: TunedFile | None = None
    threads: int = 1
    batch: int = 1
