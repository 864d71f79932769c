"""Loads firmware by OpenOCD. Gives the command; the board's own configuration file names probe and part."""

from __future__ import annotations

import re
from pathlib import Path

from tvm_wvv.micro.flash_step import Desk, FlashStep


def openocd_step(config: str, elf: Path, desk: Desk) -> FlashStep:
    """`config` is a file below OpenOCD's scripts, such as `board/st_nucleo_l4.cfg`."""
    probe = () if desk.probe is None else ("-c", f"adapter serial {desk.probe}")
    # Braces keep Tcl from reading spaces and dollar signs in the path.
    program = f"program {{{elf}}} verify reset exit"
    return FlashStep(("openocd", "-f", config, *probe, "-c", program), lambda said: _explain(said, config))


def _explain(said: str, config: str) -> str | None:
    if re.search(r"Can't find " + re.escape(config), said):
        return f"OpenOCD has no {config}; install a newer OpenOCD, or name another file as run.machine in board.toml"
    if re.search(r"open failed|unable to open|No J-Link device found|unable to find a matching", said):
        return "no debug probe found; plug the board in (on Linux install OpenOCD's udev rules), or name one by --probe"
    return None
