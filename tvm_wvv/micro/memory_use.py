"""How much memory a loaded network takes in each runtime, every one in a process of its own.

A child imports the runtime, loads the network, runs it once, and says what it held before loading and after: the
proportional set size that Linux counts, in which pages of shared libraries are split among those that use them.
Compiling counts for ours, as optimizing does for the others: it happens in the same process.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tvm_wvv.errors import WvvError

_ROLLUP = Path("/proc/self/smaps_rollup")
_TIMEOUT_S = 600


@dataclass(frozen=True)
class MemoryUse:
    """`loaded_bytes` came with the network and its first inference; `process_bytes` is all that the process has."""

    loaded_bytes: int
    process_bytes: int


def memory_use(source: bytes, batch: int = 1, threads: int = 1) -> dict[str, MemoryUse]:
    """Of ours, XNNPACK and onnxruntime, by the names of `micro.peers`; `source` is a .tflite of one image."""
    from tvm_wvv.frontends.tflite_batch import with_batch

    several = source if batch == 1 else with_batch(source, batch, "model")
    with tempfile.TemporaryDirectory() as folder:
        tflite, onnx = Path(folder) / "model.tflite", Path(folder) / "model.onnx"
        tflite.write_bytes(several)
        onnx.write_bytes(_onnx(several))
        files = {"ours": tflite, "xnnpack": tflite, "onnxruntime": onnx}
        return {name: _of_child(name, file, threads) for name, file in files.items()}


def _onnx(source: bytes) -> bytes:
    from tvm_wvv.frontends import tflite
    from tvm_wvv.micro.onnx_qdq import to_onnx
    from tvm_wvv.passes.fuse_qdq import FuseQdq

    model = tflite.from_bytes(source, "model", "model")
    fuse: Any = FuseQdq()
    return to_onnx(fuse(model.module), model.inputs[0].shape)[0]


def _of_child(name: str, file: Path, threads: int) -> MemoryUse:
    command = [sys.executable, "-m", "tvm_wvv.micro.memory_use", name, str(file), str(threads)]
    # What this process found, the child must find: a checkout that is not installed, or another environment's packages.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, env=environment, check=False)
    if done.returncode:
        last = (done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1]
        raise WvvError(f"memory of {name}: its process failed: {last}")
    return MemoryUse(**json.loads(done.stdout.splitlines()[-1]))


def _held() -> int:
    """Bytes of this process."""
    lines = dict(line.split(":", 1) for line in _ROLLUP.read_text().splitlines()[1:])
    return int(lines["Pss"].split()[0]) * 1024


def _ours(file: Path, threads: int) -> Callable[[], object]:
    from tvm_wvv.frontends import tflite
    from tvm_wvv.micro.in_process import InProcess
    from tvm_wvv.passes import pipeline
    from tvm_wvv.passes.options import Options

    def load() -> object:
        network = InProcess(pipeline.lower(tflite.load(file), Options(mcpu="native", threads=threads), "x86"))
        network.run(tuple(np.zeros(info.shape, info.dtype) for info in network.inputs))
        return network

    return load


def _xnnpack(file: Path, threads: int) -> Callable[[], object]:
    from ai_edge_litert.interpreter import Interpreter

    def load() -> object:
        interpreter = Interpreter(model_path=str(file), num_threads=threads)
        interpreter.allocate_tensors()
        interpreter.invoke()
        return interpreter

    return load


def _onnxruntime(file: Path, threads: int) -> Callable[[], object]:
    import onnxruntime

    def load() -> object:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        (port,) = session.get_inputs()
        session.run(None, {port.name: np.zeros(port.shape, np.uint8)})
        return session

    return load


_RUNTIMES = {"ours": _ours, "xnnpack": _xnnpack, "onnxruntime": _onnxruntime}


def _child(name: str, file: str, threads: str) -> None:
    """Import, load, run once, and print."""
    load = _RUNTIMES[name](Path(file), int(threads))
    before = _held()
    network = load()
    gc.collect()
    after = _held()
    assert network is not None, "the network is held until now"
    print(json.dumps(asdict(MemoryUse(after - before, after))))


if __name__ == "__main__":
    _child(*sys.argv[1:])
