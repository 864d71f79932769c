"""The host's side of the serial protocol against the firmware's own C on this host, over good, bad and dead lines."""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from serial_device import INPUT_BYTES, OUTPUT_BYTES, build_device, oracle

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.serial_client import SerialClient
from tvm_wvv.micro.serial_lines import Answer, end_status, get_command, infer_command, put_command
from tvm_wvv.micro.serial_port import Port, PortClosedError, SocketPort

Harm = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_device(tmp_path_factory.mktemp("device"))


class NoisyPort:
    """Harms what passes, in either direction."""

    def __init__(self, port: Port, on_write: Harm, on_read: Harm) -> None:
        self.name, self._port, self._on_write, self._on_read = port.name, port, on_write, on_read

    def read(self, timeout_s: float) -> bytes:
        data = self._port.read(timeout_s)
        return self._on_read(data) if data else data

    def write(self, data: bytes) -> None:
        self._port.write(self._on_write(data))


def unharmed(data: bytes) -> bytes:
    return data


@contextmanager
def device(program: Path) -> Iterator[SocketPort]:
    """A device that just started."""
    ours, theirs = socket.socketpair()
    with ours, subprocess.Popen([program], stdin=theirs.fileno(), stdout=theirs.fileno()) as process:
        theirs.close()
        yield SocketPort("test", ours)
        ours.close()
        assert process.wait(20) == 0, "a sanitizer or a canary ended the device"


def examples(count: int) -> list[bytes]:
    data = np.random.default_rng(count).integers(0, 256, (count, INPUT_BYTES), np.uint8)
    data[:, 0] &= 0x3F  # 0x7f would be the model's failure
    data[0, 1], data[-1, 2] = 0x80, ord("%")
    return [row.tobytes() for row in data]


def test_inferences_over_a_good_line(program):
    with device(program) as port:
        client = SerialClient(port, "it")
        info = client.info()
        assert (info.version, info.input_bytes, info.output_bytes) == (1, INPUT_BYTES, OUTPUT_BYTES)
        assert info.clock == "CMSDK timer, 25000000 Hz"
        for number, data in enumerate(examples(20)):
            done = client.run(data, OUTPUT_BYTES)
            assert (done.outputs, done.ticks) == (oracle(data), 41 + number)
        assert client.stack_bytes() == 1234
        assert client.ask("bogus").problem == "Unknown command: bogus"


def test_packets_may_be_cut_anywhere(program):
    with device(program) as port:
        client = SerialClient(NoisyPort(OneByteAtATime(port), unharmed, unharmed), "it")
        client.info()
        for data in examples(5):
            assert client.run(data, OUTPUT_BYTES).outputs == oracle(data)


class OneByteAtATime:
    """Both directions in packets of one byte."""

    def __init__(self, port: SocketPort) -> None:
        self.name, self._port, self._rest = port.name, port, b""

    def read(self, timeout_s: float) -> bytes:
        self._rest = self._rest or self._port.read(timeout_s)
        first, self._rest = self._rest[:1], self._rest[1:]
        return first

    def write(self, data: bytes) -> None:
        for byte in data:
            self._port.write(bytes([byte]))


def rarely(harm: Callable[[random.Random, bytearray], None], seed: int, every: int) -> Harm:
    """Harms one packet of so many."""
    source = random.Random(seed)

    def pass_on(data: bytes) -> bytes:
        changed = bytearray(data)
        if data and source.randrange(every) == 0:
            harm(source, changed)
        return bytes(changed)

    return pass_on


def flip(source: random.Random, data: bytearray) -> None:
    data[source.randrange(len(data))] ^= 1 << source.randrange(8)


def drop(source: random.Random, data: bytearray) -> None:
    del data[source.randrange(len(data))]


def insert(source: random.Random, data: bytearray) -> None:
    data.insert(source.randrange(len(data) + 1), source.randrange(256))


@pytest.mark.parametrize("harm", [flip, drop, insert])
@pytest.mark.parametrize("side", ["write", "read"])
def test_a_bad_line_costs_time_and_never_a_wrong_byte(program, harm, side):
    bad = rarely(harm, 5, 12)
    with device(program) as port:
        noisy = NoisyPort(port, bad if side == "write" else unharmed, bad if side == "read" else unharmed)
        client = SerialClient(noisy, "it", answer_s=0.2, infer_s=0.4)
        client.info()
        for data in examples(12):
            assert client.run(data, OUTPUT_BYTES).outputs == oracle(data)


