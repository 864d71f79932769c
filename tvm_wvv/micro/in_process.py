"""Run a lowered module in this process: TVM's LLVM back end, no C compiler needed.

The whole network is one call of one function; weights and arena stay where they are between calls.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
import tvm

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.one_function import one_function
from tvm_wvv.micro.storage import Place
from tvm_wvv.micro.threads import use_threads
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.schedules.x86 import llvm_target
from tvm_wvv.schedules.x86_features import check_host


class InProcess:
    """A compiled model; `run` may be called any number of times and keeps nothing between calls."""

    def __init__(self, lowered: Lowered) -> None:
        self._inputs = lowered.inputs
        attributes = lowered.module["main"].attrs
        mcpu = str(attributes.get("mcpu", ""))
        if mcpu:
            check_host(mcpu)
        # Modules that were lowered elsewhere, as an archive holds them, name none.
        self._threads = int(attributes.get("threads", 1))
        made = one_function(lowered, llvm_target(mcpu))
        # TVM allocates on 64 bytes, which is what the code takes for granted.
        arena = np.zeros(max(made.arena_bytes, 1), np.uint8)
        self._fixed = [tvm.runtime.tensor(made.weights), tvm.runtime.tensor(arena)]
        self._outputs = [tvm.runtime.empty(info.shape, info.dtype) for info in lowered.outputs]
        self._main, self._copies = made.module["main"], made.copies
        # Of all constants only those that an output shows: the others are among the weights, once.
        shown = {place.name for _, place in made.copies if place.region == "weight"}
        self._constants = {name: array.copy() for name, array in made.constants.items() if name in shown}
        self._settled = False

    def run(self, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """One example: arrays in the model's order, types and shapes; the outputs in the same manner."""
        self._check(inputs)
        self._call(*(tvm.runtime.tensor(np.ascontiguousarray(array)) for array in inputs), *self._outputs, *self._fixed)
        outputs = list(self.outputs)
        for position, place in self._copies:
            outputs[position] = self._source(place, inputs, outputs).reshape(outputs[position].shape)
        return tuple(outputs)

    @property
    def outputs(self) -> tuple[np.ndarray, ...]:
        """Copies of what the last call of the network wrote."""
        return tuple(output.numpy() for output in self._outputs)

    def bound(self, inputs: tuple[np.ndarray, ...]) -> Callable[[], object]:
        """A call of the network on these inputs without any copy around it, for `outputs` to show: what a measurement
        times.
        """
        self._check(inputs)
        arguments = (*map(tvm.runtime.tensor, inputs), *self._outputs, *self._fixed)
        call = self._main if self._threads == 1 else self._call
        return lambda: call(*arguments)

    def _call(self, *arguments: object) -> object:
        if self._threads > 1:
            use_threads(self._threads)
        return self._main(*arguments)

    def _source(self, place: Place, inputs: tuple[np.ndarray, ...], outputs: list[np.ndarray]) -> np.ndarray:
        """What an output shows that no kernel writes."""
        if place.region == "weight":
            return self._constants[place.name].copy()
        return (inputs if place.region == "input" else outputs)[place.number].copy()

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """What the network takes."""
        return self._inputs

    def _check(self, inputs: tuple[np.ndarray, ...]) -> None:
        if not self._settled:
            # Not before the first call: whoever made this network may have held what it was made from until then.
            _give_back()
            self._settled = True
        if len(inputs) != len(self._inputs):
            raise WvvError(f"{len(inputs)} inputs given, the model takes {len(self._inputs)}")
        for info, array in zip(self._inputs, inputs, strict=True):
            if array.shape != info.shape or str(array.dtype) != info.dtype:
                raise WvvError(f"input {info.name!r}: got {array.dtype} {array.shape}, needs {info.dtype} {info.shape}")


def _give_back() -> None:
    """Let the system have the memory that compilation took and freed, which glibc would keep: more than a network's."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
