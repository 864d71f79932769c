"""Memory of one network in each runtime: a process of its own loads it, runs it once and tells how much it grew.

Each gets what its users would have on disk: ours is a shared library and an array of weights, compiled beforehand;
`ours_in_process` is the .tflite file, and the process compiles it first.
None where this system does not tell a process's memory, or has no C compiler to link the library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends import tflite
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.micro import peer_memory_child as child
from tvm_wvv.micro.ncnn_network import INPUT as NCNN_INPUT
from tvm_wvv.micro.ncnn_network import to_ncnn
from tvm_wvv.micro.one_function import one_function
from tvm_wvv.micro.onnx_qdq import to_onnx
from tvm_wvv.micro.peers import OURS, as_floats, as_unsigned, integer, sample
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.options import Options
from tvm_wvv.schedules.x86 import llvm_target

IN_PROCESS = "ours_in_process"


def memory_bytes(
    content: bytes,
    name: str,
    options: Options,
    runtime: str,
    *,
    threads: int = 1,
    batch: int = 1,
    winograd: bool = True,
) -> int | None:
    """What a process grows by; `winograd` is ncnn's way of convolutions."""
    if not child.ROLLUP.exists():
        return None
    model = tflite.from_bytes(content, name, name)
    x = sample(model, batch)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if runtime == OURS:
            together = tflite.batched(content, batch, name, name)
            if not _write_ours(folder, together, x, replace(options, threads=threads)):
                return None
        if runtime in ("xnnpack", IN_PROCESS):
            (folder / "network.tflite").write_bytes(content)
            np.save(folder / "x.npy", x)
            (folder / "facts.json").write_text(json.dumps({"mcpu": options.mcpu}), encoding="utf-8")
        if runtime == "onnxruntime":
            (folder / "network.onnx").write_bytes(to_onnx(integer(model), x.shape)[0])
            np.save(folder / "x.npy", as_unsigned(x))
        if runtime == "ncnn":
            _write_ncnn(folder, model, x, winograd)
        return _grown(runtime, folder, threads)


def _write_ours(folder: Path, model: QuantModel, x: np.ndarray, options: Options) -> bool:
    """Whether the library could be linked."""
    lowered = pipeline.lower(model, options, "x86")
    made = one_function(lowered, llvm_target(str(lowered.module["main"].attrs.get("mcpu", ""))))
    try:
        made.module.export_library(str(folder / "network.so"))
    except RuntimeError:
        return False
    np.save(folder / "weights.npy", made.weights)
    np.save(folder / "x.npy", x)
    facts = {"arena_bytes": max(made.arena_bytes, 1), "output": list(lowered.outputs[0].shape)}
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    return True


def _write_ncnn(folder: Path, model: QuantModel, x: np.ndarray, winograd: bool) -> None:
    affine = model.inputs[0].affine
    assert affine is not None, "the network's input is int8"
    network = to_ncnn(integer(model), model.inputs[0].shape)
    (folder / "network.param").write_text(network.param, encoding="ascii")
    (folder / "network.bin").write_bytes(network.binary)
    np.save(folder / "x.npy", np.ascontiguousarray(as_floats(x, affine)))
    facts = {"input": NCNN_INPUT, "output": network.output, "winograd": winograd}
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")


def _grown(runtime: str, folder: Path, threads: int) -> int:
    # By path: that imports no other module of this package.
    command = [sys.executable, str(Path(child.__file__)), runtime, str(folder), str(threads)]
    paths = [*filter(None, sys.path), str(Path(child.__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["nothing"]
        raise WvvError(f"{runtime}: its memory could not be measured; the process said: {said[-1]}")
    return int(done.stdout.split()[-1])
