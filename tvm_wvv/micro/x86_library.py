"""A network as a shared library for x86 and Linux: what `wvv compile --board x86` writes.

    libwvv_<name>.so    code, and the constants where its kernels read them; needs the C library alone
    tvmgen_<name>.h     its interface
    example.c           a program that uses it
    README.md, metadata.json, <name>.tflite

Takes a lowered module. Gives every file's bytes; they depend on the model, the options, the CPU and the compiler alone.
Refuses a host that is no x86-64 with Linux, and one without a C compiler, which links.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import tvm

from tvm_wvv import __version__
from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import QuantModel, TensorInfo
from tvm_wvv.kernels.x86_vectors import Vectors
from tvm_wvv.micro.aot import Port
from tvm_wvv.micro.emit_model import size_macro
from tvm_wvv.micro.process import CommandError, check, install_line
from tvm_wvv.micro.project_files import render
from tvm_wvv.micro.x86_emit import data_source, exports, header, source
from tvm_wvv.micro.x86_facts import LibraryFacts, to_json
from tvm_wvv.micro.x86_program import ALIGNMENT, MachineCode, machine_code
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower
from tvm_wvv.resources import deploy_dir
from tvm_wvv.schedules import x86
from tvm_wvv.schedules.x86_features import Feature, features_of

METADATA_FILE = "metadata.json"
# The C around the kernels runs before the CPU is known, so nothing here names one.
_C_FLAGS = ("-std=c11", "-O2", "-fPIC", "-Wall", "-Wextra")
# `-z defs` and `-z text`: nothing is left open, nothing in the code is changed as the library is loaded.
_LINK_FLAGS = ("-shared", "-s", "-Wl,--build-id=none", "-Wl,-z,defs", "-Wl,-z,text", "-Wl,-z,noexecstack")
_PEAK = "wvv_x86_peak.c"


@dataclass(frozen=True)
class Library:
    """Everything that is known before the C compiler runs."""

    facts: LibraryFacts
    code: MachineCode
    features: tuple[Feature, ...]
    vectors: Vectors


def compiler() -> tuple[str, ...]:
    """$CC with its arguments, else cc; refuses, before any long work, where it or its place is missing."""
    if platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux":
        raise WvvError(f"board 'x86' as a library: need Linux on x86-64, this is {platform.system()} on "
                       f"{platform.machine()}; run the model in process instead: wvv run --board x86")  # fmt: skip
    words = tuple(shlex.split(os.environ.get("CC", ""))) or ("cc",)
    if shutil.which(words[0]) is None:
        told = "CC names it" if "CC" in os.environ else f"install it with: {install_line(words[0])}"
        raise WvvError(f"{words[0]}: no such C compiler, which links the library; {told}")
    return words


def library(model: QuantModel, options: Options) -> Library:
    """Lower and compile for the CPU that the options name."""
    # What stands for this host goes into no library, but the name of what it is.
    options = replace(options, mcpu=x86.resolve(options.mcpu))
    return of_lowered(lower(model, options, "x86"), options)


def of_lowered(lowered: Lowered, options: Options) -> Library:
    """Compile a lowered module for the CPU of the options, whose name is resolved."""
    vectors = x86.vectors_of(options.mcpu)
    assert vectors is not None, f"{options.mcpu!r} names no x86 CPU"
    code, features = machine_code(lowered, options.mcpu), features_of(options.mcpu)
    return Library(_facts(lowered, options, code, features, vectors), code, features, vectors)


def files(made: Library, model: bytes, cc: Sequence[str]) -> dict[str, bytes]:
    """The folder's files by name; `model` is the .tflite."""
    name, facts = made.facts.name, made.facts
    return {
        facts.file_name: shared_object(made, cc),
        f"tvmgen_{name}.h": header(made.code.program, facts.mcpu).encode(),
        "example.c": render("x86/example.c.j2", _template_facts(made)),
        "README.md": render("x86/README.md.j2", _template_facts(made)),
        METADATA_FILE: to_json(facts).encode(),
        f"{name}.tflite": model,
    }


