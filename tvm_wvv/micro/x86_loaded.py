"""Run a shared library of `wvv compile --board x86` from Python: NumPy arrays in and out, without TVM.

Takes the library's file, or the folder that holds it. Refuses other files, and a CPU that lacks what the code needs.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.x86_facts import LibraryFacts, from_json

_METADATA = "wvv_metadata"
_REMEDY = "name what wvv compile --board x86 wrote"


@dataclass
class _Memory:
    """What one thread needs: an arena, and the pointers to it and to the tensors of the call at hand."""

    arena: np.ndarray
    address: int
    inputs: ctypes.Array[ctypes.c_void_p]
    outputs: ctypes.Array[ctypes.c_void_p]


class Library:
    """A loaded model. Any number of threads may call it at the same time: each gets an arena of its own."""

    def __init__(self, path: Path, handle: ctypes.CDLL, facts: LibraryFacts) -> None:
        self.path, self.facts = path, facts
        self._handle = handle
        self._run = self.function("run_in", ctypes.c_int32, 3)
        self._threads = threading.local()
        self._outputs = [(info.shape, np.dtype(info.dtype)) for info in facts.outputs]

    def __call__(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """The outputs of one inference, in the model's order, as are the inputs."""
        return self.run(inputs)

    def run(self, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """The same of a sequence; refuses other shapes and types than the model's."""
        check_inputs(inputs, self.facts.inputs)
        memory = self._memory()
        whole = [np.ascontiguousarray(array) for array in inputs]
        outputs = tuple(np.empty(shape, dtype) for shape, dtype in self._outputs)
        for pointers, arrays in ((memory.inputs, whole), (memory.outputs, outputs)):
            for place, array in enumerate(arrays):
                pointers[place] = address_of(array)
        status = self._run(memory.address, memory.inputs, memory.outputs)
        assert status == 0, f"{self.path}: status {status}, of a CPU and an arena that fit"
        return outputs

    def function(self, name: str, result: type | None, pointers: int) -> ctypes._NamedFuncPointer:
        """One of the model's functions, which take pointers only."""
        return self.symbol(f"tvmgen_{self.facts.name}_{name}", result, *[ctypes.c_void_p] * pointers)

    def symbol(self, name: str, result: type | None, *arguments: type) -> ctypes._NamedFuncPointer:
        """Any function of the library."""
        found = getattr(self._handle, name)
        found.restype, found.argtypes = result, arguments
        return found

    def _memory(self) -> _Memory:
        memory: _Memory | None = getattr(self._threads, "memory", None)
        if memory is None:
            kinds = (ctypes.c_void_p * len(infos) for infos in (self.facts.inputs, self.facts.outputs))
            arena = aligned(self.facts.arena_bytes, self.facts.alignment)
            memory = _Memory(arena, address_of(arena), *(kind() for kind in kinds))
            self._threads.memory = memory
        return memory


def load(path: str | Path) -> Library:
    """Load a library, or the one in a folder."""
    file = library_file(Path(path))
    handle, facts = _opened(file)
    loaded = Library(file, handle, facts)
    lacks = loaded.function("lacks", ctypes.c_char_p, 0)()
    if lacks is not None:
        raise WvvError(
            f"{file}: made for {facts.mcpu}, and this CPU has no {lacks.decode()}; compile with "
            "--mcpu native here, or with a plainer CPU such as x86-64-v3"
        )
    return loaded


def facts_of(path: Path) -> LibraryFacts:
    """What a library says of itself, on any CPU."""
    return _opened(library_file(path))[1]


def _opened(file: Path) -> tuple[ctypes.CDLL, LibraryFacts]:
    try:
        handle = ctypes.CDLL(str(file.resolve()))
        text = ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(handle, _METADATA)))
        return handle, from_json(text.decode())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WvvError(f"{file}: is no library of this version of wvv; {_REMEDY}") from error


def library_file(path: Path) -> Path:
    """The library that a user names by its file or folder."""
    if not path.is_dir():
        if not path.is_file():
            raise WvvError(f"{path}: no such library; {_REMEDY}")
        return path
    found = sorted(path.glob("libwvv_*.so"))
    if len(found) != 1:
        raise WvvError(f"{path}: holds {len(found)} files libwvv_*.so, need one; {_REMEDY}")
    return found[0]


def check_inputs(inputs: Sequence[np.ndarray], infos: Sequence[TensorInfo]) -> None:
    """Refuse what the model does not take."""
    if len(inputs) != len(infos):
        raise WvvError(f"{len(inputs)} inputs given, the model takes {len(infos)}")
    for info, array in zip(infos, inputs, strict=True):
        if array.shape != info.shape or array.dtype != info.dtype:
            raise WvvError(f"input {info.name!r}: got {array.dtype} {array.shape}, needs {info.dtype} {info.shape}")


def aligned(count: int, alignment: int) -> np.ndarray:
    """So many bytes, and at least one, whose address is a multiple of `alignment`."""
    room = np.empty(count + alignment, np.uint8)
    first = -address_of(room) % alignment
    return room[first : first + max(count, 1)]


def address_of(array: np.ndarray) -> int:
    """Where its first element lies; `array.ctypes` takes a microsecond to say so."""
    return int(array.__array_interface__["data"][0])
