"""Firmware is built once for each set of sources, board and flags, and the compiler is looked for every time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import require_tool
from firmware_models import model

from tvm_wvv.errors import WvvError
from tvm_wvv.micro import toolchain
from tvm_wvv.micro.board import load_board, read_board
from tvm_wvv.micro.firmware_cache import firmware


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the boards for which something was really built."""
    require_tool("arm-none-eabi-gcc")
    monkeypatch.setenv("WVV_CACHE", str(tmp_path / "cache"))
    built: list[str] = []
    build = toolchain.build_firmware

    def counted(files, board, build_dir, **options):
        built.append(board.name)
        return build(files, board, build_dir, **options)

    monkeypatch.setattr(toolchain, "build_firmware", counted)
    return built


def test_the_same_is_built_once(builds: list[str]):
    board = load_board("mps2-an386")
    first = firmware(model(), board, profile=False)
    assert firmware(model(), board, profile=False) == first
    assert first.read_bytes().startswith(b"\x7fELF")
    assert builds == ["mps2-an386"]


def test_whatever_differs_is_built_anew(builds: list[str], tmp_path: Path):
    board = load_board("mps2-an386")
    shutil.copytree(board.folder, tmp_path / board.name)
    link = tmp_path / board.name / "link.ld"
    link.write_text(link.read_text(encoding="utf-8") + "\n/* changed */\n", encoding="utf-8")
    paths = {
        firmware(model(), board, profile=False),
        firmware(model(), board, profile=True),
        firmware(model("  output[0] = input[0];\n  return 0;"), board, profile=False),
        firmware(model(), load_board("mps2-an500"), profile=False),
        firmware(model(), read_board(tmp_path / board.name), profile=False),
    }
    assert len(paths) == len(builds) == 5


def test_a_missing_compiler_is_said_even_where_the_image_is_kept(builds: list[str], monkeypatch: pytest.MonkeyPatch):
    board = load_board("mps2-an386")
    firmware(model(), board, profile=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(WvvError, match="arm-none-eabi-gcc: not found"):
        firmware(model(), board, profile=False)
