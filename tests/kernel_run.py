"""Run kernels in process: built by LLVM as TensorIR, or by a C compiler from the bare-pointer text."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tvm
from strategies import SingleOp
from tvm import tirx

from tvm_wvv.kernels.dispatch import kernel_of
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.micro import bare_c
from tvm_wvv.quant import operators as ops
from tvm_wvv.schedules.x86 import llvm_target

Arrays = Sequence[np.ndarray]


def kernel_for(case: SingleOp) -> Kernel:
    """The kernel of a random single-operator model; a constant second operand is one more buffer."""
    if isinstance(case.op, ops.Add | ops.Mul):
        return kernel_of(case.op, (*case.inputs, *(array.shape for array in case.constants)))
    return kernel_of(case.op, case.inputs, case.constants)


def operands(case: SingleOp, inputs: Arrays, kernel: Kernel) -> Arrays:
    """What `kernel_for(case)` takes before its output, for one sample."""
    second = case.constants if isinstance(case.op, ops.Add | ops.Mul) else ()
    return (*inputs, *second, *kernel.constants)


def stale_output(func: tirx.PrimFunc) -> np.ndarray:
    """An output full of old bytes, which would show where a kernel leaves a hole."""
    ty = func.params[-1].ty
    blank = np.empty([int(size) for size in ty.shape], str(ty.dtype))
    blank.reshape(-1).view(np.uint8)[:] = 85
    return blank


class LlvmKernel:
    """One PrimFunc, built once, for any host or for the x86 CPU that LLVM calls `mcpu`."""

    def __init__(self, func: tirx.PrimFunc, mcpu: str = "") -> None:
        self._built = tvm.compile(func.with_attr("global_symbol", "kernel"), target=llvm_target(mcpu))
        self._stale = stale_output(func)

    def __call__(self, arrays: Arrays) -> np.ndarray:
        out = tvm.runtime.tensor(self._stale)
        self._built["kernel"](*(tvm.runtime.tensor(np.ascontiguousarray(array)) for array in arrays), out)
        return out.numpy()


class CKernel:
    """The same from C, with every undefined behaviour reported on stderr by the sanitizer."""

    def __init__(self, func: tirx.PrimFunc, compiler: str, folder: Path) -> None:
        bare = bare_c.build(func)
        text = "".join(f"#include <{name}.h>\n" for name in ("stdint", "stdbool", *bare.headers))
        (folder / "kernel.c").write_text(text + bare.definition("kernel", restrict=True))
        flags = ("-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-strict-aliasing", "-fsanitize=undefined")
        library = folder / "kernel.so"
        subprocess.run([compiler, *flags, "-shared", "-fPIC", folder / "kernel.c", "-o", library], check=True)
        self._function = ctypes.CDLL(str(library)).kernel
        self._stale, self._workspace_bytes = stale_output(func), bare.workspace_bytes

    def __call__(self, arrays: Arrays) -> np.ndarray:
        out = self._stale.copy()
        scratch = [np.full(self._workspace_bytes, 85, np.uint8)] if self._workspace_bytes else []
        buffers = [*(np.ascontiguousarray(array) for array in arrays), out, *scratch]
        self._function(*(ctypes.c_void_p(buffer.ctypes.data) for buffer in buffers))
        return out
