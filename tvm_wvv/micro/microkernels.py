"""The C microkernels of `deploy/runtime` that generated kernels call, as files beside the generated ones.

A header `wvv_x.h` stands in `deploy/runtime/kernels` or `include`; what it declares and does not define inline stands
in `kernels/wvv_x.c` and `kernels/wvv_x_*.c`. They travel with the generated text, so firmware, host builds and archives
hold the same sources, and a linker drops what is not called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tvm_wvv.resources import deploy_dir

_INCLUDE = re.compile(r'^#include "([\w.]+)"$', re.M)


def microkernel_files(includes: Iterable[str]) -> dict[str, str]:
    """Text by file name of what `includes` (as after `#include`) need of ours; system headers are left out."""
    waiting = [name.strip('"') for name in includes if name.startswith('"')]
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        path = _find(name)
        if name in found or path is None:
            continue
        found[name] = path.read_text(encoding="utf-8")
        waiting += _INCLUDE.findall(found[name])
        if name.endswith(".h"):
            waiting += _sources(path)
    return dict(sorted(found.items()))


def _sources(header: Path) -> list[str]:
    own, parts = header.with_suffix(".c"), header.parent.glob(f"{header.stem}_*.c")
    return [path.name for path in (own, *sorted(parts)) if path.exists()]


def _find(name: str) -> Path | None:
    runtime = deploy_dir() / "runtime"
    return next((path for path in (runtime / "kernels" / name, runtime / "include" / name) if path.exists()), None)
