"""Other runtimes on this computer, each as one call without arguments that runs a network once, on one thread.

Each is given its input beforehand and writes its output where it likes: what is timed is the network and one call.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends import tflite
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.micro.onnx_qdq import INPUT, to_onnx
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.fuse_qdq import FuseQdq
from tvm_wvv.passes.options import Options

Run = Callable[[], Any]


def ours(model: QuantModel, x: np.ndarray, options: Options) -> Run:
    """The network compiled for x86; its one call without the copies that `InProcess.run` makes for safety."""
    return InProcess(pipeline.lower(model, options, "x86")).bound((x,))


def xnnpack(source: bytes, x: np.ndarray) -> Run:
    """LiteRT with its default delegate."""
    interpreter = _module("ai_edge_litert.interpreter", "ai-edge-litert").Interpreter(
        model_content=source, num_threads=1
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    run: Run = interpreter.invoke
    return run


def onnxruntime(model: QuantModel, x: np.ndarray) -> Run:
    """onnxruntime on the same weights as a QDQ model, input and output bound beforehand."""
    runtime = _module("onnxruntime", "onnxruntime")
    _module("onnx", "onnx")
    fuse: Any = FuseQdq()
    source, output = to_onnx(fuse(model.module), model.inputs[0].shape)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    cells = (x.astype(np.int16) + 128).astype(np.uint8).transpose(0, 3, 1, 2)
    binding.bind_cpu_input(INPUT, np.ascontiguousarray(cells))
    binding.bind_output(output)
    return lambda: session.run_with_iobinding(binding)


def runs(source: bytes, name: str, options: Options, seed: int = 0) -> dict[str, Run]:
    """Ours and the others on one random input."""
    model = tflite.from_bytes(source, name, name)
    x = np.random.default_rng(seed).integers(-128, 128, model.inputs[0].shape).astype(np.int8)
    return {"ours": ours(model, x, options), "xnnpack": xnnpack(source, x), "onnxruntime": onnxruntime(model, x)}


def _module(name: str, package: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise WvvError(
            f"{package} is not installed; pip install {package}, which this measurement compares with"
        ) from error
