"""Runs firmware on the machine that QEMU models for a board.

Takes an ELF that `toolchain.build_firmware` made.  Gives what `exchange` gives; the same input gives the same answer.
With `icount` instructions are counted by the firmware's timer: QEMU then lets every instruction last the same time.
With `plugin` (`plugin.py`) QEMU counts them itself. The two exclude each other: under -icount QEMU leaves a block in
its middle when it meets a device, and runs the rest as another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.elf_sizes import symbol_at
from tvm_wvv.micro.exchange import FirmwareRun, exchange
from tvm_wvv.micro.plugin import plugin_options
from tvm_wvv.micro.process import TimedOutError


def qemu_command(board: Board, elf: Path, *, icount: bool = False, plugin: Path | None = None) -> list[str]:
    """The whole command; it is started in the folder of the exchange files."""
    counting = ["-icount", f"shift={board.timer.icount_shift},sleep=off"] if icount and board.timer else []
    return [
        "qemu-system-arm",
        *("-machine", board.run.machine),
        # No window, no console of QEMU's own, no serial port: only semihosting speaks.
        *("-display", "none", "-monitor", "none", "-serial", "null"),
        *("-semihosting-config", "enable=on,target=native"),
        *counting,
        *(plugin_options(plugin, elf) if plugin else []),
        *("-kernel", str(elf.resolve())),
    ]


def run_firmware(
    board: Board,
    elf: Path,
    inputs: bytes | np.ndarray,
    output_bytes: int,
    *,
    timeout_s: float | None = None,
    icount: bool = False,
    plugin: Path | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> FirmwareRun:
    """`timeout_s` is for one example, by default the board's own."""
    assert not (icount and plugin), "blocks are counted whole only without -icount"
    try:
        return exchange(
            board.name,
            qemu_command(board, elf, icount=icount, plugin=plugin),
            inputs,
            output_bytes,
            timeout_s=timeout_s or board.run.timeout_s,
            timer=board.timer if icount else None,
            on_progress=on_progress,
        )
    except TimedOutError:
        raise
    except WvvError as error:
        raise WvvError(_name_address(str(error), elf)) from error


def _name_address(message: str, elf: Path) -> str:
    """Adds the function's name to the address at which a fault was reported."""
    found = re.search(r"pc (0x[0-9a-f]+)", message)
    function = symbol_at(elf, int(found[1], 16)) if found else None
    return f"{message}, in {function}" if function else message
