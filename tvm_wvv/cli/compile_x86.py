"""`wvv compile --board x86`: a model to a folder with a shared library, its header, and an example in C."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tvm_wvv.cli.measure import library_layers
from tvm_wvv.cli.progress import progress_bars
from tvm_wvv.errors import WvvError
from tvm_wvv.frontends import tflite
from tvm_wvv.micro.board import X86
from tvm_wvv.micro.cmsis_nn import library_for
from tvm_wvv.micro.session import Session, for_this_host, open_session
from tvm_wvv.micro.x86_folder import check_folder, write_library
from tvm_wvv.micro.x86_library import Library, compiler, files, library
from tvm_wvv.report.figures import Totals, explain_object
from tvm_wvv.report.output import print_json, show
from tvm_wvv.report.tables import explain_table, totals_table

if TYPE_CHECKING:
    from tvm_wvv.micro.progress import Progress
    from tvm_wvv.micro.x86_facts import LibraryFacts
    from tvm_wvv.passes.options import Options


def compile_library(named: str, output: Path, options: Options, json: bool) -> None:
    """Compile, write and report; nothing is written after an error."""
    check_folder(output)
    cc = compiler()
    with progress_bars() as progress:
        session = open_session(named, options, progress)
        made = library_of(session, progress)
        progress("link", 0, 1)
        contents = files(made, session.path.read_bytes(), cc)
        progress("link", 1, 1)
    write_library(output, contents)
    facts = made.facts
    if json:
        print_json(_object(facts, output, {name: len(data) for name, data in contents.items()}))
        return
    show(
        explain_table(f"{X86}, {facts.mcpu}", facts.name, library_layers(facts)),
        totals_table(_totals(facts)),
        f"made for {facts.mcpu} with {facts.vectors} kernels; needs {', '.join(facts.features) or 'any x86-64'}",
        f"wrote {output}: {', '.join(contents)}",
    )


def library_of(session: Session, progress: Progress) -> Library:
    """The session's model for the CPU that its options name, or this one; refuses options that are for boards."""
    options = for_this_host(session.options)
    if session.is_compiled:
        raise WvvError(f"{session.path}: is compiled already; name a .tflite file or the word digits")
    if options.flash_bytes is not None:
        raise WvvError(f"--flash-limit: is for boards; {X86} has no flash")
    library_for(options, None)  # refuses what does not run here
    progress("compile", 0, 1)
    made = library(tflite.load(session.path), options)
    progress("compile", 1, 1)
    return made


def _totals(facts: LibraryFacts) -> Totals:
    return Totals(weight_bytes=facts.weight_bytes, arena_bytes=facts.arena_bytes, workspace_bytes=facts.workspace_bytes)


def _object(facts: LibraryFacts, output: Path, sizes: dict[str, int]) -> dict[str, object]:
    totals = {"weight_bytes": facts.weight_bytes, "arena_bytes": facts.arena_bytes,
              "workspace_bytes": facts.workspace_bytes}  # fmt: skip
    cpu = {"mcpu": facts.mcpu, "vectors": facts.vectors, "features": list(facts.features)}
    report = explain_object(X86, facts.name, library_layers(facts))
    return {**report, **cpu, "totals": totals, "output": str(output), "library": facts.file_name, "files": sizes}
