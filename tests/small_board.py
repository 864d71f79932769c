"""A board with less memory than the machine has, so that networks overfill it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tvm_wvv.resources import boards_dir


def small_board(folder: Path, **lengths: int) -> Path:
    """The M4 board with other memory lengths, as a user would add one."""
    board = folder / "tiny-m4"
    shutil.copytree(boards_dir() / "mps2-an386", board)
    text = (board / "board.toml").read_text(encoding="utf-8").replace('"mps2-an386"\nsummary', '"tiny-m4"\nsummary')
    for name, length in lengths.items():
        text, times = re.subn(rf"(?m)^({name} .*length = )\w+", rf"\g<1>{length:#x}", text)
        assert times == 1
    (board / "board.toml").write_text(text, encoding="utf-8")
    return board
