"""A compiled network, as reports need it: its layers, its memory, its C text.

Compiling takes seconds, so `compiled` keeps what it made, as an archive, under a key of the model's bytes, the options,
TVM's version and every source of this package. A changed line of any pass compiles anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import tvm

from tvm_wvv.frontends import tflite
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro import archive
from tvm_wvv.micro.aot import Peak
from tvm_wvv.micro.cache import fetch, key_of
from tvm_wvv.micro.emit_c import Emitted, emit
from tvm_wvv.micro.metadata import tensor_bytes
from tvm_wvv.micro.progress import Progress
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.passes.options import Options
from tvm_wvv.report.figures import LayerFigures, Totals
from tvm_wvv.report.text import label

_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Network:
    """One lowered module and the C made of it. The arena holds tensors and the kernels' workspace."""

    lowered: Lowered
    emitted: Emitted

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
    def files(self) -> Mapping[str, str]:
        return self.emitted.files

    @property
    def peak(self) -> Peak:
        return self.emitted.peak

    @property
    def port_bytes(self) -> int:
        """Static buffers of one example's inputs and outputs, which the firmware keeps beside the arena."""
        return sum(tensor_bytes(info) for info in (*self.inputs, *self.outputs))

    def layer_figures(self, instructions: tuple[int, ...] | None = None) -> tuple[LayerFigures, ...]:
        """One row a layer, with what a run counted."""
        counts = instructions if instructions is not None else (None,) * len(self.lowered.layers)
        rows = zip(self.lowered.layers, counts, self.emitted.layer_workspace, strict=True)
        return tuple(
            LayerFigures(
                name=layer.name, op=layer.op, algorithm=layer.algorithm, reason=layer.reason, macs=layer.macs,
                multiplications=layer.multiplications, instructions=count, weight_bytes=layer.weight_bytes,
                workspace_bytes=workspace,
            )
            for layer, count, workspace in rows
        )  # fmt: skip

    def static_totals(self) -> Totals:
        """What is known without building firmware."""
        return Totals(
            weight_bytes=self.emitted.weight_bytes,
            arena_bytes=self.emitted.arena_bytes,
            workspace_bytes=self.emitted.workspace_bytes,
        )


def compiled(path: Path, options: Options, progress: Progress) -> Network:
    """The network of a .tflite file, from the cache where it was compiled before."""
    # Read and checked even where the cache has it: a bad model is refused in the same words every time.
    model = tflite.load(path)

    def make(target: Path) -> None:
        progress("compile", 0, 2)
        lowered = pipeline.lower(model, options, "cortex_m")
        progress("compile", 1, 2)
        target.write_bytes(archive.pack(emit(lowered), lowered, "", {}))
        progress("compile", 2, 2)

    key = key_of([model.name, model.sha256, repr(options), tvm.__version__, _own_sources()])
    return of_archive(fetch(key, ".tar", make))


def with_whole_names(path: Path, options: Options, progress: Progress) -> Options:
    """The options with each layer that is named by its label alone, as reports print it, named in full."""
    if not options.layers:
        return options
    names = [layer.name for layer in compiled(path, Options(winograd="off"), progress).lowered.layers]
    labels = Counter(label(name) for name in names)
    # A label of several layers stays as it is, for the pipeline to refuse with the names to choose from.
    whole = {label(name): name for name in names if labels[label(name)] == 1}
    return replace(options, layers=tuple((whole.get(name, name), spec) for name, spec in options.layers))


def of_archive(path: Path) -> Network:
    """The network of an archive."""
    made = archive.read(path)
    return Network(made.lowered, made.emitted)


@cache
def _own_sources() -> str:
    """A digest of every Python file of this package."""
    files = sorted(_PACKAGE.rglob("*.py"))
    return key_of(part for file in files for part in (str(file.relative_to(_PACKAGE)), file.read_bytes()))
