"""No layer needs more instructions than when the benchmark was last made: `make bench` writes what this compares with.

Counts are exact, so one per cent is no noise but a change; another compiler makes other code, and is not compared.
"""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, require_data, require_tool

from tvm_wvv.cli.bench import compiler
from tvm_wvv.cli.measure import profile
from tvm_wvv.micro.progress import silent
from tvm_wvv.micro.session import open_session
from tvm_wvv.passes.options import Options
from tvm_wvv.report.bench_baseline import better, layer_counts, worse

BASELINE = ROOT / "tests" / "baseline" / "instructions.json"
RESNET8 = "pretrainedResnet_quant"
ALGORITHM = "auto"
BOARDS = ("mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547")
CASES = [*(("digits", board) for board in BOARDS), (RESNET8, "mps2-an386"), (RESNET8, "mps2-an505")]
each = pytest.mark.parametrize(("network", "board"), CASES)


@cache
def read() -> dict[str, Any]:
    return json.loads(BASELINE.read_text(encoding="utf-8"))


def was(network: str, board: str) -> dict[str, int]:
    return read()["networks"][network][board][ALGORITHM]


@cache
def now(network: str, board: str) -> dict[str, int]:
    """Counted anew, by the same two images as the benchmark's."""
    named = "digits" if network == "digits" else str(require_data(f"models/{network}.tflite"))
    return layer_counts(profile(open_session(named, Options(winograd=ALGORITHM), silent), board, silent))


@pytest.fixture(autouse=True)
def _same_compiler():
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    if compiler() != read()["compiler"]:
        pytest.skip(f"the baseline was made by {read()['compiler']}, here is {compiler()}; make bench writes another")


@each
def test_no_layer_needs_more_instructions_than_the_baseline_has(network: str, board: str):
    grown = worse(was(network, board), now(network, board), board)
    text = "\n".join(map(str, grown))
    assert not grown, f"{network}, more than 1 % up:\n{text}\nmake bench, if this is meant"


@each
def test_every_layer_of_the_baseline_is_still_there(network: str, board: str):
    assert list(now(network, board)) == list(was(network, board)), "other layers; make bench writes the baseline anew"


@each
def test_layers_that_became_cheaper_are_told(network: str, board: str):
    """Never fails: until `make bench` has run, such a layer could grow back unseen."""
    for change in better(was(network, board), now(network, board), board):
        warnings.warn(f"{network}: {change}; run make bench", stacklevel=1)


def test_the_page_names_the_baselines_commit():
    page = Path(ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert f"at commit {read()['commit']} with {read()['compiler']}," in page
