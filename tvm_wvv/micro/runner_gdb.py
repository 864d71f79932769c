"""Loads firmware through any gdb server: a probe's, OpenOCD's, pyOCD's, or that of a QEMU which waits with `-S -gdb`.

Gives the command and its script. After loading, every section is read back and compared; then the core is put where a
reset would put it, by its registers, since no monitor command for a reset is known to all servers.
"""

from __future__ import annotations

import re
from pathlib import Path

from tvm_wvv.micro.flash_step import Desk, FlashStep

GDBS = ("gdb-multiarch", "arm-none-eabi-gdb")
"""Debian's name, and the one that Arm's own tool chain has."""
_SCRIPT = "flash.gdb"
_CONNECT_S = 5  # gdb itself tries again for so long, which a server that just starts needs


def gdb_step(elf: Path, desk: Desk, program: str = GDBS[0]) -> FlashStep:
    """Load, compare, set the start, detach: the server lets the core run from there."""
    command = (program, "--nx", "--batch", "-x", _SCRIPT, str(elf))
    server = desk.gdb_server
    return FlashStep(command, lambda said: _explain(said, server), {_SCRIPT: gdb_script(server)})


def gdb_script(server: str) -> str:
    """In a script, other than in -ex options, the first command that fails ends gdb with a status of its own."""
    lines = [
        "set confirm off",
        "set pagination off",
        f"set tcp connect-timeout {_CONNECT_S}",
        f"target extended-remote {server}",
        "load",
        "compare-sections",
        "set $sp = (unsigned) &wvv_stack_top",
        # The Thumb bit: without a vector at reset the core came up in a state that M-profile cannot execute.
        "set $xpsr = 0x01000000",
        "set $pc = (unsigned) &wvv_reset",
        "detach",
    ]
    return "\n".join([*lines, ""])


def _explain(said: str, server: str) -> str | None:
    if re.search(r"Connection (refused|timed out)|could not connect|Remote communication error", said):
        port = server.rpartition(":")[2]
        return (
            f"no gdb server answers at {server}; start one (openocd, pyocd gdbserver, or qemu-system-arm -S -gdb "
            f"tcp::{port}) or name it with --gdb-server HOST:PORT"
        )
    if "MIS-MATCHED" in said:
        return "memory differs from the image after loading; does the server know how to write this board's flash?"
    return None
