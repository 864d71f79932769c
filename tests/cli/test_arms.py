"""The page of trained arms: what was measured is kept for the same network and as many images, and for nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tvm_wvv.cli import arms
from tvm_wvv.data.labelled import LabelledImages
from tvm_wvv.errors import WvvError
from tvm_wvv.models.resnet20_folder import DIRECT, MODEL, RECIPE, RESULT


def images(count: int) -> dict[str, LabelledImages]:
    return {"test": LabelledImages(np.zeros((count, 2, 2, 3), np.uint8), np.zeros(count, np.int64))}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which networks were run, without running any."""
    found: list[str] = []

    def top1(_runner: object, _images: object, _progress: object, what: str) -> float:
        found.append(what)
        return float(len(found))

    monkeypatch.setattr(arms, "_start", lambda *_: (b"start", "{}"))
    monkeypatch.setattr(arms, "_compiled", lambda *_, **__: None)
    monkeypatch.setattr(arms, "_top1", top1)
    return found


def folder(path: Path, arm: str = "f4:int8") -> Path:
    path.mkdir()
    (path / MODEL).write_bytes(b"model")
    (path / RECIPE).write_text("{}")
    (path / RESULT).write_text(json.dumps({"arm": arm}))
    return path


def test_it_is_measured_once_for_a_network_and_a_number_of_images(tmp_path: Path, asked: list[str]) -> None:
    arm = folder(tmp_path / "a")
    first = arms.measured(arm, tmp_path, images(3), lambda *_: None)
    assert (first["untrained"], first["trained"], asked) == ({"test": 1.0}, {"test": 2.0}, ["a untrained", "a trained"])
    assert arms.measured(arm, tmp_path, images(3), lambda *_: None) == first
    assert len(asked) == 2
    arms.measured(arm, tmp_path, images(4), lambda *_: None)
    assert len(asked) == 4
    (arm / MODEL).write_bytes(b"another")
    arms.measured(arm, tmp_path, images(4), lambda *_: None)
    assert len(asked) == 6


def test_a_direct_arm_is_also_measured_in_its_exact_form(tmp_path: Path, asked: list[str]) -> None:
    assert "exact" in arms.measured(folder(tmp_path / "d", DIRECT), tmp_path, images(2), lambda *_: None)
    assert asked[-1] == "d f4c:exact"


def test_an_arm_without_a_network_is_refused(tmp_path: Path, asked: list[str]) -> None:
    arm = folder(tmp_path / "float", "fp32")
    (arm / MODEL).unlink()
    with pytest.raises(WvvError, match=r"float: no exported network \(No such file"):
        arms.measured(arm, tmp_path, images(2), lambda *_: None)
    assert not asked
