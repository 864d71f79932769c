"""`wvv profile --board x86`: the time of each layer on this computer, and how near it comes to the CPU's peak."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tvm_wvv.cli.compile_x86 import library_of
from tvm_wvv.cli.measure import library_layers, random_inputs
from tvm_wvv.cli.progress import progress_bars
from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import X86
from tvm_wvv.micro.session import open_session
from tvm_wvv.micro.x86_library import compiler
from tvm_wvv.micro.x86_profile import profile_times
from tvm_wvv.report.figures import Totals
from tvm_wvv.report.output import print_json, show
from tvm_wvv.report.x86_figures import PeakFigures, X86Profile, speeds, x86_notes, x86_profile_object, x86_profile_table

if TYPE_CHECKING:
    from tvm_wvv.micro.progress import Progress
    from tvm_wvv.micro.session import Session
    from tvm_wvv.passes.options import Options


def profile_library(named: str, options: Options, against: str | None, top: int, json: bool) -> None:
    """Measure and print; refuses what only firmware has."""
    for option, given in (("--against", against), ("--top", top)):
        if given:
            raise WvvError(f"{option} {given}: is for boards; {X86} has times of layers alone")
    with progress_bars() as progress:
        result = profiled(open_session(named, options, progress), progress)
    if json:
        print_json(x86_profile_object(result))
    else:
        show(x86_profile_table(result), *x86_notes(result))


def profiled(session: Session, progress: Progress) -> X86Profile:
    """The session's network, on random codes."""
    cc = compiler()
    made = library_of(session, progress)
    facts = made.facts
    times = profile_times(made, cc, [array[0] for array in random_inputs(facts.inputs)], progress)
    peak = PeakFigures(times.peak.bytes_per_s / 1e9, times.peak.words_per_s / 1e9)
    layers = library_layers(facts)
    each, whole = speeds(layers, times.layers, times.whole, peak)
    totals = Totals(
        weight_bytes=facts.weight_bytes,
        arena_bytes=facts.arena_bytes,
        workspace_bytes=facts.workspace_bytes,
    )
    return X86Profile(facts.name, facts.mcpu, facts.vectors, _cpu_name(), totals, layers, each, whole, peak, times.runs)


def _cpu_name() -> str:
    """What Linux calls the CPU."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "unknown")
