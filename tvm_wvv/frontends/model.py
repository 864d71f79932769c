"""A quantized model as the passes take it: a QDQ Relax module and what its inputs and outputs mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tvm_wvv.quant.operators import Affine

if TYPE_CHECKING:
    from tvm import IRModule


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of the network; `affine` is None for a tensor that is not quantized.

    Of a float32 one, `affine` is that of the int8 tensor which QUANTIZE makes of it or DEQUANTIZE takes; None where
    several of these differ.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    affine: Affine | None


@dataclass(frozen=True)
class QuantModel:
    """`name` is a C identifier made from the file's name; `sha256` is of the model file."""

    name: str
    module: IRModule
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    sha256: str
