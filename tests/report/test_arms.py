"""Arms from the files of a training, the page and the figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tvm_wvv.errors import WvvError
from tvm_wvv.models.resnet20_folder import LOG, RESULT
from tvm_wvv.plan.stage_values import StageValues
from tvm_wvv.report.arms import Arm, read_arm, read_log
from tvm_wvv.report.arms_page import COST_FIGURE, CURVES_FIGURE, STAGES_FIGURE, page
from tvm_wvv.report.multiplications import RESNET20

SCHEME = {"granularity": "tap", "u_bits": 8, "v_bits": 8, "m_bits": 8, "power_of_two": False}
SETTINGS = {"epochs": 2, "batch": 64, "rate": 3e-4, "seed": 5}
ACCURACY = {"untrained": {"JPEG": 80.0, "lossless": 81.0}, "trained": {"JPEG": 88.25, "lossless": 90.5}}
REFERENCE, SIZES = {"JPEG": 88.5, "lossless": 90.0}, {"JPEG": 10000, "lossless": 1468}


def folder(path: Path, spec: str = "f4:int8", **scheme: object) -> Path:
    path.mkdir()
    result = {"arm": spec, "scheme": {**SCHEME, **scheme}, "settings": SETTINGS, "steps": 1718}
    (path / RESULT).write_text(json.dumps(result))
    lines = [{"step": 50 * k, "epoch": 0.06 * k, "loss": 1 / k} for k in range(1, 12)]
    (path / LOG).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_an_arm_is_told_by_its_scheme(tmp_path):
    arm = read_arm(folder(tmp_path / "a", "f4c:int8", u_bits=6, power_of_two=True), ACCURACY)
    assert arm.title == "f4c:int8 per tap, 6-bit U and V, powers of two"
    assert arm.options == "--arm f4c:int8 --granularity tap --operand-bits 6 --power-of-two"
    assert arm.saving(RESNET20) == pytest.approx(2.785, abs=5e-4)
    flex = read_arm(folder(tmp_path / "f", "f4:int8 flex"), ACCURACY)
    assert (flex.title, flex.options) == ("f4:int8 per tap, flex", "--arm f4:int8 --granularity tap --flex")
    direct = read_arm(folder(tmp_path / "b", "direct:int8"), ACCURACY)
    assert (direct.title, direct.options, direct.saving(RESNET20)) == ("direct int8", "--arm direct:int8", 1.0)


def test_the_page_sets_each_arm_against_the_float_network(tmp_path):
    text = page([read_arm(folder(tmp_path / "a"), ACCURACY)], REFERENCE, SIZES, "made by hand")
    assert "| f4:int8 per tap | 3.405x fewer | 80.00 | 88.25 (-0.25) | 81.00 | 90.50 (+0.50) |" in text
    assert "| FP32 | 1x | 88.50 |  | 90.00 |  |" in text
    assert "JPEG, 10,000: untrained" in text
    assert "| f4:int8 per tap | `--arm f4:int8 --granularity tap` | 2 | 64 | 0.0003 | 5 | 1718 |" in text
    for name in (COST_FIGURE, CURVES_FIGURE, STAGES_FIGURE):
        assert f"({name})" in text


def test_a_direct_arm_has_a_row_of_its_exact_form(tmp_path):
    arm = read_arm(folder(tmp_path / "a", "direct:int8"), {**ACCURACY, "exact": ACCURACY["trained"]})
    text = page([arm], REFERENCE, SIZES, "made by hand")
    assert "| f4c:exact of direct int8 | 2.785x fewer |  | 88.25 (-0.25) |  | 90.50 (+0.50) |" in text


def test_a_log_cut_off_by_a_kill_is_read_and_a_damaged_one_refused(tmp_path):
    path = folder(tmp_path / "a") / LOG
    whole = path.read_text()
    path.write_text(whole + '{"step": 6')
    assert len(read_log(path)) == 11
    path.write_text('{"step"\n' + whole)
    with pytest.raises(WvvError, match=r"log.jsonl: line 1 is no JSON object"):
        read_log(path)


def test_a_result_of_something_else_is_refused(tmp_path):
    path = folder(tmp_path / "a")
    (path / RESULT).write_text('{"arm": "f4:int8"}')
    with pytest.raises(WvvError, match="has no 'scheme': not written by wvv train"):
        read_arm(path, ACCURACY)


def test_figures_are_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="extra `report`")
    from tvm_wvv.report.arms_plots import draw

    arms: list[Arm] = [read_arm(folder(tmp_path / name, spec), ACCURACY) for name, spec in
                       (("a", "f4:int8"), ("b", "f4c:int8"), ("c", "direct:int8"))]  # fmt: skip
    values = np.random.RandomState(0).normal(0, 0.5, (36, 100))
    stages = [StageValues(name, values, np.full(36, 1.2)) for name in "VUM"]
    draw(arms, REFERENCE, stages, "made up", tmp_path)
    for name in (COST_FIGURE, CURVES_FIGURE, STAGES_FIGURE):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
