"""Run a lowered module in this process: TVM's LLVM back end and Relax's virtual machine, no C compiler needed."""

from __future__ import annotations

import numpy as np
import tvm
from tvm import IRModule, relax, tirx

from tvm_wvv.errors import WvvError
from tvm_wvv.passes.lowered import Lowered


class InProcess:
    """A compiled model; `run` may be called any number of times and keeps nothing between calls."""

    def __init__(self, lowered: Lowered) -> None:
        self._inputs = lowered.inputs
        executable = tvm.compile(_with_own_symbols(lowered.module), target=tvm.target.Target({"kind": "llvm"}))
        self._main = relax.VirtualMachine(executable, tvm.cpu())["main"]

    def run(self, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """One example: arrays in the model's order, types and shapes; the outputs in the same manner."""
        self._check(inputs)
        result = self._main(*(tvm.runtime.tensor(np.ascontiguousarray(array)) for array in inputs))
        outputs = (result,) if isinstance(result, tvm.runtime.Tensor) else tuple(result)
        return tuple(output.numpy() for output in outputs)

    def _check(self, inputs: tuple[np.ndarray, ...]) -> None:
        if len(inputs) != len(self._inputs):
            raise WvvError(f"{len(inputs)} inputs given, the model takes {len(self._inputs)}")
        for info, array in zip(self._inputs, inputs, strict=True):
            if array.shape != info.shape or str(array.dtype) != info.dtype:
                raise WvvError(f"input {info.name!r}: got {array.dtype} {array.shape}, needs {info.dtype} {info.shape}")


def _with_own_symbols(module: IRModule) -> IRModule:
    """Each kernel under its own symbol; `te.create_prim_func` calls all of them `main`, like the model itself."""
    own = IRModule(dict(module.functions_items()), attrs=module.attrs)
    for name, func in module.functions_items():
        if isinstance(func, tirx.PrimFunc):
            own.update_func(name, func.with_attr("global_symbol", name.name_hint))
    return own
