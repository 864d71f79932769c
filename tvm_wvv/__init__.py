"""Compile int8 TFLite networks to plain C for Cortex-M, with 3x3 convolutions in exact Winograd form.

Importing the package loads neither TVM nor torch; its sub-packages load what they need.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tvm_wvv.micro.x86_loaded import Library

__version__ = "0.1.0"


def load(path: str | Path) -> Library:
    """A network that `wvv compile --board x86` made, to be called on NumPy arrays; needs no TVM.

    `path` is the folder, or the shared library in it.
    """
    from tvm_wvv.micro import x86_loaded

    return x86_loaded.load(path)
