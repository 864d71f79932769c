"""What this project needs from the machine, what of it is there, and the line that installs the rest.

Gives one value a need, in the order in which to mend them; printing is the command line's business.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.process import install_line, run
from tvm_wvv.resources import boards_dir, deploy_dir

# With tvm-ffi 0.1.15 `Schedule.tensorize` ends in a segmentation fault, so the two versions belong together.
TVM = "0.27.0.post1"
TVM_FFI = "0.1.14.post1"
_TVM_FIX = f"pip install apache-tvm=={TVM} apache-tvm-ffi=={TVM_FFI}"


@dataclass(frozen=True)
class Check:
    """One need: `found` is what is there (None: nothing), `fix` is what to type when it is not `ok`.

    `only_for` names the one command that needs it; empty where nothing works without it.
    """

    name: str
    found: str | None
    ok: bool
    fix: str
    only_for: str = ""


def checks() -> list[Check]:
    """All needs, whether met or not."""
    return [
        _python(),
        _package("apache-tvm", TVM, _TVM_FIX),
        _package("apache-tvm-ffi", TVM_FFI, _TVM_FIX),
        _interpreter(),
        _numpy(),
        _program("arm-none-eabi-gcc"),
        _newlib(),
        _program("qemu-system-arm"),
        _program("cc"),
        _folder("boards"),
        _folder("deploy"),
        replace(_program("make"), only_for="wvv micro build"),
        replace(_program("cmake"), only_for="wvv micro build, template library"),
        replace(_program("gdb-multiarch"), only_for="wvv micro flash --runner gdb"),
        replace(_program("openocd"), only_for="wvv micro flash --runner openocd"),
        _pyocd(),
    ]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _python() -> Check:
    fix = "install Python 3.10 or newer, for example: apt-get install python3"
    return Check("python", platform.python_version(), sys.version_info >= (3, 10), fix)


def _package(name: str, wanted: str, fix: str) -> Check:
    found = _version(name)
    return Check(name, found, found == wanted, fix)


def _interpreter() -> Check:
    """The reference kernels: one package under its old or its present name."""
    for name in ("tflite-runtime", "ai-edge-litert"):
        if (version := _version(name)) is not None:
            return Check("tflite interpreter", f"{name} {version}", True, "")
    # tflite-runtime's last wheels are for Python 3.11.
    name = "tflite-runtime" if sys.version_info < (3, 12) else "ai-edge-litert"
    return Check("tflite interpreter", None, False, f"pip install {name}")


def _numpy() -> Check:
    found = _version("numpy")
    # tflite-runtime was built against numpy 1 and fails to import beside numpy 2.
    if _version("tflite-runtime") is not None:
        return Check("numpy", found, found is not None and found.startswith("1."), "pip install 'numpy<2'")
    return Check("numpy", found, found is not None, "pip install numpy")


def _program(name: str) -> Check:
    if shutil.which(name) is None:
        return Check(name, None, False, install_line(name))
    said = run([name, "--version"], timeout_s=20)
    version = re.search(r"\d+\.\d+(\.\d+)?", re.sub(r"\(.*?\)", "", said.stdout or said.stderr))
    return Check(name, version[0] if version else "unknown version", said.status == 0, install_line(name))


def _pyocd() -> Check:
    found = _version("pyocd")
    return Check("pyocd", found, found is not None, install_line("pyocd"), "wvv micro flash --runner pyocd")


def _newlib() -> Check:
    gcc = "arm-none-eabi-gcc"
    if shutil.which(gcc) is None:
        return Check("newlib", None, False, install_line(gcc))
    with tempfile.TemporaryDirectory(prefix="wvv-doctor-") as folder:
        source = Path(folder) / "probe.c"
        source.write_text("#include <string.h>\n#include <stdint.h>\n", encoding="ascii")
        ok = run([gcc, "-mcpu=cortex-m4", "-mthumb", "-fsyntax-only", str(source)], timeout_s=20).status == 0
    return Check("newlib", "headers found" if ok else None, ok, install_line(gcc))


def _folder(name: str) -> Check:
    try:
        return Check(name, str(boards_dir() if name == "boards" else deploy_dir()), True, "")
    except WvvError as error:
        return Check(name, None, False, str(error))
