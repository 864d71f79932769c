"""The C++ kernels of training on a CPU: compiled for this machine when they are first asked for, called without a copy.

Nothing is kept on disk beyond the process: compiling takes seconds, training minutes. WvvError where there is no
compiler or it fails.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from tvm_wvv.errors import WvvError
from tvm_wvv.qat.kernel_text import transforms
from tvm_wvv.resources import deploy_dir
from tvm_wvv.transforms.bilinear import Algorithm

_FLAGS = ("-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-Wno-psabi")
_LIBRARY = ("-shared", "-fPIC")
Argument: TypeAlias = Tensor | Sequence[float] | int | None
_Pointer: TypeAlias = ctypes.c_void_p | ctypes.c_long | ctypes.Array[ctypes.c_float]


def compiler() -> str | None:
    """The C++ compiler of this machine; CXX names another."""
    return shutil.which(os.environ.get("CXX", "c++"))


class Kernels:
    """One compiled source file."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))

    def __call__(self, name: str, parts: int, *arguments: Argument, shape: Sequence[int] = ()) -> None:
        """Call `name` for parts 0..parts-1, on as many threads as torch uses. Tensors are float32 and contiguous."""
        function: Callable[..., Any] = getattr(self._library, name)
        # What the pointers lead to lives until the call is over.
        held = [_pointer(one) for one in arguments]
        before: list[Any] = [(ctypes.c_long * len(shape))(*shape)] if shape else []
        threads = min(torch.get_num_threads(), parts)
        if threads == 1:
            function(*before, ctypes.c_long(0), ctypes.c_long(parts), *held)
            return
        ends = [parts * i // threads for i in range(threads + 1)]
        calls = [
            _pool(threads).submit(function, *before, ctypes.c_long(first), ctypes.c_long(last), *held)
            for first, last in pairwise(ends)
        ]
        for call in calls:
            call.result()


def _pointer(argument: Argument) -> _Pointer:
    if argument is None:
        return ctypes.c_void_p(None)
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    if not isinstance(argument, Tensor):
        return (ctypes.c_float * len(argument))(*argument)
    assert argument.dtype == torch.float32 and argument.is_contiguous(), "kernels take float32 without gaps"
    return ctypes.c_void_p(argument.data_ptr())


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


@cache
def elementwise() -> Kernels:
    """`elementwise.cpp`."""
    return _compiled("elementwise", {})


@cache
def winograd(algorithm: Algorithm) -> Kernels:
    """`winograd.cpp` for this algorithm."""
    return _compiled("winograd", {"transforms.h": transforms(algorithm)})


def command(compiler: str, folder: Path, source: Path, target: Path) -> list[str]:
    """The compiler's command line; generated headers lie in `folder`."""
    includes = (f"-I{folder}", f"-I{source.parent}")
    return [compiler, *_FLAGS, *_LIBRARY, "-march=native", *includes, str(source), "-o", str(target)]


def _compiled(name: str, headers: dict[str, str]) -> Kernels:
    found = compiler()
    if found is None:
        raise WvvError(
            "training's kernels need a C++ compiler, and there is no c++ (CXX names another); --no-fused does without"
        )
    with tempfile.TemporaryDirectory(prefix="wvv-train-") as folder:
        for header, text in headers.items():
            Path(folder, header).write_text(text, encoding="utf-8")
        target = Path(folder, f"{name}.so")
        line = command(found, Path(folder), deploy_dir() / "training" / f"{name}.cpp", target)
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = next((one for one in done.stderr.splitlines() if "error" in one), "no reason given")
            raise WvvError(f"{found} cannot compile training's kernels ({reason}); --no-fused does without")
        # Loaded, the library no longer needs its file.
        return Kernels(target)
