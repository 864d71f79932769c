"""`wvv train` as a process that is killed, interrupted, or runs out of disk: what stands in its folder afterwards."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which is not among the test packages")

from conftest import ROOT  # noqa: E402
from resnet20_random import random_state  # noqa: E402

# Saves behind every step, and is slow enough to be met in the middle.
PROGRAM = """
import functools, sys, time
from tvm_wvv.models import resnet20_train
from tvm_wvv.qat import train as loop
from tvm_wvv.cli.main import execute

step = loop._Step._eager
def slow(self, images, labels):
    time.sleep(float(sys.argv[1]))
    return step(self, images, labels)
loop._Step._eager = slow
resnet20_train.train = functools.partial(resnet20_train.train, save_s=0)
sys.exit(execute(sys.argv[2:]))
"""
STEPS = 6


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    records = rng.integers(0, 256, (8, 3073), dtype=np.uint8)
    records[:, 0] = rng.integers(0, 10, 8)
    (tmp_path / "data_batch_1.bin").write_bytes(records.tobytes())
    torch.save({name: torch.from_numpy(value) for name, value in random_state().items()}, tmp_path / "net.pt")
    return [
        *("train", "--weights", str(tmp_path / "net.pt"), "--data", str(tmp_path / "data_batch_1.bin")),
        *("--arm", "f2:int8", "--batch", "4", "--threads", "1", "--no-fused", "--epochs", str(STEPS // 2)),
    ]


def start(arguments: list[str], pause_s: float = 0.0, most_bytes: int | None = None) -> subprocess.Popen[str]:
    def limit() -> None:
        if most_bytes is not None:
            # Writing further fails, as on a full disk; without the signal that would end the process.
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    line = [sys.executable, "-c", PROGRAM, str(pause_s), *arguments]
    # Bytes of Python's own cache would run into the limit as well.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=limit, env=environment)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = process.communicate(timeout=300)
    return process.returncode, said


def wait_for_checkpoint(process: subprocess.Popen[str], folder: Path, behind: int) -> None:
    """Until the checkpoint in `folder` is of a step from `behind` on."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        path = folder / "checkpoint.pt"
        if path.exists() and torch.load(path, weights_only=True)["step"] >= behind:
            return
        time.sleep(0.02)
    pytest.fail(f"no checkpoint of step {behind}: {process.stderr and process.stderr.read()}")


def files(folder: Path) -> dict[str, bytes]:
    """What must not depend on a kill. The log's and the checkpoint's seconds may."""
    return {name: (folder / name).read_bytes() for name in ("model.tflite", "recipe.json")}


def weights(folder: Path) -> dict[str, bytes]:
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    assert state["step"] == STEPS
    return {name: value.numpy().tobytes() for name, value in state["network"].items()}


def test_a_killed_training_ends_as_an_unbroken_one(arguments: list[str], tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    unbroken = start([*arguments, "-o", str(whole)])
    killed = start([*arguments, "-o", str(broken)], pause_s=0.3)
    # Somewhere in the next steps, their saving included.
    wait_for_checkpoint(killed, broken, 1)
    time.sleep(np.random.default_rng().uniform(0, 1.0))
    killed.kill()
    assert finish(killed)[0] == -signal.SIGKILL
    assert finish(unbroken)[0] == 0
    assert not (broken / "model.tflite").exists()
    status, said = finish(start([*arguments, "-o", str(broken), "--resume"]))
    assert status == 0, said
    assert weights(broken) == weights(whole)
    assert files(broken) == files(whole)
    assert json.loads((broken / "result.json").read_text())["steps"] == STEPS


def test_ctrl_c_keeps_the_step_and_says_how_to_go_on(arguments: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    process = start([*arguments, "-o", str(folder)], pause_s=0.3)
    wait_for_checkpoint(process, folder, 1)
    process.send_signal(signal.SIGINT)
    status, said = finish(process)
    step = torch.load(folder / "checkpoint.pt", weights_only=True)["step"]
    assert status == 130
    assert f"stopped behind step {step}: the same command with --resume goes on" in said
    assert "Traceback" not in said and 1 <= step < STEPS
    assert {path.name for path in folder.iterdir()} == {"checkpoint.pt", "log.jsonl"}


def test_a_full_disk_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    status, said = finish(start([*arguments, "-o", str(folder)], most_bytes=100_000))
    assert status == 2 and "Traceback" not in said
    assert "checkpoint.pt: cannot be written: File too large" in said
    assert [path.name for path in folder.iterdir()] == ["log.jsonl"]
