"""`wvv` as a test sees it: exit status and what stands on both streams."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT

from tvm_wvv.cli.main import execute
from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        """The one JSON object on stdout."""
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def line(self) -> str:
        """The one line of an error that the user can mend."""
        assert self.status == 2, (self.status, self.out, self.err)
        assert self.out == ""
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("wvv: ")
        return self.err.removeprefix("wvv: ").rstrip("\n")


def wvv(*arguments: str | Path) -> Done:
    """One command line, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = execute([str(argument) for argument in arguments])
    return Done(status, out.getvalue(), err.getvalue())


def start(*arguments: str | Path, **settings: Any) -> subprocess.Popen[str]:
    """The same in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings.pop("env", {})}
    command = [sys.executable, "-m", "tvm_wvv", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # A shell starts background jobs with interrupts ignored, and what they start inherits it.
    return subprocess.Popen(command, text=True, env=environment, preexec_fn=_heed_interrupts, **{**pipes, **settings})


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory):
    """A cache of this test run alone, shared by its tests."""
    folder = tmp_path_factory.getbasetemp() / "wvv-cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WVV_CACHE", str(folder))
        yield folder


def convolution(activations: str, weights: str, shape: tuple[int, ...] = (1, 9, 7, 3), outputs: int = 4) -> bytes:
    """A model of one 3x3 convolution with SAME padding; `float32` tensors are not quantized."""
    random = np.random.default_rng(1)
    filters = random.integers(-128, 128, (outputs, 3, 3, shape[3])).astype(weights)
    filters.flat[0] = -128
    bias = np.arange(outputs).astype(np.int32 if activations == "int8" else np.float32)
    w_scale, b_scale = ((0.01,), (0.005,)) if activations == "int8" else ((0.01,) if weights == "int8" else (), ())
    tensors = [
        _computed("x", shape, activations),
        Tensor("w", filters.shape, weights, filters, w_scale, (0,) * len(w_scale)),
        Tensor("b", bias.shape, str(bias.dtype), bias, b_scale, (0,) * len(b_scale)),
        _computed("conv/out", (*shape[:3], outputs), activations),
    ]
    options = {"padding": "SAME"}
    return write_model(tensors, [Operator("CONV_2D", ("x", "w", "b"), ("conv/out",), options)], ["x"], ["conv/out"])


def unsupported() -> bytes:
    """A quantized model of one operator that the compiler does not know."""
    tensors = [_computed("x", (1, 4, 3, 2), "int8"), _computed("curve", (1, 4, 3, 2), "int8")]
    return write_model(tensors, [Operator("LOGISTIC", ("x",), ("curve",))], ["x"], ["curve"])


def _computed(name: str, shape: tuple[int, ...], dtype: str) -> Tensor:
    return Tensor(name, shape, dtype, None, (0.5,), (3,)) if dtype == "int8" else Tensor(name, shape, dtype)
