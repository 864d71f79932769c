"""What an archive records of how its C is to be built; nothing of this machine is in it."""

from __future__ import annotations

import tvm

from tvm_wvv import __version__
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.metadata import Build
from tvm_wvv.micro.toolchain import C_FLAGS


def build_record(board: Board) -> Build:
    """The flags are those of `toolchain.compile_commands`, without folders."""
    return Build(
        target=f"c -keys=arm_cpu,cpu -mcpu={board.cpu.core}",
        flags=(*board.cpu.flags, "-O3", *C_FLAGS),
        tools={"tvm": tvm.__version__, "wvv": __version__},
    )
