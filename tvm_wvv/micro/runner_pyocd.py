"""Loads firmware by pyOCD, through any CMSIS-DAP, ST-Link or J-Link probe. Gives the command.

pyOCD is a Python package, so it runs in this interpreter's environment, wherever the PATH points.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tvm_wvv.micro.flash_step import Desk, FlashStep


def pyocd_step(target: str, elf: Path, desk: Desk) -> FlashStep:
    """`target` is pyOCD's name of the part; it resets the part after loading, and does not wait for a probe."""
    probe = () if desk.probe is None else ("--uid", desk.probe)
    options = ("--no-wait", "--target", target, *probe, "--format", "elf")
    return FlashStep((sys.executable, "-m", "pyocd", "load", *options, str(elf)), lambda said: _explain(said, target))


def _explain(said: str, target: str) -> str | None:
    if re.search(r"No (connected|available) debug probe|No target device available", said):
        return "no debug probe found; plug the board in (on Linux install pyOCD's udev rules), or name one by --probe"
    if re.search(r"[Tt]arget type '?\S+'? (is )?not recognized", said):
        return f"pyOCD does not know the part {target}; type: pyocd pack install {target}"
    return None
