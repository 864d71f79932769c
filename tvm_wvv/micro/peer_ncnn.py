"""ncnn loaded from memory and run on images; what is timed is an extractor's whole life, as ncnn's users run a network.

ncnn has two ways for a 3x3 convolution of stride 1, Winograd and matrix product. Which is faster depends on the CPU and
ncnn itself always takes the first, so both are tried and the faster one is what is compared with.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.ncnn_network import NcnnNetwork

_TRIES = 5
WINOGRAD = "Winograd"
_WAYS = {WINOGRAD: True, "no Winograd": False}


@dataclass(frozen=True)
class NcnnCalls:
    """`call` runs all images in turn, `outputs` gives the real numbers of the last call, images first."""

    call: Callable[[], object]
    outputs: Callable[[], np.ndarray]
    way: str


def faster_calls(module: ModuleType, network: NcnnNetwork, port: str, images: np.ndarray, threads: int) -> NcnnCalls:
    """The faster way of running `network` on float32 images (n, c, h, w)."""
    ways = [_calls(_load(module, network, threads, winograd), module, network.output, port, images, way)
            for way, winograd in _WAYS.items()]  # fmt: skip
    times: dict[str, float] = {}
    for _ in range(_TRIES):
        for one in ways:
            start = time.perf_counter()
            one.call()
            times[one.way] = min(times.get(one.way, np.inf), time.perf_counter() - start)
    return min(ways, key=lambda one: times[one.way])


def _load(module: ModuleType, network: NcnnNetwork, threads: int, winograd: bool) -> Any:
    net = module.Net()
    net.opt.num_threads = threads
    net.opt.use_winograd_convolution = winograd
    # From memory ncnn would go on reading weights out of bytes that Python has freed.
    with tempfile.TemporaryDirectory() as folder:
        param, binary = Path(folder) / "network.param", Path(folder) / "network.bin"
        param.write_text(network.param, encoding="ascii")
        binary.write_bytes(network.binary)
        if net.load_param(str(param)) or net.load_model(str(binary)):
            raise WvvError(f"ncnn {module.__version__} cannot load the network that was written for it")
    return net


def _calls(net: Any, module: ModuleType, output: str, port: str, images: np.ndarray, way: str) -> NcnnCalls:
    # `clone` owns its memory; a Mat made of an array only points to it, and does not keep the array.
    arrays = [np.ascontiguousarray(image, np.float32) for image in images]
    mats = [module.Mat(array).clone() for array in arrays]
    found: list[Any] = []

    def call() -> None:
        found.clear()
        for mat in mats:
            extractor = net.create_extractor()
            extractor.input(port, mat)
            found.append(extractor.extract(output)[1])

    return NcnnCalls(call, lambda: np.stack([np.array(one) for one in found]), way)
