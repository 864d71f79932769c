"""`make bench-x86` with other runtimes that are made up: what it measures, compares, prints and refuses."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_resnet

from tvm_wvv.cli import bench_x86
from tvm_wvv.micro import peers
from tvm_wvv.passes.options import Options


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network to measure, where all runtimes seem to be installed."""
    monkeypatch.setattr(peers, "missing", lambda: ())
    monkeypatch.setattr(peers, "versions", lambda: {"xnnpack": "1.2.3"})
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_resnet.CONTENT)
    return path


def pretend(monkeypatch: pytest.MonkeyPatch, wrong_by: int) -> list[tuple[int, int]]:
    """Ours gives the reference's bytes but for the first, XNNPACK zeros; what is asked for is noted."""
    asked = []

    def runs(content: bytes, name: str, options: Options, *, threads: int, batch: int) -> dict[str, peers.Run]:
        asked.append((batch, threads))
        right = tiny_resnet.expected(tiny_resnet.images(batch))
        right[0, 0] += wrong_by
        return {
            "ours": peers.Run(lambda: None, lambda: right),
            "xnnpack": peers.Run(lambda: None, lambda: np.zeros_like(right), "made up"),
        }

    monkeypatch.setattr(peers, "runs", runs)
    return asked


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> tuple[Any, str]:
    """Exit status, as `sys.exit` takes it, and what stood on stdout."""
    monkeypatch.setattr("sys.argv", ["bench-x86", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        bench_x86.main()
    return left.value.code, capsys.readouterr().out


def test_every_setting_is_measured_and_compared(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = pretend(monkeypatch, 0)
    settings = ("--batch", "1", "--batch", "3", "--threads", "1", "--no-memory")
    page = tmp_path / "page.md"
    status, out = run(capsys, monkeypatch, "--model", file, *settings, "--json", "--output", page)
    assert not status and asked == [(1, 1), (3, 1)]
    found = json.loads(out)
    assert list(found) == ["tiny", "tiny batch 3 threads 1"]
    one = found["tiny batch 3 threads 1"]
    assert one["against_reference"]["ours"] == {"bytes": 15, "differing": 0, "greatest": 0}
    assert one["against_reference"]["xnnpack"]["greatest"] > 50 and one["notes"] == {"xnnpack": "made up"}
    assert one["rounds"] >= 50 and one["ratios"].keys() == {"xnnpack"}
    assert "| tiny | 3 | 1 | identical |" in page.read_text()


def test_a_wrong_byte_of_ours_is_exit_status_1(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, 1)
    status, out = run(capsys, monkeypatch, "--model", file, "--batch", "1", "--threads", "1", "--no-memory")
    assert status == "bench-x86: our output is not the reference's: tiny"
    assert "1 of 5 differ, by 1" in out


def test_what_is_missing_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("ncnn", "onnx") else found("json"))
    monkeypatch.setattr("sys.argv", ["bench-x86", "--quick"])
    with pytest.raises(SystemExit, match="2"):
        bench_x86.main()
    line = "bench-x86: not installed: onnx, ncnn; do: pip install 'tvm_wvv[peers]', as make bench-x86 does\n"
    assert capsys.readouterr().err == line
    monkeypatch.setattr(importlib.util, "find_spec", found)


def test_a_file_that_is_not_there_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WVV_DATA", "nowhere")
    status, _ = run(capsys, monkeypatch, "--quick")
    assert status == 2
    status, _ = run(capsys, monkeypatch, "--model", file, "--output", file.parent / "new" / "page.md")
    assert status == 2