@pytest.mark.parametrize("nth", [2, 3, 4, 5])
def test_a_device_that_starts_anew_in_the_middle_is_loaded_again(program, nth):
    """Before each of an inference's writes: promise, bytes, inference, outputs."""
    with device(program) as port:
        writes = 0

        def restart(data: bytes) -> bytes:
            nonlocal writes
            writes += 1
            return data if writes != nth + 2 else b"%wvv-reset%" + data

        client = SerialClient(NoisyPort(port, restart, unharmed), "it", answer_s=0.2, infer_s=0.2)
        client.info()  # two writes
        for data in examples(3):
            assert client.run(data, OUTPUT_BYTES).outputs == oracle(data)


def test_garbage_before_the_first_word_is_no_harm(program):
    with device(program) as port:
        port.write(b"\x00\xff" * 70 + b"%%wvv-put 000000 00000d 00000000%123")
        client = SerialClient(port, "it", answer_s=0.2)
        client.info()
        data = examples(1)[0]
        assert client.run(data, OUTPUT_BYTES).outputs == oracle(data)


def test_a_failing_model_is_told_at_once(program):
    with device(program) as port:
        client = SerialClient(port, "it")
        client.info()
        with pytest.raises(WvvError, match=r"^it: the model's run function reported a failure$"):
            client.run(b"\x7f" + bytes(12), OUTPUT_BYTES)
        assert client.run(bytes(13), OUTPUT_BYTES).outputs == oracle(bytes(13))


@contextmanager
def told(*answers: bytes) -> Iterator[SocketPort]:
    """A line on which just this was said."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"".join(answers))
        yield SocketPort("test", ours)


def test_a_silent_line_is_told_with_what_to_do():
    message = r"^it: no answer from test within 0\.4 s; check the port's name"
    with told() as port, pytest.raises(WvvError, match=message):
        SerialClient(port, "it", answer_s=0.1).info()


def test_a_closed_line_is_told():
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        with pytest.raises(PortClosedError, match=r"^test: the other end closed the line$"):
            SerialClient(SocketPort("test", ours), "it").info()


def test_a_fault_is_told_with_its_address():
    fault = b"fault: exception 0x00000003 pc 0x00001234 lr 0x0 cfsr 0x82\r\n"
    with told(fault, b"e-[Ended with status 16]\r\nm-init-done\r\n") as port:
        client = SerialClient(port, "it")
        with pytest.raises(WvvError, match=r"^it: processor fault \(fault: exception 0x00000003 pc 0x00001234 .*\)$"):
            client._ask("wvv-infer 00000000", 1)


def test_a_hopeless_line_is_given_up(program):
    """Every answer to an inference is damaged."""
    with device(program) as port:
        noisy = NoisyPort(port, unharmed, lambda data: data.replace(b"m-wvv-ran", b"m-wvv-rxn"))
        client = SerialClient(noisy, "it", answer_s=0.2)
        client.info()
        message = "^it: gave up after 5 attempts, the last of which failed because its answer to wvv-infer was not"
        with pytest.raises(WvvError, match=message):
            client.run(examples(1)[0], OUTPUT_BYTES)


def test_another_version_of_the_protocol_is_refused(program):
    with device(program) as port:
        noisy = NoisyPort(port, unharmed, lambda data: data.replace(b"-info-[1,", b"-info-[7,"))
        with pytest.raises(WvvError, match=r"^it: speaks protocol version 7, need 1; build it again$"):
            SerialClient(noisy, "it").info()


def test_lines_are_read_strictly():
    piece = "m-wvv-000010-0102-"
    assert Answer((f"{piece}00000000",)).pieces == ()  # a wrong CRC
    assert Answer((f"{piece}5b3d2f8",)).pieces == ()
    assert Answer(("m-wvv-ran-[0000000,1]", "m-wvv-ran-[00000000,x]")).ran is None
    assert Answer(("m-wvv-info-[1,ab,1,2]",)).info is None
    assert end_status("e-[Ended with status 15]") == 15
    assert end_status("e-[Ended with status ]") is None


def test_no_command_is_longer_than_a_line():
    longest = put_command(0xFFFFFF, bytes(1024)), infer_command(bytes(3)), get_command(0xFFFFFF, 0xFFFFFF)
    assert max(map(len, longest)) <= 80
