"""A compiled network, as reports need it: its layers, its memory, its C text.

Compiling takes seconds, so `compiled` keeps what it made, as an archive, under a key of the model's bytes, the options,
TVM's version and every source of this package. A changed line of any pass compiles anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import tvm

from tvm_wvv.frontends import tflite
from tvm_wvv.frontends.layer_names import whole_names
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro import archive
from tvm_wvv.micro.aot import Peak
from tvm_wvv.micro.cache import fetch, key_of
from tvm_wvv.micro.cmsis_nn import CmsisNn
from tvm_wvv.micro.emit_c import Emitted, emit
from tvm_wvv.micro.metadata import tensor_bytes
from tvm_wvv.micro.progress import Progress
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.lowered import OWN, LayerReport, Lowered
from tvm_wvv.passes.options import Options, Target
from tvm_wvv.resources import deploy_dir

_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Network:
    """One lowered module and the C made of it. The arena holds tensors and the kernels' workspace.

    `board` is the one that an archive was written for.
    """

    lowered: Lowered
    emitted: Emitted
    board: str = ""

    @property
    def name(self) -> str:
        return self.lowered.name

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        return self.lowered.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        return self.lowered.outputs

    @property
    def layers(self) -> tuple[LayerReport, ...]:
        return self.lowered.layers

    @property
    def library(self) -> str | None:
        """The library that some of its kernels call, with its version."""
        return next((layer.backend for layer in self.layers if layer.backend != OWN), None)

    @property
    def files(self) -> Mapping[str, str]:
        return self.emitted.files

    @property
    def peak(self) -> Peak:
        return self.emitted.peak

    @property
    def port_bytes(self) -> int:
        """Static buffers of one example's inputs and outputs, which the firmware keeps beside the arena."""
        return sum(tensor_bytes(info) for info in (*self.inputs, *self.outputs))


def compiled(
    path: Path, options: Options, progress: Progress, target: Target = "cortex_m", library: CmsisNn | None = None
) -> Network:
    """The network of a .tflite file, from the cache where it was compiled before; `library` computes direct layers."""
    # Read and checked even where the cache has it: a bad model is refused in the same words every time.
    model = tflite.load(path)

    def make(file: Path) -> None:
        progress("compile", 0, 2)
        lowered = pipeline.lower(model, options, target, library)
        progress("compile", 1, 2)
        called = {layer.op for layer in lowered.layers if layer.backend != OWN}
        emitted = emit(lowered, library.files(called) if library and called else {})
        portable = _portable(lowered, lambda: pipeline.lower(model, options, "x86"))
        file.write_bytes(archive.pack(emitted, portable, "", {}))
        progress("compile", 2, 2)

    made_of = (model.name, model.sha256, repr(options), target, library.key if library else "")
    key = key_of([*made_of, tvm.__version__, own_sources()])
    return of_archive(fetch(key, ".tar", make))


def _portable(lowered: Lowered, in_process: Callable[[], Lowered]) -> Lowered:
    """The same with a module that runs in process too, where no microkernel of C is to be called."""
    calls_c = any("wvv.headers" in (func.attrs or {}) for func in lowered.module.functions.values())
    return replace(lowered, module=in_process().module) if calls_c else lowered


def with_whole_names(path: Path, options: Options, progress: Progress) -> Options:
    """The options with each layer that is named by its label alone, as reports print it, named in full.

    A label of several layers stays as it is, for the pipeline to refuse with the names to choose from.
    """
    if not options.layers:
        return options
    network = compiled(path, Options(winograd="off"), progress)
    whole = whole_names([layer.name for layer in network.layers])
    return replace(options, layers=tuple((whole.get(name, name), spec) for name, spec in options.layers))


def of_archive(path: Path) -> Network:
    """The network of an archive."""
    made = archive.read(path)
    return Network(made.lowered, made.emitted, made.board)


@cache
def own_sources() -> str:
    """A digest of every Python file of this package, and of what it carries into generated code."""
    runtime = deploy_dir() / "runtime"
    folders = [(_PACKAGE, "*.py"), (_PACKAGE / "tuning", "*.jsonl"), (runtime, "kernels/*"), (runtime, "include/*")]
    files = [(file.relative_to(root), file) for root, pattern in folders for file in sorted(root.rglob(pattern))]
    return key_of(part for name, file in files for part in (str(name), file.read_bytes()))
