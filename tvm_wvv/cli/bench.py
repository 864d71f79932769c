"""`make bench`: counts every network on every core by every algorithm, and writes the page and the test's baseline.

Runs in a checkout. Networks of MLPerf Tiny come from `$WVV_DATA/models` (default `../shared/data`); those that are
missing are noted and left out. CMSIS-NN is the copy in the package `bakenn`, and also the one that CMSIS_NN_PATH names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tvm_wvv import models
from tvm_wvv.cli.measure import profile
from tvm_wvv.cli.output_file import check_writable, replacing
from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.cmsis_nn_copy import VARIABLE, find_copy, packaged_folder
from tvm_wvv.micro.doctor import checks
from tvm_wvv.micro.progress import silent
from tvm_wvv.micro.session import open_session
from tvm_wvv.passes.options import Options
from tvm_wvv.report.bench import LIBRARY, Bench, BenchNetwork, Run
from tvm_wvv.report.bench_baseline import baseline, to_text
from tvm_wvv.report.bench_goals import M4, M55, RESNET8
from tvm_wvv.report.bench_page import page

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
BASELINE = ROOT / "tests" / "baseline" / "instructions.json"
COMPILER = "arm-none-eabi-gcc"

BOARDS = ("mps2-an385", M4, "mps2-an500", "mps2-an505", M55)
_ALL, _SHORT = ("off", "f2", "f4c", "f4", "auto"), ("off", "auto")
NETWORKS = (
    BenchNetwork(RESNET8, "ResNet-8 (MLPerf Tiny)", _ALL),
    BenchNetwork("digits", "`digits` (packaged)", _ALL),
    BenchNetwork("kws_ref_model", "KWS, DS-CNN (MLPerf Tiny)", _SHORT),
    BenchNetwork("vww_96_int8", "VWW, MobileNet (MLPerf Tiny)", _SHORT),
    BenchNetwork("ad01_int8", "AD, autoencoder (MLPerf Tiny)", _SHORT),
)
# The goals have a column for the first; elsewhere it would be the row of f4 once more. The second shows what 8 bits
# save in flash, and what they cost.
_MORE = {(RESNET8, M4): ("f4:int16", "f4c:int8")}

Say = Callable[[str], None]


def measure(networks: Sequence[BenchNetwork], boards: Sequence[str], say: Say) -> Bench:
    """Every run; what a board refuses is part of the result."""
    # What is missing on this machine would look like a refusal in every run.
    named, commit = tools(), checkout_commit()
    found = {one.name: path for one in networks if (path := _file(one.name)) is not None}
    runs = [
        _run(one.name, found[one.name], board, algorithm, options, say)
        for one in networks
        if one.name in found
        for board in boards
        for algorithm, options in _options(one, board)
    ]
    return Bench(
        commit=commit,
        tools=named,
        boards=tuple((board, core_name(board)) for board in boards),
        networks=tuple(networks),
        runs=tuple(runs),
        missing=tuple(one.name for one in networks if one.name not in found),
    )


def _file(name: str) -> Path | None:
    data = Path(os.environ.get("WVV_DATA", ROOT.parent / "shared" / "data"))
    path = models.packaged(name) or data / "models" / f"{name}.tflite"
    return path if path.exists() else None


def _options(network: BenchNetwork, board: str) -> Iterator[tuple[str, Options]]:
    """Each algorithm's name in the tables, with what the compiler is asked for."""
    for algorithm in (*network.algorithms, *_MORE.get((network.name, board), ())):
        yield algorithm, Options(winograd=algorithm)
    for version, folder in libraries().items():
        yield f"{LIBRARY} {version}", Options(winograd="off", direct="cmsis-nn", cmsis_nn=folder)


def libraries() -> dict[str, str]:
    """Folders of CMSIS-NN by version, the packaged one first."""
    folders = [str(packaged_folder() or ""), os.environ.get(VARIABLE, "")]
    return {find_copy(folder).version: folder for folder in folders if folder}


def _run(network: str, path: Path, board: str, algorithm: str, options: Options, say: Say) -> Run:
    say(f"{network} on {board}: {algorithm}")
    try:
        return Run(network, board, algorithm, profile(open_session(str(path), options, silent), board, silent))
    except WvvError as error:
        # Tools were checked before, so this is a network that does not fit.
        return Run(network, board, algorithm, None, str(error))


def core_name(board: str) -> str:
    """`M4` for cortex-m4."""
    return load_board(board).cpu.core.removeprefix("cortex-").upper()


def tools() -> tuple[str, ...]:
    """Compiler and simulator with their versions; WvvError where one is missing."""
    named = {COMPILER: "GCC", "qemu-system-arm": "QEMU"}
    found = [one for one in checks() if one.name in named]
    for one in found:
        if not one.ok:
            raise WvvError(f"{one.name}: not found; install it with: {one.fix}")
    return tuple(f"{named[one.name]} {one.found}" for one in found)


def compiler() -> str:
    """The version that the counts depend on."""
    return tools()[0]


def checkout_commit() -> str:
    """Of the checkout; sources that differ from it are told, other files do not change a count."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("diff", "--name-only", "HEAD", "--", "tvm_wvv", "deploy", "boards")
    return f"{commit} and uncommitted changes" if changed else commit


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise WvvError(f"{ROOT}: no git checkout, whose commit the benchmark has to name: {error}") from error
    return done.stdout.strip()


def _before() -> Mapping[str, Any] | None:
    return json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else None


def _write(path: Path, text: str) -> None:
    with replacing(path) as place:
        place.write_text(text, encoding="utf-8")


def main() -> int:
    """Measure all and write both files; the exit status is 2 where the user has to mend something first."""
    try:
        for path in (PAGE, BASELINE):
            check_writable(path)
        found = measure(NETWORKS, BOARDS, lambda line: print(line, file=sys.stderr, flush=True))
        _write(PAGE, page(found))
        _write(BASELINE, to_text(baseline(found, compiler(), _before())))
    except WvvError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    print(f"{PAGE.relative_to(ROOT)} and {BASELINE.relative_to(ROOT)} are written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
