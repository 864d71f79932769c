"""The machine that QEMU models for a board, with its UART on a line of ours.

Takes an ELF that `toolchain.build_firmware` made for the serial console.  Gives a port.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.process import background
from tvm_wvv.micro.serial_lines import READY
from tvm_wvv.micro.serial_port import Port, PortClosedError, SocketPort

_START_S = 10


def serial_command(board: Board, elf: Path, line: str) -> list[str]:
    """The whole command; `line` are the options of the character device that carries the UART."""
    return [
        "qemu-system-arm",
        *("-machine", board.run.machine),
        *("-display", "none", "-monitor", "none"),
        *("-chardev", f"socket,id=uart,{line}", "-serial", "chardev:uart"),
        *("-kernel", str(elf.resolve())),
    ]


def _wait_for_start(port: Port) -> None:
    """What is sent before the firmware has opened the UART, QEMU delivers a second later; and its own first words
    would be taken for an answer."""
    heard = b""
    while not heard.endswith(f"{READY}\r\n".encode()) and (data := port.read(_START_S)):
        heard += data


@contextmanager
def serial_machine(board: Board, elf: Path, options: Sequence[str] = ()) -> Iterator[Port]:
    """Runs during the block; `options` are more of QEMU's."""
    # A pair of sockets needs no name and no number that another process could take first.
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [*serial_command(board, elf, f"fd={theirs.fileno()}"), *options]
        with background(command, pass_fds=(theirs.fileno(),)) as last_words:
            theirs.close()
            try:
                port = SocketPort("QEMU", ours)
                _wait_for_start(port)
                yield port
            except PortClosedError as error:
                raise WvvError(f"{board.name}: QEMU ended ({last_words() or error})") from error
