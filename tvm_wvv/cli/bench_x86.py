"""`make bench-x86`: this compiler against LiteRT with XNNPACK and onnxruntime, one thread, in one process.

Absolute times mean little on a shared machine: after each warm call one call of each is timed, in turn, by the
thread's own processor time, and what is printed are medians of many such rounds and of the ratios within a round.
Networks are ResNet-8 of `$WVV_DATA/models` (default `../shared/data`), or any .tflite named by --model.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from tvm_wvv.errors import WvvError

ROOT = Path(__file__).resolve().parent.parent.parent
_RESNET8 = "pretrainedResnet_quant.tflite"
_ROUNDS, _QUICK = 400, 100


def main() -> None:
    """The command line; what a user can mend is one line and exit 2."""
    try:
        typer.run(command)
    except WvvError as error:
        raise SystemExit(f"bench-x86: {error}") from error


def command(
    model: Annotated[list[Path] | None, typer.Option(metavar="X.tflite", help="A network of one int8 image.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Measure and print."""
    from tvm_wvv.report.output import print_json, show
    from tvm_wvv.report.tables import table

    files = model or [Path(os.environ.get("WVV_DATA", ROOT.parent / "shared" / "data")) / "models" / _RESNET8]
    found = {path.stem: measure(path, _QUICK if quick else _ROUNDS) for path in files}
    if json:
        print_json(found)
        return
    rows = [
        (name, peer, f"{one['microseconds'][peer]:.1f}", f"{one['ratios'].get(peer, 1):.3f}")
        for name, one in found.items()
        for peer in one["microseconds"]
    ]
    show(table(("network", "runtime", "microseconds", "ours / this"), rows, "one thread, medians", numbers=range(2, 4)))


def measure(path: Path, rounds: int) -> dict[str, Any]:
    """Medians of each runtime, and of ours divided by each other one within a round."""
    from tvm_wvv.micro.peers import runs
    from tvm_wvv.passes.options import Options

    if not path.exists():
        raise WvvError(f"{path}: no such file; name a .tflite by --model, or the data by WVV_DATA")
    calls = runs(path.read_bytes(), path.stem, Options(mcpu="native"))
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, run in calls.items():
            run()
            start = time.thread_time_ns()
            run()
            times[name].append((time.thread_time_ns() - start) / 1000)
    own = np.array(times["ours"])
    others = {name: float(np.median(own / np.array(list_))) for name, list_ in times.items() if name != "ours"}
    medians = {name: round(float(np.median(list_)), 2) for name, list_ in times.items()}
    return {"rounds": rounds, "microseconds": medians, "ratios": {name: round(r, 4) for name, r in others.items()}}


if __name__ == "__main__":
    main()
