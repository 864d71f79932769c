"""A QEMU that waits for gdb, as a board with a probe does; its UART, if asked for, is a socket."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conftest import require_tool


@dataclass(frozen=True)
class Waiting:
    gdb: str
    uart: str
    process: subprocess.Popen[bytes]


def free_port() -> int:
    """A port that nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def waiting_qemu(machine: str, folder: Path) -> Iterator[Waiting]:
    """Semihosting files are those of `folder`; no image is given, so only gdb can bring one."""
    require_tool("gdb-multiarch")
    gdb, uart = free_port(), free_port()
    command = [
        *(require_tool("qemu-system-arm"), "-machine", machine, "-display", "none", "-monitor", "none"),
        *("-semihosting-config", "enable=on,target=native", "-S", "-gdb", f"tcp:localhost:{gdb}"),
        *("-serial", f"tcp:localhost:{uart},server=on,wait=off"),
    ]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            # gdb tries again by itself, but a client of the UART does not.
            _await(uart)
            yield Waiting(f"localhost:{gdb}", f"socket://localhost:{uart}", process)
        finally:
            process.kill()


def _await(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("QEMU opened no UART")
