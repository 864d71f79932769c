"""`wvv fit`: the answer as a table and as JSON, its exit status, and `wvv compile` that gives the same answer."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import cache, wvv
from conftest import require_tool

from tvm_wvv.resources import boards_dir

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]


def board_like_m4(folder: Path, **changed: str) -> Path:
    """The M4 board with other values of single keys."""
    require_tool("arm-none-eabi-gcc")
    board = folder / "my-m4"
    shutil.copytree(boards_dir() / "mps2-an386", board)
    text = (board / "board.toml").read_text(encoding="utf-8").replace('"mps2-an386"\nsummary', '"my-m4"\nsummary')
    for key, value in changed.items():
        text, times = re.subn(rf"(?m)^({key} *= ).*$", rf"\g<1>{value}", text)
        assert times == 1, key
    (board / "board.toml").write_text(text, encoding="utf-8")
    return board


def test_what_fits_is_listed_part_by_part():
    require_tool("arm-none-eabi-gcc")
    done = wvv("fit", "digits", "--board", "nucleo-h743zi")
    assert done.status == 0, done.err
    for word in ("digits on nucleo-h743zi: fits", "axi", "arena", "weights", "2048.0 KiB", "wvv_reset 8 > main"):
        assert word in done.out
    value = wvv("fit", "digits", "--board", "nucleo-h743zi", "--json").value
    assert (value["board"], value["model"], value["fits"], value["advice"]) == ("nucleo-h743zi", "digits", True, [])
    memory = {one["region"]: one for one in value["memory"]}
    assert set(memory) == {"code", "ram", "axi"}
    for one in memory.values():
        assert one["needed_bytes"] == sum(one["parts"].values()) <= one["holds_bytes"]
    stack = value["stack"]
    assert stack["worst_bytes"] == sum(step["bytes"] for step in stack["path"]) < stack["reserved_bytes"]
    assert value["peak"]["layer"].startswith("block")


def test_what_does_not_fit_ends_with_1_and_says_what_would_help(tmp_path: Path):
    board = board_like_m4(tmp_path, ram="{ origin = 0x2000_0000, length = 0x7000 }")
    done = wvv("fit", "digits", "--board", board)
    assert done.status == 1
    assert "digits on my-m4: does not fit" in done.out
    assert "bytes short" in done.out
    assert "What would help: firmware.stack_bytes = 0x400 is enough." in done.out
    done = wvv("fit", "digits", "--board", board, "--json")
    value = json.loads(done.out)
    assert (done.status, value["fits"]) == (1, False)
    (ram,) = (one for one in value["memory"] if one["region"] == "ram")
    assert ram["short_bytes"] == ram["needed_bytes"] - 0x7000 > 0


def test_compile_refuses_a_stack_that_is_too_deep_and_writes_nothing(tmp_path: Path):
    board = board_like_m4(tmp_path, stack_bytes="0x200")
    line = wvv("compile", "digits", "-o", tmp_path / "out.tar", "--board", board).line
    assert re.fullmatch(
        r"my-m4: the stack may need \d+ bytes, firmware.stack_bytes reserves 512: \d+ bytes short; "
        r"set firmware.stack_bytes = 0x400 in its board.toml",
        line,
    )
    assert not (tmp_path / "out.tar").exists()


def test_compile_without_a_compiler_says_what_it_did_not_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = wvv("compile", "digits", "-o", tmp_path / "out.tar", "--board", "mps2-an386")
    assert done.status == 0, done.err
    assert "code and stack are not checked: arm-none-eabi-gcc is not installed" in done.out
    line = wvv("fit", "digits", "--board", "mps2-an386").line
    assert line.startswith("arm-none-eabi-gcc: not found; install it with: apt-get install")


def test_a_run_over_the_serial_line_stays_within_the_bound(tmp_path: Path):
    require_tool("qemu-system-arm")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(-128, 128, (16, 16, 1)).astype(np.int8))
    run = wvv(
        "run", "digits", "--board", "mps2-an386", "--transport", "serial", "--input", tmp_path / "x.npy", "--json"
    )
    used = run.value["serial"]["stack_bytes"]
    said = wvv("fit", "digits", "--board", "mps2-an386", "--console", "serial", "--json").value["stack"]["worst_bytes"]
    assert used <= said <= used + 64


def test_the_firmware_on_a_serial_line_is_another_one(tmp_path: Path):
    require_tool("arm-none-eabi-gcc")
    values = {
        console: wvv("fit", "digits", "--board", "mps2-an386", "--console", console, "--json").value
        for console in ("semihosting", "serial")
    }
    sizes = {console: value["memory"][0]["parts"]["code_bytes"] for console, value in values.items()}
    assert sizes["serial"] > sizes["semihosting"]
    assert values["serial"]["stack"]["worst_bytes"] is not None
    functions = {step["function"] for step in values["serial"]["stack"]["path"]}
    assert {"wvv_serial_feed", "tvmgen_digits_run"} <= functions
    board = board_like_m4(tmp_path)
    text = (board / "board.toml").read_text(encoding="utf-8")
    (board / "board.toml").write_text(text[: text.index("# The first UART")], encoding="utf-8")
    assert "no table [uart]" in wvv("fit", "digits", "--board", board, "--console", "serial").line
