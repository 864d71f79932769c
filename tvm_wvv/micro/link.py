"""How a board is reached, and what runs a network on it that way.

Refuses ways that a board does not have: QEMU for a part that it does not model, a serial line without a UART.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import X86, Board
from tvm_wvv.micro.firmware_cache import firmware
from tvm_wvv.micro.network import Network
from tvm_wvv.micro.qemu_serial import serial_machine
from tvm_wvv.micro.runners import OnBoard, OnSerial
from tvm_wvv.micro.serial_model import firmware_id, with_serial
from tvm_wvv.micro.serial_port import Port, open_port
from tvm_wvv.micro.stand_in import in_qemu
from tvm_wvv.micro.toolchain import Console


@dataclass(frozen=True)
class Link:
    """`port` is where a device that holds the firmware already answers; None starts QEMU."""

    console: Console = "semihosting"
    port: str | None = None
    baud: int | None = None


IN_QEMU = Link()


def check_link(link: Link, board: Board | None) -> None:
    """Refuse before any long work; None is a pseudo board such as x86."""
    if board is None:
        if link != IN_QEMU:
            raise WvvError(f"--transport and --port are for boards; {X86} and the reference run in this process")
        return
    if link.port is None and not in_qemu(board):
        raise WvvError(
            f"{board.name}: is no machine of QEMU's; flash its firmware (wvv micro create, build, flash) and name its "
            "serial port with --port"
        )
    if link.console == "serial" and board.uart is None:
        raise WvvError(f"{board.name}: its board.toml has no table [uart], so it cannot be reached by a serial line")


def board_runner(network: Network, board: Board, link: Link) -> OnBoard | OnSerial:
    """Builds the firmware, unless a device has it already."""
    if link.console == "semihosting":
        elf = firmware(network.files, board, profile=False)
        return OnBoard(board, elf, network.inputs, network.outputs)

    def build() -> Path:
        files = with_serial(network.files, board, network.name, network.inputs, network.outputs)
        return firmware(files, board, profile=False, console="serial")

    # QEMU's machine is built for now: what the linker refuses must show before anything is run.
    image = build() if link.port is None else None

    def line() -> AbstractContextManager[Port]:
        if image is not None:
            return serial_machine(board, image)
        assert link.port is not None, "either QEMU or a port"
        assert board.uart is not None, "check_link has seen to it"
        return open_port(link.port, link.baud or board.uart.baud)

    identity = firmware_id(network.files)
    return OnSerial(board, identity, lambda: f"flash {build()}", line, network.inputs, network.outputs)
