"""What lowering gives: a module of kernel calls, and one report a layer."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import IRModule

from tvm_wvv.frontends.model import TensorInfo

OWN = "own"


@dataclass(frozen=True)
class LayerReport:
    """One layer as `explain` and `profile` show it.

    `reason` says why Winograd was refused, or a slower form of it taken, and on x86 by which estimate `auto` took it;
    it is None where Winograd was not asked for.
    `backend` is whose kernel computes it; `backend_reason` says why it is ours where a library was asked for.
    """

    name: str
    op: str
    algorithm: str
    reason: str | None
    macs: int
    multiplications: int
    weight_bytes: int
    output_shape: tuple[int, ...]
    backend: str = OWN
    backend_reason: str | None = None


@dataclass(frozen=True)
class Lowered:
    """`module` holds `main`, a flat list of `call_tir`, and the kernels.

    The attribute `layers` of `main` says to which layer each binding belongs.
    """

    name: str
    module: IRModule
    layers: tuple[LayerReport, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    sha256: str
