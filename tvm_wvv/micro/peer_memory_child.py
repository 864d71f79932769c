"""`python -m tvm_wvv.micro.peer_memory_child RUNTIME FOLDER THREADS`: memory that one runtime takes for one network.

Loads what `peer_memory` wrote into FOLDER, runs it once and prints, in bytes, by how much the process grew since its
imports. Memory is what is resident (RSS), code and mapped files among it: a share (PSS) would shrink whenever another
process maps the same libraries. Only `ours_in_process` imports anything of this package; the others just run a network.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROLLUP = Path("/proc/self/smaps_rollup")


def main(runtime: str, folder: Path, threads: int) -> int:
    """The whole of it."""
    module, load = LOADERS[runtime]
    made = importlib.import_module(module)
    before = _resident()
    kept = load(made, folder, threads)
    gc.collect()
    grown = _resident() - before
    assert kept is not None, "the network is held until it is measured"
    print(grown)
    return 0


def _resident() -> int:
    fields = dict(line.split(":", 1) for line in ROLLUP.read_text(encoding="ascii").splitlines()[1:])
    return int(fields["Rss"].split()[0]) * 1024


def _ours(tvm: Any, folder: Path, _threads: int) -> object:
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    library = tvm.runtime.load_module(str(folder / "network.so"))
    weights = tvm.runtime.tensor(np.load(folder / "weights.npy"))
    arena = tvm.runtime.tensor(np.zeros(facts["arena_bytes"], np.uint8))
    output = tvm.runtime.empty(facts["output"], "int8")
    library["main"](tvm.runtime.tensor(np.load(folder / "x.npy")), output, weights, arena)
    return library, weights, arena, output


def _in_process(peers: Any, folder: Path, threads: int) -> object:
    content, x = (folder / "network.tflite").read_bytes(), np.load(folder / "x.npy")
    options = peers.Options(mcpu=json.loads((folder / "facts.json").read_text(encoding="utf-8"))["mcpu"])
    run = peers.ours(content, x, options, threads)
    run()
    return run


def _xnnpack(module: Any, folder: Path, threads: int) -> object:
    x = np.load(folder / "x.npy")
    interpreter = module.Interpreter(model_path=str(folder / "network.tflite"), num_threads=threads)
    port = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(port, x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(port, x)
    interpreter.invoke()
    return interpreter


def _onnxruntime(module: Any, folder: Path, threads: int) -> object:
    options = module.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = module.InferenceSession(str(folder / "network.onnx"), options, providers=["CPUExecutionProvider"])
    (port,) = session.get_inputs()
    return session, session.run(None, {port.name: np.load(folder / "x.npy")})


def _ncnn(module: Any, folder: Path, threads: int) -> object:
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    net = module.Net()
    net.opt.num_threads = threads
    net.opt.use_winograd_convolution = facts["winograd"]
    net.load_param(str(folder / "network.param"))
    net.load_model(str(folder / "network.bin"))
    for image in np.load(folder / "x.npy"):
        extractor = net.create_extractor()
        extractor.input(facts["input"], module.Mat(image).clone())
        extractor.extract(facts["output"])
    return net


LOADERS: dict[str, tuple[str, Callable[[Any, Path, int], object]]] = {
    "ours": ("tvm", _ours),
    "ours_in_process": ("tvm_wvv.micro.peers", _in_process),
    "xnnpack": ("ai_edge_litert.interpreter", _xnnpack),
    "onnxruntime": ("onnxruntime", _onnxruntime),
    "ncnn": ("ncnn", _ncnn),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
