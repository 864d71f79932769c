"""A line to a device: bytes in both directions, whatever carries them.

Takes `/dev/ttyACM0`, `COM5` or any URL that pyserial knows; `socket://host:port`, or a socket that is open already.
Refuses a port that cannot be opened, and one whose other end is gone, in one line.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from tvm_wvv.errors import WvvError

BAUD = 115200
"""What MLPerf Tiny's rules prescribe, and the default of board.toml."""
_CONNECT_S = 5
_AT_ONCE = 65536


class PortClosedError(WvvError):
    """The other end is gone: a cable was pulled out, or an emulator ended."""


class Port(Protocol):
    """`name` begins each message about it."""

    @property
    def name(self) -> str: ...

    def read(self, timeout_s: float) -> bytes:
        """What has arrived, at least one byte; nothing where nothing came in that time."""
        ...

    def write(self, data: bytes) -> None:
        """All of it."""
        ...


class SocketPort:
    """The line is a connected stream socket, which `close` closes."""

    def __init__(self, name: str, connected: socket.socket) -> None:
        self.name = name
        self._socket = connected
        # Commands are short and wait for their answer: collecting them into larger packets would only delay both.
        with contextlib.suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, timeout_s: float) -> bytes:
        try:
            ready, _, _ = select.select([self._socket], [], [], timeout_s)
            if not ready:
                return b""
            data = self._socket.recv(_AT_ONCE)
        except OSError as error:
            raise self._closed() from error
        if not data:
            raise self._closed()
        return data

    def write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise self._closed() from error

    def _closed(self) -> PortClosedError:
        return PortClosedError(f"{self.name}: the other end closed the line")


class SerialPort:
    """The line is a serial port of this computer, by pyserial."""

    def __init__(self, name: str, port: Any, failure: type[Exception]) -> None:
        self.name = name
        self._port = port
        self._failure = failure

    def read(self, timeout_s: float) -> bytes:
        try:
            self._port.timeout = timeout_s
            first = self._port.read(1)
            return first + self._port.read(self._port.in_waiting) if first else b""
        except (self._failure, OSError) as error:
            raise PortClosedError(f"{self.name}: cannot be read any more ({error}); is the cable in?") from error

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
            self._port.flush()
        except (self._failure, OSError) as error:
            raise PortClosedError(f"{self.name}: cannot be written any more ({error}); is the cable in?") from error


@contextmanager
def open_port(name: str, baud: int = BAUD) -> Iterator[Port]:
    """The port of that name, closed at the block's end."""
    found = re.fullmatch(r"socket://([^/]+):(\d+)/?", name)
    if found:
        with _connect(name, found[1], int(found[2])) as connected:
            yield SocketPort(name, connected)
        return
    try:
        import serial
    except ImportError as error:
        raise WvvError(f"{name}: needs pyserial; install it with: pip install 'tvm_wvv[board]'") from error
    try:
        port = serial.serial_for_url(name, baudrate=baud, timeout=0, write_timeout=_CONNECT_S)
    except (serial.SerialException, ValueError, OSError) as error:
        raise WvvError(f"{name}: cannot be opened ({error}); {_ports()}") from error
    with port:
        yield SerialPort(name, port, serial.SerialException)


def _connect(name: str, host: str, number: int) -> socket.socket:
    try:
        return socket.create_connection((host.strip("[]"), number), timeout=_CONNECT_S)
    except (OSError, OverflowError) as error:
        raise WvvError(f"{name}: cannot be reached ({error}); does anything listen there?") from error


def _ports() -> str:
    from serial.tools.list_ports import comports

    names = sorted(port.device for port in comports())
    return f"ports here: {', '.join(names)}" if names else "this computer shows no serial port"
