"""Libraries for x86 as tests make them: built without the command, written to a folder, linked to programs in C."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

from conftest import require_tool

from tvm_wvv.frontends.tflite import load as load_model
from tvm_wvv.micro.x86_folder import write_library
from tvm_wvv.micro.x86_library import Library, compiler, files, library, of_lowered
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.passes.options import Options
from tvm_wvv.schedules import x86
from tvm_wvv.schedules.x86_features import host_cpu

STRICT = ("-Wall", "-Wextra", "-Werror")
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def runs_here(mcpu: str) -> bool:
    """Whether this CPU has all that code for another may use."""
    return host_cpu(mcpu) == mcpu


def foreign_cpu() -> str:
    """A CPU that has something which this one lacks: no CPU has all that these two have."""
    return next(name for name in ("bdver4", "diamondrapids") if not runs_here(name))


def of_model(path: Path, mcpu: str, folder: Path) -> Path:
    """The folder of a .tflite's library."""
    require_tool("cc")
    made = library(load_model(path), Options(mcpu=mcpu))
    write_library(folder, files(made, path.read_bytes(), compiler()))
    return folder


def made_of(lowered: Lowered, mcpu: str) -> Library:
    """Of a module that is no model's."""
    require_tool("cc")
    return of_lowered(lowered, replace(Options(), mcpu=x86.resolve(mcpu)))


def program(folder: Path, name: str, *arguments: str | Path, sanitize: bool = True, cc: str = "cc") -> Path:
    """A program of the sources in `arguments`, linked to the library in `folder`, whose header it finds."""
    flags = [*STRICT, *(SANITIZERS if sanitize else ()), f"-I{folder}", f"-L{folder}"]
    library_flags = [f"-l{one.stem.removeprefix('lib')}" for one in folder.glob("lib*.so")]
    made = folder.parent / name
    command = [require_tool(cc), *flags, *map(str, arguments), *library_flags, f"-Wl,-rpath,{folder}", "-o", str(made)]
    subprocess.run(command, check=True)
    return made
