"""Firmware on a serial line in QEMU: every UART and start-up that QEMU has, bytes, time, faults, resets, garbage."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import require_tool
from firmware_models import INPUT_BYTES, OUTPUT_BYTES, examples, model, reversed_plus

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.board import Board, load_board
from tvm_wvv.micro.qemu_serial import serial_machine
from tvm_wvv.micro.serial_client import SerialClient
from tvm_wvv.micro.serial_lines import READY
from tvm_wvv.micro.serial_model import with_serial
from tvm_wvv.micro.serial_port import Port
from tvm_wvv.micro.stand_in import qemu_names
from tvm_wvv.micro.toolchain import build_firmware
from tvm_wvv.quant.operators import Affine

TENSOR = TensorInfo("x", (INPUT_BYTES,), "int8", Affine(0.125, 5))


@pytest.fixture(autouse=True)
def _tools():
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")


def image(board: Board, folder: Path, files: dict[str, str] | None = None) -> Path:
    return build_firmware(
        with_serial(files or model(), board, "t", (TENSOR,), (TENSOR,)), board, folder, console="serial"
    )


@pytest.fixture(scope="module")
def m4_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_tool("arm-none-eabi-gcc")
    return image(load_board("mps2-an386"), tmp_path_factory.mktemp("m4"))


def answer(port: Port, sent: bytes, ready: int = 1) -> list[str]:
    """Lines up to so many `m-ready`."""
    port.write(sent)
    heard = b""
    while heard.count(READY.encode() + b"\r\n") < ready:
        data = port.read(20)
        assert data, f"silent after {heard!r}"
        heard += data
    return heard.decode("ascii").replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize("name", qemu_names())
def test_every_board_gives_the_same_bytes_and_its_own_time(tmp_path, name):
    board, data = load_board(name), examples(9)
    with serial_machine(board, image(board, tmp_path)) as port:
        client = SerialClient(port, name)
        assert client.info().input_bytes == INPUT_BYTES
        done = [client.run(row.tobytes(), OUTPUT_BYTES) for row in data]
        assert b"".join(one.outputs for one in done) == reversed_plus(data)
        assert all(one.ticks is not None for one in done)
        stack = client.stack_bytes()
        assert stack is not None and 0 < stack < board.stack_bytes
        assert client.ask("name").lines == (f"m-name-dut-[{name}]",)
        first, last = (int(client.ask("timestamp").lines[0].removeprefix("m-lap-us-")) for _ in range(2))
        assert 0 < first < last


def test_the_official_sequence_over_a_uart(m4_image):
    data = examples(1)[0]
    with serial_machine(load_board("mps2-an386"), m4_image) as port:
        lines = answer(port, b"db load 5%db " + data.tobytes().hex().encode() + b"%infer 2 1%", ready=3)
    codes = np.frombuffer(reversed_plus(data[None]), np.int8)
    reals = ",".join(f"{(int(code) - 5) * 0.125:0.3f}" for code in codes)
    assert lines[:7] == [
        "m-[Expecting 5 bytes]", "m-ready", "m-load-done", "m-ready", "m-warmup-start-1", "m-warmup-done",
        "m-infer-start-2",
    ]  # fmt: skip
    first, last = (int(line.removeprefix("m-lap-us-")) for line in lines[7:9])
    assert 0 < first < last
    assert lines[9:] == ["m-infer-done", f"m-results-[{reals}]", "m-ready"]


def test_garbage_long_lines_and_single_bytes(m4_image):
    noise = bytes(np.random.default_rng(4).integers(0, 256, 600, np.uint8)).replace(b"%", b"")
    with serial_machine(load_board("mps2-an386"), m4_image) as port:
        assert answer(port, noise + b"%") == ["e-[Command has more than 80 characters]", "m-ready"]
        assert answer(port, b"\x00\xfe%")[0] == "e-[Unknown command: ??]"
        for byte in b"db load 5":
            port.write(bytes([byte]))
            time.sleep(0.002)
        assert answer(port, b"%")[0] == "m-[Expecting 5 bytes]"
        assert answer(port, b"db 00112%")[0] == "e-[Insufficent number of hex digits]"
        assert answer(port, b"db 001122334455%")[0] == "e-[More bytes than 'db load' promised]"
        assert answer(port, b"infer%")[0] == "e-[Input db has 0 bytes, expected 5]"
        assert answer(port, b"db 0011223344%infer 1 0%", ready=2)[0] == "m-load-done"


@pytest.mark.parametrize("name", ["mps2-an386", "mps3-an547"])
def test_a_fault_is_told_and_the_device_starts_anew(tmp_path, name):
    board = load_board(name)
    body = "if (input[0] == 9) { *(volatile int32_t *)0x90000000u = 1; } output[0] = input[0]; return 0;"
    with serial_machine(board, image(board, tmp_path, model(body))) as port:
        client = SerialClient(port, name)
        client.info()
        with pytest.raises(WvvError, match=rf"^{name}: processor fault \(fault: exception 0x00000003 pc 0x\w+ lr"):
            client.run(bytes([9, 0, 0, 0, 0]), OUTPUT_BYTES)
        assert client.info().output_bytes == OUTPUT_BYTES
        assert client.run(bytes([8, 0, 0, 0, 0]), OUTPUT_BYTES).outputs[0] == 8


def test_a_stack_overflow_is_told(tmp_path):
    board = load_board("mps2-an386")
    body = "volatile int8_t wide[20000]; for (int i = 0; i < 20000; ++i) { wide[i] = 1; } return wide[9] - 1;"
    elf, message = image(board, tmp_path, model(body)), r"^mps2-an386: stack overflow; raise firmware\.stack_bytes"
    with serial_machine(board, elf) as port, pytest.raises(WvvError, match=message):
        SerialClient(port, board.name).run(bytes(5), OUTPUT_BYTES)


class Interrupted:
    """A port that does something before its n-th write."""

    def __init__(self, port: Port, nth: int, interrupt) -> None:
        self.name, self._port, self._left, self._interrupt = port.name, port, nth, interrupt

    def read(self, timeout_s: float) -> bytes:
        return self._port.read(timeout_s)

    def write(self, data: bytes) -> None:
        self._left -= 1
        if self._left == 0:
            self._interrupt()
        self._port.write(data)


@pytest.mark.parametrize("nth", [2, 3, 4])
def test_a_reset_by_the_machine_in_the_middle(m4_image, tmp_path, nth):
    """QEMU's own `system_reset`, before the bytes, the inference or the outputs of the first example."""
    place, board, data = tmp_path / "monitor", load_board("mps2-an386"), examples(4)
    options = ("-chardev", f"socket,id=monitor,path={place},server=on,wait=off", "-mon", "chardev=monitor")
    with serial_machine(board, m4_image, options) as port, socket.socket(socket.AF_UNIX) as monitor:
        SerialClient(port, board.name).info()
        monitor.connect(str(place))
        interrupted = Interrupted(port, nth, lambda: monitor.sendall(b"system_reset\n"))
        client = SerialClient(interrupted, board.name)
        outputs = [client.run(row.tobytes(), OUTPUT_BYTES).outputs for row in data]
        assert b"".join(outputs) == reversed_plus(data)


def test_a_machine_that_ends_is_told(m4_image):
    board, message = load_board("mps2-an386"), r"^mps2-an386: QEMU ended \(.*nonsense"
    with pytest.raises(WvvError, match=message), serial_machine(board, m4_image, ("-nonsense",)) as port:
        SerialClient(port, board.name).info()
