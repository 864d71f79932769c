"""Other runtimes on this computer, each as one call without arguments that runs a network once on a batch of images.

Each is given its input beforehand and writes its output where it likes: what is timed is the network and one call. What
the call wrote can be looked at afterwards, as the int8 codes that TFLite would give.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
from tvm import IRModule

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends import tflite
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.micro.ncnn_network import INPUT as NCNN_INPUT
from tvm_wvv.micro.ncnn_network import to_ncnn
from tvm_wvv.micro.onnx_qdq import INPUT, to_onnx
from tvm_wvv.micro.peer_ncnn import faster_calls
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.fuse_qdq import FuseQdq
from tvm_wvv.passes.options import Options
from tvm_wvv.quant.operators import Affine

OURS = "ours"
# Module and distribution that each runtime needs; ONNX only to write the model.
_NEEDS = {
    "xnnpack": (("ai_edge_litert", "ai-edge-litert"),),
    "onnxruntime": (("onnxruntime", "onnxruntime"), ("onnx", "onnx")),
    "ncnn": (("ncnn", "ncnn"),),
}


@dataclass(frozen=True)
class Run:
    """`call` runs the network once; `output` is what the last call gave, int8 with a leading axis of images."""

    call: Callable[[], object]
    output: Callable[[], np.ndarray]
    note: str = ""

    def __call__(self) -> object:
        """The network, once."""
        return self.call()


def missing() -> tuple[str, ...]:
    """Distributions that a comparison needs and that are not installed."""
    return tuple(
        package for needs in _NEEDS.values() for module, package in needs if importlib.util.find_spec(module) is None
    )


def versions() -> dict[str, str]:
    """Of the runtimes that are compared with, by their names here."""
    return {name: importlib.metadata.version(needs[0][1]) for name, needs in _NEEDS.items()}


def sample(model: QuantModel, batch: int, seed: int = 0) -> np.ndarray:
    """Random images; fewer of them are the first of more."""
    _, *image = model.inputs[0].shape
    return np.random.default_rng(seed).integers(-128, 128, (batch, *image)).astype(np.int8)


def ours(source: bytes, x: np.ndarray, options: Options, threads: int = 1) -> Run:
    """The network compiled for x86 and all images of `x` together; without the copies that `InProcess.run` makes."""
    model = tflite.batched(source, len(x), "ours", "ours")
    compiled = InProcess(pipeline.lower(model, replace(options, threads=threads), "x86"))
    return Run(compiled.bound((x,)), lambda: compiled.outputs[0])


def xnnpack(source: bytes, x: np.ndarray, threads: int = 1) -> Run:
    """LiteRT with its default delegate."""
    runtime = _module("ai_edge_litert.interpreter", "ai-edge-litert")
    interpreter = runtime.Interpreter(model_content=source, num_threads=threads)
    port, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(port, x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(port, x)
    return Run(interpreter.invoke, lambda: np.asarray(interpreter.get_tensor(result)))


def onnxruntime(model: QuantModel, x: np.ndarray, threads: int = 1) -> Run:
    """onnxruntime on the same weights as a QDQ model, input and output bound beforehand."""
    runtime = _module("onnxruntime", "onnxruntime")
    _module("onnx", "onnx")
    source, output = to_onnx(integer(model), x.shape)
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_cpu_input(INPUT, as_unsigned(x))
    binding.bind_output(output)

    def codes() -> np.ndarray:
        return _channels_last(binding.copy_outputs_to_cpu()[0].astype(np.int16) - 128).astype(np.int8)

    return Run(lambda: session.run_with_iobinding(binding), codes)


def ncnn(model: QuantModel, x: np.ndarray, threads: int = 1) -> Run:
    """ncnn on the same weights, image after image, by Winograd or without, whichever is faster here."""
    source, result = model.inputs[0].affine, model.outputs[0].affine
    assert source is not None and result is not None, "the network's input and output are int8"
    network = to_ncnn(integer(model), model.inputs[0].shape)
    found = faster_calls(_module("ncnn", "ncnn"), network, NCNN_INPUT, as_floats(x, source), threads)
    return Run(found.call, lambda: _channels_last(_codes(found.outputs(), result)), found.way)


def as_unsigned(x: np.ndarray) -> np.ndarray:
    """Images as onnxruntime has them: NCHW, uint8."""
    return np.ascontiguousarray((x.astype(np.int16) + 128).astype(np.uint8).transpose(0, 3, 1, 2))


def as_floats(x: np.ndarray, affine: Affine) -> np.ndarray:
    """Images as ncnn has them: NCHW, real numbers."""
    return ((x.astype(np.float32) - affine.zero_point) * np.float32(affine.scale)).transpose(0, 3, 1, 2)


def integer(model: QuantModel) -> IRModule:
    """The network as integer operators, which other runtimes' models are written from."""
    # A module pass has no type that says it can be called.
    fuse: Any = FuseQdq()
    return fuse(model.module)


def runs(content: bytes, name: str, options: Options, *, threads: int = 1, batch: int = 1) -> dict[str, Run]:
    """Ours and the others on one batch of random images."""
    model = tflite.from_bytes(content, name, name)
    _refuse(model, name)
    x = sample(model, batch)
    return {
        OURS: ours(content, x, options, threads),
        "xnnpack": xnnpack(content, x, threads),
        "onnxruntime": onnxruntime(model, x, threads),
        "ncnn": ncnn(model, x, threads),
    }


def _refuse(model: QuantModel, name: str) -> None:
    ports = (*model.inputs, *model.outputs)
    if len(ports) != 2 or any(one.dtype != "int8" or one.affine is None for one in ports):
        raise WvvError(f"{name}: a comparison needs one int8 input and one int8 output")
    if model.inputs[0].shape[0] != 1 or len(model.inputs[0].shape) != 4:
        raise WvvError(f"{name}: the input is {model.inputs[0].shape}, a comparison needs one image, (1, h, w, c)")


def _channels_last(output: np.ndarray) -> np.ndarray:
    """NHWC of an image, which other runtimes give as NCHW."""
    return np.ascontiguousarray(output.transpose(0, 2, 3, 1)) if output.ndim == 4 else output


def _codes(real: np.ndarray, affine: Affine) -> np.ndarray:
    return np.clip(np.rint(real / np.float32(affine.scale)) + affine.zero_point, -128, 127).astype(np.int8)


def _module(name: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise WvvError(
            f"{package} is not installed; pip install {package}, which this measurement compares with"
        ) from error
