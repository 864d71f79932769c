"""Lines to devices: TCP, pseudo terminals through pyserial, and what is said of names that lead nowhere."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import pytest
from serial_device import OUTPUT_BYTES, build_device, oracle

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.serial_client import SerialClient
from tvm_wvv.micro.serial_port import PortClosedError, open_port


def test_a_tcp_line_carries_every_byte():
    data = bytes(range(256)) * 3
    with socket.create_server(("127.0.0.1", 0)) as server:
        name = f"socket://127.0.0.1:{server.getsockname()[1]}"

        def echo() -> None:
            with server.accept()[0] as line:
                line.sendall(_receive(line, len(data))[::-1])

        thread = threading.Thread(target=echo)
        thread.start()
        with open_port(name) as port:
            assert port.read(0.01) == b""
            port.write(data)
            heard = b""
            while len(heard) < len(data):
                heard += port.read(5)
            assert (heard, port.name) == (data[::-1], name)
            thread.join()
            with pytest.raises(PortClosedError, match=r"^socket://127\.0\.0\.1:\d+: the other end closed the line$"):
                port.read(5)


def _receive(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += line.recv(count - len(data))
    return data


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals are of Unix")
def test_a_serial_port_carries_every_byte():
    pytest.importorskip("serial")
    device, terminal = os.openpty()
    try:
        data = bytes(range(256))
        with open_port(os.ttyname(terminal), 115200) as port:
            assert port.read(0.01) == b""
            port.write(data)
            assert os.read(device, 1000) == data
            os.write(device, data)
            heard = b""
            while len(heard) < len(data):
                heard += port.read(5)
            assert heard == data
    finally:
        os.close(device)
        os.close(terminal)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals are of Unix")
def test_a_device_behind_a_serial_port_gets_every_byte(tmp_path):
    """Also those that a terminal would keep for itself: Ctrl-C, Ctrl-S, line ends."""
    pytest.importorskip("serial")
    program = build_device(tmp_path)
    device, terminal = os.openpty()
    try:
        with open_port(os.ttyname(terminal)) as port, subprocess.Popen([program], stdin=device, stdout=device) as it:
            client = SerialClient(port, "it")
            client.info()
            for data in (bytes([3, 4, 17, 19, 10, 13, 26, 28, 0, 127, 37, 8, 0]), bytes(range(13))):
                assert client.run(data, OUTPUT_BYTES).outputs == oracle(data)
            it.terminate()
    finally:
        os.close(device)
        os.close(terminal)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("/dev/no-such-port", r"cannot be opened \(.*\); (ports here: |this computer shows no serial port)"),
        ("nonsense://x", r"cannot be opened \(.*\); "),
        (f"socket://127.0.0.1:{free_port()}", r"cannot be reached \(.*\); does anything listen there\?$"),
        ("socket://localhost:99999", r"cannot be reached \(.*\)"),
    ],
    ids=["device", "url", "closed", "number"],
)
def test_names_that_lead_nowhere_are_told(name, problem):
    pytest.importorskip("serial")
    with pytest.raises(WvvError, match=f"^{name}: {problem}"), open_port(name):
        pass


def test_without_pyserial_a_serial_port_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    message = r"^COM5: needs pyserial; install it with: pip install 'tvm_wvv\[board\]'$"
    with pytest.raises(WvvError, match=message), open_port("COM5"):
        pass
