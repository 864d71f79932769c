"""A lowered module as machine code for x86: one object file of kernels, and the flat list of calls around them.

Takes:  `passes.lowered.Lowered` for x86, and LLVM's name of the CPU.
Gives:  a `Program` as on microcontrollers, with C names for everything, the object file that holds its functions, and
        all constants as one block of bytes. Nothing calls TVM's runtime; only the C library's memset and the like.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tvm
from tvm import tirx

from tvm_wvv.micro.aot import Program, program
from tvm_wvv.micro.bare_c import BareKernel, from_loops, loop_passes, run
from tvm_wvv.micro.bare_pointers import bare_pointers
from tvm_wvv.micro.split_reductions import split_reductions
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.plan.memory import align
from tvm_wvv.schedules.x86 import llvm_target

ALIGNMENT = 64
"""Of the arena and of every constant: a register of 512 bits, and a line of the caches."""


@dataclass(frozen=True)
class MachineCode:
    """`offsets` says where in `weights` each constant begins, by its C name."""

    program: Program
    object_file: bytes
    weights: bytes
    offsets: Mapping[str, int]


def machine_code(lowered: Lowered, mcpu: str) -> MachineCode:
    """Compile every kernel."""
    kernels: list[tirx.PrimFunc] = []

    def make(func: tirx.PrimFunc) -> BareKernel:
        bare = bare_pointers(run(loop_passes(func), split_reductions(func)), ALIGNMENT)
        kernels.append(bare.func)
        # There is no C text: the code goes through LLVM below, once all functions have their names.
        return BareKernel((), "", bare.workspace_bytes, ())

    made = program(lowered, make, ALIGNMENT)
    named = dict(zip((function.name for function in made.functions), kernels, strict=True))
    weights, offsets = _block(made.weights)
    return MachineCode(made, _object(named, llvm_target(mcpu)), weights, offsets)


def _object(kernels: Mapping[str, tirx.PrimFunc], target: tvm.target.Target) -> bytes:
    """LLVM's object file; one without functions where the network has none."""
    machine = {name: run(from_loops(vectors=True), func.with_attr("target", target)) for name, func in kernels.items()}
    module = tvm.IRModule({name: func.with_attr("global_symbol", name) for name, func in machine.items()})
    built = tvm.get_global_func("target.build.llvm")(module, target)
    with tempfile.TemporaryDirectory(prefix="wvv-") as folder:
        file = Path(folder, "kernels.o")
        built.write_to_file(str(file), "o")
        return file.read_bytes()


def _block(weights: Mapping[str, np.ndarray]) -> tuple[bytes, dict[str, int]]:
    """All constants one after the other, each aligned."""
    block, offsets = bytearray(), {}
    for name, array in weights.items():
        block += bytes(align(len(block), ALIGNMENT) - len(block))
        offsets[name] = len(block)
        block += np.ascontiguousarray(array).tobytes()
    return bytes(block), offsets
