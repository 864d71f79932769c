"""`make bench-x86`: this compiler against XNNPACK, onnxruntime and ncnn, in one process.

Networks are ResNet-8 of `$WVV_DATA/models` (default `../shared/data`), ResNet-20 and ResNet-18 of random weights, or
any .tflite named by --model. Outputs are compared with TFLite's reference kernels; where ours differ, the exit status
is 1. Progress goes to stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tvm_wvv.errors import WvvError

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from tvm_wvv.micro.peers import Run
    from tvm_wvv.passes.options import Options
    from tvm_wvv.report.bench_x86 import Machine, Measured

ROOT = Path(__file__).resolve().parent.parent.parent
_RESNET8 = "pretrainedResnet_quant"
_ROUNDS, _QUICK_ROUNDS = 1000, 400
_BUDGET_S, _QUICK_BUDGET_S = 30.0, 5.0
_INSTALL = "pip install 'tvm_wvv[peers]', as make bench-x86 does"


def main() -> None:
    """The command line; what a user can mend is one line and exit 2."""
    # ncnn's threads would go on spinning for so long that those of whoever comes next find no core.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        typer.run(command)
    except WvvError as error:
        print(f"bench-x86: {error}", file=sys.stderr)
        raise SystemExit(2) from error


def command(
    model: Annotated[list[Path] | None, typer.Option(metavar="X.tflite", help="A network of one int8 image.")] = None,
    batch: Annotated[list[int] | None, typer.Option(min=1, help="Images of one call; may be repeated.")] = None,
    threads: Annotated[list[int] | None, typer.Option(min=1, help="Threads; may be repeated.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="ResNet-8, batch 1, one thread, fewer rounds.")] = False,
    memory: Annotated[bool, typer.Option(help="Measure memory as well, each runtime in a process of its own.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="X.md", help="Write a page, too.")] = None,
) -> None:
    """Measure and print."""
    from tvm_wvv.cli.output_file import check_writable, replacing
    from tvm_wvv.report.bench_x86 import OURS, to_json
    from tvm_wvv.report.bench_x86_page import page
    from tvm_wvv.report.output import print_json, show

    if output is not None:
        check_writable(output)
    about = machine()
    settings = [(b, t) for b in batch or ((1,) if quick else (1, 16)) for t in threads or ((1,) if quick else (1, 2))]
    found = [
        one
        for name, content in networks(model or [], quick)
        for one in measure(name, content, settings, quick, memory and not quick)
    ]
    if output is not None:
        with replacing(output) as place:
            place.write_text(page(found, about), encoding="utf-8")
    if json:
        print_json(to_json(found, about))
    else:
        show(_table(found, about))
    wrong = [one.key for one in found if one.distances[OURS].differing]
    if wrong:
        raise SystemExit(f"bench-x86: our output is not the reference's: {', '.join(wrong)}")


def networks(files: Sequence[Path], quick: bool) -> Iterator[tuple[str, bytes]]:
    """Names and contents; each made or read when its turn comes."""
    from tvm_wvv.models.random_resnets import NETWORKS

    data = Path(os.environ.get("WVV_DATA", ROOT.parent / "shared" / "data"))
    for path in files or [data / "models" / f"{_RESNET8}.tflite"]:
        if not path.exists():
            raise WvvError(f"{path}: no such file; name a .tflite by --model, or the data by WVV_DATA")
        yield path.stem, path.read_bytes()
    if not files and not quick:
        for name, make in NETWORKS.items():
            yield name, make()


def machine() -> Machine:
    """This computer and what is compared; WvvError where a runtime is missing."""
    from tvm_wvv.cli.bench import checkout_commit
    from tvm_wvv.micro import peers
    from tvm_wvv.report.bench_x86 import Machine
    from tvm_wvv.schedules.x86 import NATIVE, resolve

    if absent := peers.missing():
        raise WvvError(f"not installed: {', '.join(absent)}; do: {_INSTALL}")
    try:
        here = checkout_commit()
    except WvvError:
        here = None
    return Machine(_cpu_name(), resolve(NATIVE), os.cpu_count() or 1, here, peers.versions())


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "an unnamed CPU")


def measure(
    name: str, content: bytes, settings: Sequence[tuple[int, int]], quick: bool, memory: bool
) -> Iterator[Measured]:
    """One network under each (batch, threads)."""
    from tvm_wvv.frontends import tflite
    from tvm_wvv.micro.peers import sample
    from tvm_wvv.reference.golden import Golden

    model = tflite.from_bytes(content, name, name)
    _say(f"{name}: reference kernels")
    x = sample(model, max(batch for batch, _ in settings))
    expected = Golden(content).run(x.reshape(len(x), *model.inputs[0].shape))[model.outputs[0].name]
    fewest = min(threads for _, threads in settings)
    for batch, threads in settings:
        # A thread more has its stack more, and nothing else.
        yield _measured(name, content, batch, threads, expected, quick, memory and threads == fewest)


def _measured(
    name: str, content: bytes, batch: int, threads: int, expected: np.ndarray, quick: bool, memory: bool
) -> Measured:
    from tvm_wvv.micro.peer_times import in_turn
    from tvm_wvv.micro.peers import runs
    from tvm_wvv.passes.options import Options
    from tvm_wvv.report.bench_x86 import OURS, Measured, distance

    options = Options(mcpu="native")
    setting = f"{name}, batch {batch}, {threads} thread{'s' if threads > 1 else ''}"
    _say(f"{setting}: compiling and loading")
    calls = runs(content, name, options, threads=threads, batch=batch)
    _say(f"{setting}: timing")
    rounds, budget_s = (_QUICK_ROUNDS, _QUICK_BUDGET_S) if quick else (_ROUNDS, _BUDGET_S)
    times = in_turn(calls, threads, rounds, budget_s)
    return Measured(
        network=name,
        batch=batch,
        threads=threads,
        rounds=times.rounds,
        clock=times.clock,
        microseconds=times.medians(),
        least=times.least(),
        ratios=times.ratios(OURS),
        distances={runtime: distance(run.output(), expected[:batch]) for runtime, run in calls.items()},
        notes={
            **{runtime: run.note for runtime, run in calls.items() if run.note},
            **{runtime: f"left out, one call took {call_s:.1f} s" for runtime, call_s in times.left_out.items()},
        },
        memory_bytes=_memory(name, content, options, batch, threads, calls) if memory else {},
    )


def _memory(
    name: str, content: bytes, options: Options, batch: int, threads: int, calls: Mapping[str, Run]
) -> dict[str, int | None]:
    from tvm_wvv.micro.peer_memory import IN_PROCESS, memory_bytes
    from tvm_wvv.micro.peer_ncnn import WINOGRAD

    _say(f"{name}, batch {batch}: memory")
    winograd = {runtime: run.note == WINOGRAD for runtime, run in calls.items()}
    return {
        runtime: memory_bytes(
            content, name, options, runtime, threads=threads, batch=batch, winograd=winograd.get(runtime, False)
        )
        for runtime in (*calls, IN_PROCESS)
    }


def _table(found: Sequence[Measured], about: Machine) -> Table:
    from tvm_wvv.report.bench_x86 import OURS
    from tvm_wvv.report.bench_x86_page import time_text, title
    from tvm_wvv.report.tables import table

    rows = [
        (title(one.network), str(one.batch), str(one.threads), name, time_text(time),
         f"{one.ratios[name][1]:.3f}" if name != OURS else "", str(one.distances[name]), one.notes.get(name, ""))
        for one in found
        for name, time in one.microseconds.items()
    ]  # fmt: skip
    columns = ("network", "batch", "threads", "runtime", "median", "ours / this", "output against reference", "")
    versions = ", ".join(f"{name} {number}" for name, number in about.versions.items())
    return table(columns, rows, f"{about.cpu}; {versions}", numbers=range(1, 3))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
