"""The golden reference: TFLite's own reference kernels (BUILTIN_REF), run through whichever interpreter is installed.

TFLite's optimized kernels differ from these in the last bit; TensorFlow Lite Micro and CMSIS-NN follow these.
Needs tflite-runtime or its successor ai-edge-litert; both are imported only when a model is run. From 1.3 on the
successor's fully connected kernel rounds once where the reference rounds twice: a model with one is refused there.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import tflite

from tvm_wvv.errors import WvvError
from tvm_wvv.reference.all_outputs import operator_outputs, returning_all

# In order of preference: module and distribution.
_INTERPRETERS = (("tflite_runtime.interpreter", "tflite-runtime"), ("ai_edge_litert.interpreter", "ai-edge-litert"))
_SINGLE_ROUNDING_SINCE = (1, 3)
_INSTALL = "do: pip install tflite-runtime (Python up to 3.11) or ai-edge-litert==1.2.0 (up to 3.12)"
Outputs = dict[str, np.ndarray]


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of the model: its index, name, shape, NumPy dtype and quantization (0.0 where it has none)."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    scale: float
    zero_point: int


class Golden:
    """One model on the reference kernels. The kernels use one core, so `num_threads` samples are run at a time."""

    def __init__(self, model_bytes: bytes, all_tensors: bool = False, num_threads: int | None = None) -> None:
        """`all_tensors` keeps every intermediate value, as `layers` needs."""
        self._all_tensors = all_tensors
        self._model = bytes(model_bytes)
        self._threads = num_threads or os.cpu_count() or 1
        self._module, distribution = interpreter_module()
        _refuse_single_rounding(self._model, distribution)
        self._interpreters = [self._new_interpreter()]
        self.inputs = [_info(detail) for detail in self._interpreters[0].get_input_details()]
        own = tflite.Model.GetRootAs(self._model, 0).Subgraphs(0).OutputsLength()
        self.outputs = [_info(detail) for detail in self._interpreters[0].get_output_details()[:own]]

    def run(self, *inputs: np.ndarray) -> Outputs:
        """Every output by name, with a leading axis of samples; one array of n samples for each model input."""
        return self._collect(inputs, [(one.name, one.index) for one in self.outputs])

    def layers(self, *inputs: np.ndarray) -> Outputs:
        """Every operator's outputs by tensor name, in the order of computation, with a leading axis of samples."""
        assert self._all_tensors, "layers() needs Golden(..., all_tensors=True): other values are overwritten"
        return self._collect(inputs, operator_outputs(self._model))

    def layer_infos(self) -> dict[str, TensorInfo]:
        """What the arrays of `layers` mean, by the same names."""
        assert self._all_tensors, "layer_infos() needs Golden(..., all_tensors=True), as layers() does"
        infos = [_info(detail) for detail in self._interpreters[0].get_output_details()]
        by_index = {info.index: info for info in infos}
        layers = operator_outputs(self._model)
        named = {name: by_index[index] for name, index in layers}
        if len(named) < len(layers):
            twice = next(name for name, _ in layers if [other for other, _ in layers].count(name) > 1)
            raise WvvError(f"several tensors are called '{twice}': layers can be told apart by their names only")
        return named

    def _collect(self, inputs: Sequence[np.ndarray], wanted: Sequence[tuple[str, int]]) -> Outputs:
        samples = [_samples(array, info) for array, info in zip(inputs, self.inputs, strict=True)]
        count = len(samples[0])
        parts = np.array_split(np.arange(count), min(self._threads, max(count, 1)))
        while len(self._interpreters) < len(parts):
            self._interpreters.append(self._new_interpreter())
        with ThreadPoolExecutor(len(parts)) as pool:
            jobs = [
                pool.submit(self._run_part, interpreter, [array[part] for array in samples], wanted)
                for interpreter, part in zip(self._interpreters, parts, strict=False)
            ]
            results = [row for job in jobs for row in job.result()]
        if not results:
            blank = {name: self._interpreters[0].get_tensor(index) for name, index in wanted}
            return {name: np.empty((0, *value.shape), value.dtype) for name, value in blank.items()}
        return {name: np.stack([row[i] for row in results]) for i, (name, _) in enumerate(wanted)}

    def _run_part(
        self, interpreter: Any, samples: Sequence[np.ndarray], wanted: Iterable[tuple[str, int]]
    ) -> list[list[np.ndarray]]:
        rows = []
        for sample in zip(*samples, strict=True):
            for info, value in zip(self.inputs, sample, strict=True):
                interpreter.set_tensor(info.index, value)
            interpreter.invoke()
            rows.append([interpreter.get_tensor(index) for _, index in wanted])
        return rows

    def _new_interpreter(self) -> Any:
        try:
            interpreter = self._module.Interpreter(
                model_content=returning_all(self._model) if self._all_tensors else self._model,
                num_threads=1,
                experimental_op_resolver_type=self._module.OpResolverType.BUILTIN_REF,
                experimental_preserve_all_tensors=self._all_tensors,
            )
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            # The interpreter's own text runs over several lines; the first names the node.
            raise WvvError(f"TFLite's reference kernels refuse the model: {str(error).splitlines()[0]}") from error
        return interpreter


def interpreter_module() -> tuple[ModuleType, str]:
    """The first interpreter that is installed, and the name of its distribution."""
    for name, distribution in _INTERPRETERS:
        try:
            return importlib.import_module(name), distribution
        except ImportError:
            continue
    raise WvvError(f"no TFLite interpreter is installed; {_INSTALL}")


def _refuse_single_rounding(model: bytes, distribution: str) -> None:
    if distribution != "ai-edge-litert":
        return
    release = importlib.metadata.version(distribution)
    major, minor = release.split(".")[:2]
    if (int(major), int(minor)) >= _SINGLE_ROUNDING_SINCE and _has_fully_connected(model):
        raise WvvError(
            f"{distribution} {release} rounds fully connected layers once, the reference kernels twice; {_INSTALL}"
        )


def _info(detail: dict[str, Any]) -> TensorInfo:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(size) for size in detail["shape"])
    return TensorInfo(detail["index"], detail["name"], shape, np.dtype(detail["dtype"]), float(scale), int(zero_point))


def _samples(array: np.ndarray, info: TensorInfo) -> np.ndarray:
    """The array as (n, *shape). A batch of one may be left out; an array of the model's own shape is one sample."""
    array = np.asarray(array)
    if array.shape == info.shape:
        array = array[np.newaxis]
    elif info.shape[:1] == (1,) and array.shape[1:] == info.shape[1:]:
        array = array[:, np.newaxis]
    if array.shape[1:] != info.shape or array.dtype != info.dtype:
        raise WvvError(
            f"input {info.name}: got {array.dtype} of shape {array.shape}, "
            f"need {info.dtype} of shape {info.shape}, or N of them"
        )
    return array


def _has_fully_connected(model: bytes) -> bool:
    parsed = tflite.Model.GetRootAs(model, 0)
    codes = [parsed.OperatorCodes(i) for i in range(parsed.OperatorCodesLength())]
    # The old one-byte field holds every code that old files and this operator can have.
    return any(code.DeprecatedBuiltinCode() == tflite.BuiltinOperator.FULLY_CONNECTED for code in codes)
