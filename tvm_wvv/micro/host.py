"""Runs the firmware's host twin: the same main.c and generated C, built by the host's compiler.

Takes what `toolchain.build_host` made.  No counts: a host's instructions say nothing about a board.
A finding of a sanitizer is our bug: it arrives as CommandError with the sanitizer's report.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tvm_wvv.micro.exchange import FirmwareRun, exchange


def run_host(
    executable: Path,
    inputs: bytes | np.ndarray,
    output_bytes: int,
    *,
    timeout_s: float = 60,
    on_progress: Callable[[int], None] | None = None,
) -> FirmwareRun:
    """Outputs of all examples, as `run_firmware` gives them."""
    command = [str(executable.resolve())]
    return exchange("host", command, inputs, output_bytes, timeout_s=timeout_s, on_progress=on_progress)
