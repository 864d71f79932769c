"""The examples that a project carries to check itself: inputs without a meaning, and the outputs that they must give.

The outputs are those of the archive's own module, run on this host, which the firmware repeats byte for byte.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np

from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.network import Network

COUNT = 2
_BLOCK = hashlib.sha256().digest_size


def check_examples(network: Network) -> tuple[bytes, bytes]:
    """Bytes of COUNT examples' inputs and of their outputs, as deploy/runtime/main.c reads and writes them."""
    from tvm_wvv.micro.in_process import InProcess

    program = InProcess(network.lowered)
    inputs, outputs = b"", b""
    for example in range(COUNT):
        arrays = example_inputs(network.inputs, example)
        inputs += b"".join(array.tobytes() for array in arrays)
        outputs += b"".join(np.ascontiguousarray(array).tobytes() for array in program.run(arrays))
    return inputs, outputs


def example_inputs(infos: Sequence[TensorInfo], example: int) -> tuple[np.ndarray, ...]:
    """Evenly spread numbers over the whole range of each input's type, with the lowest among them."""
    return tuple(_array(info, f"{example}/{index}") for index, info in enumerate(infos))


def _array(info: TensorInfo, seed: str) -> np.ndarray:
    count = math.prod(info.shape)
    dtype = np.dtype(info.dtype)
    if dtype.kind != "f":
        array = np.frombuffer(_stream(seed, count * dtype.itemsize), dtype).copy()
        array[0] = np.iinfo(dtype).min
        return array.reshape(info.shape)
    codes = np.frombuffer(_stream(seed, count), np.int8).astype(np.float32)
    codes[0] = -128
    scale, zero_point = (info.affine.scale, info.affine.zero_point) if info.affine else (1 / 128, 0)
    return ((codes - np.float32(zero_point)) * np.float32(scale)).astype(dtype).reshape(info.shape)


def _stream(seed: str, count: int) -> bytes:
    """The same bytes with every version of every library: a project's bytes hang on them."""
    blocks = (hashlib.sha256(f"{seed}/{number}".encode()).digest() for number in range(-(-count // _BLOCK)))
    return b"".join(blocks)[:count]
