"""Print a program as C11 files: no heap, no recursion, no variable-length arrays, nothing of TVM's runtime.

Takes:  `passes.lowered.Lowered`.
Gives:  an `Emitted`: file texts by name, the same bytes for the same model every time, and the sizes for reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tvm_wvv.micro.aot import Peak, Program, program
from tvm_wvv.micro.emit_model import model_source
from tvm_wvv.micro.emit_run import interface_header, run_source
from tvm_wvv.micro.emit_weights import weights_header, weights_source
from tvm_wvv.micro.microkernels import microkernel_files
from tvm_wvv.passes.lowered import Lowered

_NONE: Mapping[str, str] = {}


@dataclass(frozen=True)
class Emitted:
    """`layer_workspace` has one entry for each layer of the lowered model; weights and kernels go by their C names."""

    files: Mapping[str, str]
    arena_bytes: int
    workspace_bytes: int
    weight_bytes: int
    peak: Peak
    layer_workspace: tuple[int, ...]
    weights: Mapping[str, np.ndarray]
    kernel_workspace: Mapping[str, int]


def emit(lowered: Lowered, support: Mapping[str, str] = _NONE) -> Emitted:
    """All C files of a model; `support` are those of a library that its kernels call."""
    made = program(lowered)
    return Emitted(
        files={**files(made), **support},
        arena_bytes=made.arena_bytes,
        workspace_bytes=made.workspace_bytes,
        weight_bytes=sum(array.nbytes for array in made.weights.values()),
        peak=made.peak,
        layer_workspace=made.layer_workspace,
        weights=made.weights,
        kernel_workspace={function.name: function.kernel.workspace_bytes for function in made.functions},
    )


def files(made: Program) -> dict[str, str]:
    """The texts of a program by file name."""
    name = made.name
    return {
        f"tvmgen_{name}.h": interface_header(made),
        f"tvmgen_{name}.c": run_source(made),
        f"{name}_kernels.h": _kernels_header(made),
        f"{name}_kernels.c": _kernels_source(made),
        f"{name}_weights.h": weights_header(name, made.weights),
        f"{name}_weights.c": weights_source(name, made.weights),
        "wvv_model.c": model_source(made),
        **microkernel_files(header for function in made.functions for header in function.kernel.headers),
    }


def _kernels_header(made: Program) -> str:
    guard = f"{made.name.upper()}_KERNELS_H_"
    declared = "".join(f"{f.kernel.signature(f.name, restrict=f.restrict)};\n" for f in made.functions)
    return f"#ifndef {guard}\n#define {guard}\n\n#include <stdbool.h>\n#include <stdint.h>\n\n{declared}\n#endif\n"


def _kernels_source(made: Program) -> str:
    headers = sorted({header for f in made.functions for header in f.kernel.headers})
    includes = [f'"{made.name}_kernels.h"', *headers]
    definitions = (f.kernel.definition(f.name, restrict=f.restrict) for f in made.functions)
    return "".join(f"#include {header}\n" for header in includes) + "\n" + "\n".join(definitions)
