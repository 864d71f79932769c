"""`make bench` on the smallest run there is: what it measures, what it notes, and what it calls things."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import require_library, require_tool

from tvm_wvv.cli import bench
from tvm_wvv.report.bench import BenchNetwork
from tvm_wvv.report.bench_baseline import baseline

M4 = "mps2-an386"


def test_a_run_has_ours_and_the_librarys_counts_and_notes_what_is_missing_on_qemu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    require_library()
    monkeypatch.setenv("WVV_DATA", str(tmp_path))
    monkeypatch.delenv("CMSIS_NN_PATH", raising=False)
    networks = (BenchNetwork("digits", "digits", ("auto",)), BenchNetwork("kws_ref_model", "KWS", ("auto",)))
    said: list[str] = []
    found = bench.measure(networks, (M4,), said.append)
    assert found.missing == ("kws_ref_model",) and found.boards == ((M4, "M4"),)
    assert said == [f"digits on {M4}: {name}" for name in ("auto", "CMSIS-NN 4.0.0")]
    ours, theirs = (run.profile for run in found.runs)
    assert ours is not None and theirs is not None
    assert (ours.totals.instructions or 0) < (theirs.totals.instructions or 0)
    counts = baseline(found, bench.compiler())["networks"]["digits"][M4]["auto"]
    assert sum(counts.values()) <= (ours.totals.instructions or 0) < 1.01 * sum(counts.values())


def test_a_network_that_does_not_fit_is_a_refusal(tmp_path: Path):
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(b"nothing")
    run = bench._run("damaged", damaged, M4, "auto", bench.Options(), lambda line: None)
    assert run.profile is None and run.refusal is not None and "damaged.tflite" in run.refusal


def test_a_missing_compiler_is_told_before_any_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("PATH", "")
    assert bench.main() == 2
    error = capsys.readouterr().err
    assert error.startswith("bench: arm-none-eabi-gcc: not found; install it with: apt-get") and error.count("\n") == 1
