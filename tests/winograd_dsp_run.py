"""Run kernels of Winograd microkernels on the host, as portable C that reports every undefined behaviour."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
from conftest import require_tool
from kernel_run import stale_output
from winograd_dsp_cases import Layer

from tvm_wvv.micro import bare_c
from tvm_wvv.micro.microkernels import microkernel_files

FLAGS = ("-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fno-strict-aliasing", "-fPIC")
CHECKED = ("-fsanitize=undefined", "-fno-sanitize-recover=all")


def build_objects(folder: Path) -> Path:
    """The microkernels as objects of the host, which every kernel's library takes."""
    require_tool("cc")
    for name, text in microkernel_files(['"wvv_winograd.h"']).items():
        (folder / name).write_text(text)
    sources = sorted(str(path) for path in folder.glob("*.c"))
    subprocess.run(["cc", *FLAGS, *CHECKED, "-c", *sources], cwd=folder, check=True)
    return folder


def run(one: Layer, objects: Path, folder: Path) -> np.ndarray:
    """The generated kernel with the portable microkernels; those behind its scratch survive."""
    bare = bare_c.build(one.kernel.func)
    text = "".join(f"#include {name}\n" for name in ("<stdint.h>", "<stdbool.h>", *bare.headers))
    (folder / "kernel.c").write_text(text + bare.definition("kernel", restrict=True))
    library = folder / "kernel.so"
    parts = [str(path) for path in (folder / "kernel.c", *sorted(objects.glob("*.o")))]
    subprocess.run(["cc", *FLAGS, *CHECKED, f"-I{objects}", *parts, "-shared", "-o", str(library)], check=True)
    out, scratch = stale_output(one.kernel.func), np.full(bare.workspace_bytes + 64, 85, np.uint8)
    buffers = [one.case.x, *one.kernel.constants, out, *([scratch] if bare.workspace_bytes else [])]
    ctypes.CDLL(str(library)).kernel(*(ctypes.c_void_p(np.ascontiguousarray(b).ctypes.data) for b in buffers))
    assert (scratch[bare.workspace_bytes :] == 85).all()
    return out
