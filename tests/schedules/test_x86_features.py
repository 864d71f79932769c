"""What a virtual machine hides, and CPUs that are not this one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import wvv
from x86_libraries import foreign_cpu

from tvm_wvv.schedules import x86_features
from tvm_wvv.schedules.x86_features import features_of, host_cpu


def flags_of(cpu: str) -> set[str]:
    return {feature.linux for feature in features_of(cpu)}


@pytest.mark.parametrize(
    ("flags", "left"),
    [
        (flags_of("znver4"), "znver4"),
        (flags_of("znver4") - {"gfni"}, "x86-64-v4"),
        (flags_of("znver4") - {"avx512bw"}, "x86-64-v3"),
        (flags_of("znver4") - {"avx2"}, "x86-64-v2"),
        (set(), "x86-64"),
        (None, "znver4"),
    ],
)
def test_a_cpu_of_which_something_is_hidden_is_a_plainer_one(
    flags: set[str] | None, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(x86_features, "_host_flags", lambda: flags)
    assert host_cpu("znver4") == left


def test_code_for_another_cpu_is_not_run_in_process(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 16, 16, 1), np.int8))
    other = foreign_cpu()
    line = wvv("run", "digits", "--board", "x86", "--mcpu", other, "--input", tmp_path / "x.npy").line
    assert line.startswith(f"--mcpu {other}: this CPU has no ")
    assert wvv("explain", "digits", "--board", "x86", "--mcpu", other).status == 0
