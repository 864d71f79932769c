"""Which direct layers become calls of a library, as kernels; and for each of the others the reason.

Before:  a module of integer operators, Winograd layers rewritten already: they are left alone.
Gives:   by layer name a kernel or the reason why our own is kept. Changes nothing: `lower` puts the kernels in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from tvm import IRModule, ir

from tvm_wvv.kernels import cmsis_nn
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.kernels.library_call import LibraryCall, library_kernel
from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.stages import STAGES
from tvm_wvv.quant.operators import Reshape


class Library(Protocol):
    """A copy of CMSIS-NN for one core."""

    @property
    def name(self) -> str:
        """As reports show it, with its version."""
        ...

    @property
    def functions(self) -> Collection[str]:
        """What its sources define."""
        ...

    def scratch_bytes(self, calls: Sequence[LibraryCall]) -> Sequence[int]:
        """What each call needs on that core, by the library's own word."""
        ...


def offload(integer: IRModule, library: Library) -> Mapping[str, Kernel | str]:
    """One entry a direct layer that computes."""
    decisions = {
        integer_ops.layer_of(call): _decision(call, library.functions)
        for block in integer["main"].body.blocks
        for call in (binding.value for binding in block.bindings)
        if integer_ops.is_integer_op(call) and not isinstance(integer_ops.read(call), (*STAGES, Reshape))
    }
    calls = {layer: one for layer, one in decisions.items() if isinstance(one, LibraryCall)}
    # One question for all of them: each asks a program on the board.
    sizes = dict(zip(calls, library.scratch_bytes(list(calls.values())), strict=True)) if calls else {}
    return {
        layer: library_kernel(one, cmsis_nn.SHIM, sizes[layer]) if isinstance(one, LibraryCall) else one
        for layer, one in decisions.items()
    }


def _decision(call: ir.Call, known: Collection[str]) -> LibraryCall | str:
    node = integer_ops.read(call)
    assert not isinstance(node, STAGES), f"{node} belongs to a Winograd layer"
    data, constants = integer_ops.split_args(call)
    shapes = [integer_ops.shape_of(arg) for arg in data]
    arrays = [arg.value.numpy() for arg in constants]
    return cmsis_nn.library_call(node, shapes, integer_ops.shape_of(call), arrays, known)
