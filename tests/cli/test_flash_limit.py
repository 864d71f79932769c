"""A board with little flash, or a limit: `auto` gives up speed where it must, says so, and the bytes stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import cache, wvv
from conftest import require_tool
from small_board import small_board

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]
M4 = ("--board", "mps2-an386")


def forms(*options: str | Path) -> dict[str, str]:
    return {one["name"]: one["algorithm"] for one in wvv("explain", "digits", *options, "--json").value["layers"]}


def test_a_limit_takes_back_the_largest_layers_first_and_gives_the_reason():
    layers = wvv("explain", "digits", *M4, "--flash-limit", "190K", "--json").value["layers"]
    assert sum(layer["weight_bytes"] for layer in layers) <= 190 * 1024
    found = {layer["name"]: (layer["algorithm"], layer["reason"]) for layer in layers}
    assert found["block1/conv1"] == ("f4:exact", None)
    smaller = [reason for algorithm, reason in found.values() if reason and algorithm == "f2:exact"]
    assert smaller
    assert set(smaller) == {"for flash: f4:exact would take 73,728 bytes of weights, f2:exact takes 32,768"}


def test_a_small_flash_is_the_limit_and_the_bytes_are_the_references_on_qemu(tmp_path: Path):
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    board = small_board(tmp_path, code=0x30000)
    assert len(set(forms(*M4).values())) < len(set(forms("--board", board).values()))
    value = wvv("eval", "digits", "--board", board, "--data", "digits", "--limit", "8", "--json").value
    assert (value["n"], value["identical"]) == (8, 1.0)
    # A comparison layer by layer is of the very forms that run.
    value = wvv("compare", "digits", "--board", board, "--data", "digits", "--limit", "1", "--json").value
    assert value["identical"]
    assert {one["name"]: one["algorithm"] for one in value["layers"]} == forms("--board", board)
    wrote = wvv("compile", "digits", "-o", tmp_path / "out.tar", "--board", board)
    assert wrote.status == 0, wrote.err