def shared_object(made: Library, cc: Sequence[str], *, profile: bool = False) -> bytes:
    """Compile and link; with `profile` layers have marks, and there is a loop that shows the CPU's peak."""
    with tempfile.TemporaryDirectory(prefix="wvv-x86-") as folder:
        place = Path(folder)
        _write_sources(made, place, profile=profile)
        for command in commands(made, cc, profile=profile):
            _run(command, place)
        return (place / made.facts.file_name).read_bytes()


def commands(made: Library, cc: Sequence[str], *, profile: bool) -> list[list[str]]:
    """What is run in the folder of the sources; names are relative, so that the folder shows nowhere."""
    sources = [f"tvmgen_{made.facts.name}.c", *([_PEAK] if profile else [])]
    defined = [*(["-DWVV_PROFILE", f"-DWVV_PEAK_{made.vectors.name}"] if profile else [])]
    compiled = [[*cc, *_C_FLAGS, *defined, "-c", one, "-o", f"{one}.o"] for one in sources]
    objects = [*(f"{one}.o" for one in sources), "kernels.o", "data.o"]
    soname = made.facts.file_name
    return [
        *compiled,
        [*cc, "-c", "data.s", "-o", "data.o"],
        [*cc, *_LINK_FLAGS, f"-Wl,-soname,{soname}", "-Wl,--version-script=exports.map", *objects, "-lm", "-o", soname],
    ]


def _write_sources(made: Library, place: Path, *, profile: bool) -> None:
    name = made.facts.name
    texts = {
        f"tvmgen_{name}.h": header(made.code.program, made.facts.mcpu),
        f"tvmgen_{name}.c": source(made.code, made.features),
        "data.s": data_source(name, "weights.bin", METADATA_FILE),
        "exports.map": exports(name),
        METADATA_FILE: to_json(made.facts),
    }
    for file, text in texts.items():
        (place / file).write_text(text, encoding="utf-8")
    (place / "weights.bin").write_bytes(made.code.weights)
    (place / "kernels.o").write_bytes(made.code.object_file)
    for file in ("wvv_x86.h", *([_PEAK] if profile else [])):
        shutil.copy(deploy_dir() / "x86" / file, place / file)


def _run(command: Sequence[str], place: Path) -> None:
    try:
        check(command, cwd=place)
    except CommandError as error:
        if "No such file or directory" in str(error) and ".h:" in str(error):
            raise WvvError(f"{command[0]}: has no C library; install it with: {install_line('cc')}") from error
        raise


def _facts(
    lowered: Lowered, options: Options, code: MachineCode, features: Sequence[Feature], vectors: Vectors
) -> LibraryFacts:
    # Where a library lay on this machine is no part of what was compiled.
    recorded = asdict(replace(options, cmsis_nn=None))
    program = code.program
    workspaces = zip(lowered.layers, program.layer_workspace, strict=True)
    return LibraryFacts(
        name=lowered.name,
        mcpu=options.mcpu,
        vectors=vectors.name,
        features=tuple(feature.name for feature in features),
        sha256=lowered.sha256,
        options=recorded,
        inputs=lowered.inputs,
        outputs=lowered.outputs,
        layers=tuple({**asdict(layer), "workspace_bytes": workspace} for layer, workspace in workspaces),
        arena_bytes=program.arena_bytes,
        workspace_bytes=program.workspace_bytes,
        weight_bytes=len(code.weights),
        alignment=ALIGNMENT,
        tools={"tvm": tvm.__version__, "wvv": __version__},
    )


def _template_facts(made: Library) -> Mapping[str, object]:
    program, facts = made.code.program, made.facts
    return {
        "facts": facts,
        "model": facts.name,
        "upper": facts.name.upper(),
        "inputs": _ports(facts, program.inputs, facts.inputs),
        "outputs": _ports(facts, program.outputs, facts.outputs),
    }


def _ports(facts: LibraryFacts, ports: Sequence[Port], infos: Sequence[TensorInfo]) -> list[dict[str, object]]:
    return [
        {"name": port.name, "size": size_macro(facts.name, port), "info": info}
        for port, info in zip(ports, infos, strict=True)
    ]
