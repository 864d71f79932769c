"""A kernel that calls a library's function instead of computing by itself: as a plain value, and as TensorIR.

The function is one of deploy/cmsis_nn: pointers to inputs, constants, parameters, output and scratch, then the bytes of
scratch. How many bytes it needs only the library knows; who makes the kernel asks it first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.kernels.blocks import intermediate, primitive
from tvm_wvv.kernels.kernel import Kernel, Shape

_WORD = 4  # scratch is made of int32, so that it is aligned for whatever the library keeps there


@dataclass(frozen=True)
class LibraryCall:
    """`operator` ends the C names of the shim; `parameters` are the fields of its structure, in order."""

    operator: str
    inputs: tuple[Shape, ...]
    output: Shape
    parameters: tuple[int, ...]
    constants: tuple[tuple[str, np.ndarray], ...] = ()


@dataclass(frozen=True)
class Shim:
    """The C side: names are `prefix` and an operator, declared in `header`."""

    prefix: str
    header: str


def library_kernel(call: LibraryCall, shim: Shim, scratch_bytes: int) -> Kernel:
    """The call with room for what the library needs; parameters travel as the last constant."""
    constants = {**dict(call.constants), "parameters": np.array(call.parameters, np.int32)}
    names = ("x",) if len(call.inputs) == 1 else ("lhs", "rhs")
    operands = {name: (shape, "int8") for name, shape in zip(names, call.inputs, strict=True)}
    operands |= {name: (array.shape, str(array.dtype)) for name, array in constants.items()}
    words = max(1, -(-scratch_bytes // _WORD))

    def body(*buffers: tirx.Buffer) -> None:
        *read, written = buffers
        pointers = [*(buffer.access_ptr("r") for buffer in read), written.access_ptr("w")]
        scratch = intermediate("scratch", (words,), "int32").access_ptr("rw")
        T.evaluate(T.call_extern("void", shim.prefix + call.operator, *pointers, scratch, words * _WORD))

    func = primitive({**operands, "y": (call.output, "int8")}, body).with_attr("wvv.headers", [shim.header])
    return Kernel(f"{shim.prefix.removeprefix('wvv_')}{call.operator}", func, tuple(constants.values()))
