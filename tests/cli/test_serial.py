"""Whole networks over a serial line to QEMU: the bytes of the reference, the official words, and what is refused."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from command_line import cache, wvv
from conftest import require_data, require_tool
from firmware_models import model as tiny_model

from tvm_wvv.data.images import load as load_images
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.link import Link
from tvm_wvv.micro.process import background
from tvm_wvv.micro.qemu_serial import serial_command, serial_machine
from tvm_wvv.micro.runners import OnSerial
from tvm_wvv.micro.serial_client import SerialClient
from tvm_wvv.micro.serial_model import with_serial
from tvm_wvv.micro.session import open_session
from tvm_wvv.micro.toolchain import build_firmware
from tvm_wvv.passes.options import Options
from tvm_wvv.reference.golden import Golden

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]

M4 = ("--board", "mps2-an386")
SERIAL = (*M4, "--transport", "serial")


@pytest.fixture(autouse=True)
def _tools(request: pytest.FixtureRequest):
    if "refused" not in request.node.name:
        require_tool("arm-none-eabi-gcc")
        require_tool("qemu-system-arm")


def firmware_of(model: str) -> tuple[Path, OnSerial]:
    """The image that `--transport serial` runs."""
    runner = open_session(model, Options()).runner("mps2-an386", Link("serial"))
    assert isinstance(runner, OnSerial)
    return Path(runner.remedy().removeprefix("flash ")), runner


def test_digits_are_the_reference_s_byte_for_byte(tmp_path):
    done = tmp_path / "done"
    arguments = ("eval", "digits", *SERIAL, "--data", "digits", "--limit", "30", "--resume", done, "--json")
    value = wvv(*arguments).value
    assert value == {"board": "mps2-an386", "n": 30, "top1": value["top1"], "agreement": 1.0, "identical": 1.0}
    size = done.stat().st_size
    # A line that does not even exist is not needed any more.
    again = wvv(*arguments[:2], *M4, "--port", "socket://127.0.0.1:1", *arguments[6:])
    assert again.value == value and done.stat().st_size == size
    other = wvv("eval", "digits", *SERIAL, "--data", "digits", "--limit", "9", "--resume", done)
    words = "is of other inputs, or another number of them; repeat that command, or name a new file"
    assert other.line == f"{done}: {words}"


def test_resnet_over_the_official_commands():
    """As mlcommons/tiny's runner sends and reads it, and 20 images by our own commands."""
    path = require_data("models/pretrainedResnet_quant.tflite")
    pictures = load_images(str(require_data("cifar10_test.parquet")), 20).images
    image, runner = firmware_of(str(path))
    inputs = (pictures.astype(np.int16) - 128).astype(np.int8)[:, None]
    golden = Golden(path.read_bytes())
    (wanted,) = (golden.run(inputs)[info.name] for info in golden.outputs)
    with serial_machine(load_board("mps2-an386"), image) as port:
        client = SerialClient(port, "it")
        assert "m-model-[ic01]" in client.ask("profile").lines
        data = pictures[3].tobytes()
        assert client.ask(f"db load {len(data)}").lines == ("m-[Expecting 3072 bytes]",)
        answers = [client.ask(f"db {data[at : at + 31].hex()}").lines for at in range(0, len(data), 31)]
        assert answers[-1] == ("m-load-done",) and not any(answers[:-1])
        lines = client._ask("infer 2 1", 60).lines
        (info,) = golden.outputs
        reals = (wanted[3].reshape(-1).astype(np.float32) - info.zero_point) * np.float32(info.scale)
        assert lines[-1] == f"m-results-[{','.join(f'{float(real):0.3f}' for real in reals)}]"
        assert [line.rstrip("0123456789") for line in lines[:-1]] == [
            "m-warmup-start-", "m-warmup-done", "m-infer-start-", "m-lap-us-", "m-lap-us-", "m-infer-done",
        ]  # fmt: skip
    (outputs,) = runner.run((inputs,))
    np.testing.assert_array_equal(outputs, wanted)


def test_run_says_the_same_over_either_transport(tmp_path):
    inputs = tmp_path / "x.npy"
    np.save(inputs, np.random.default_rng(1).integers(-128, 128, (3, 16, 16, 1)).astype(np.int8))
    by_files = wvv("run", "digits", *M4, "--input", inputs, "--json").value
    by_line = wvv("run", "digits", *SERIAL, "--input", inputs, "--json").value
    assert by_line["outputs"] == by_files["outputs"]
    assert (by_line["instructions"], "serial" in by_files) == (None, False)
    assert by_line["serial"]["clock"] == "CMSDK timer, 25000000 Hz"
    assert by_line["serial"]["ticks"] > 0 and by_line["serial"]["stack_bytes"] > 0
    assert "ticks of CMSDK timer, 25000000 Hz; stack: " in wvv("run", "digits", *SERIAL, "--input", inputs).out


def test_compare_finds_the_first_layer_that_differs():
    arguments = ("--winograd", "off", "--layer", "block1/conv2=f4c:int8", "--data", "digits", "--limit", "1", "--json")
    value = wvv("compare", "digits", *SERIAL, *arguments).value
    assert value["first_difference"] == "block1/conv2"
    assert value == wvv("compare", "digits", *M4, *arguments).value


@contextmanager
def listening(image: Path) -> Iterator[str]:
    """QEMU with its UART at a TCP port, as a board in another room."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
    line = f"host=127.0.0.1,port={number},server=on,wait=off"
    with background(serial_command(load_board("mps2-an386"), image, line)) as last_words:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", number)) == 0:
                    break
            time.sleep(0.05)
        else:
            pytest.fail(f"QEMU does not listen: {last_words()}")
        yield f"socket://127.0.0.1:{number}"


def test_a_board_at_a_port_that_holds_the_firmware():
    image, _ = firmware_of("digits")
    with listening(image) as port:
        value = wvv("eval", "digits", *M4, "--port", port, "--data", "digits", "--limit", "6", "--json").value
    assert (value["n"], value["identical"]) == (6, 1.0)


def test_a_board_at_a_port_that_holds_another_firmware(tmp_path):
    board, (_, runner) = load_board("mps2-an386"), firmware_of("digits")
    files = with_serial(tiny_model(), board, "t", runner.inputs, runner.outputs)
    with listening(build_firmware(files, board, tmp_path, console="serial")) as port:
        line = wvv("eval", "digits", *M4, "--port", port, "--data", "digits", "--limit", "6").line
    assert line.startswith(f"mps2-an386: the device at {port} holds firmware ")
    assert f", need {runner.firmware}; flash " in line
    # What it says to flash is there.
    assert Path(line.split("; flash ")[1]).is_file()


def test_a_part_that_qemu_lacks_is_refused_for_counting():
    line = wvv("profile", "digits", "--board", "nucleo-l4r5zi").line
    assert line.startswith("nucleo-l4r5zi: is no machine of QEMU's, which counts instructions; take one with the same ")
    assert "mps2-an386" in line


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((*M4, "--transport", "usb"), "--transport usb: 'usb' is unknown; supported: semihosting, serial"),
        ((*M4, "--baud", "9600"), "--baud 9600: is for --port; QEMU's line has no speed"),
        (
            (*M4, "--transport", "semihosting", "--port", "COM5"),
            "--port COM5: is a serial line; leave out --transport semihosting",
        ),
        (
            ("--board", "x86", "--transport", "serial"),
            "--transport and --port are for boards; x86 and the reference run in this process",
        ),
        (
            ("--board", "nucleo-l4r5zi"),
            "nucleo-l4r5zi: is no machine of QEMU's; flash its firmware (wvv micro create, build, flash) and name its "
            "serial port with --port",
        ),
        (
            (*M4, "--port", "socket://127.0.0.1:1"),
            "socket://127.0.0.1:1: cannot be reached ([Errno 111] Connection refused); does anything listen there?",
        ),
    ],
)
def test_what_cannot_be_reached_is_refused(arguments, line):
    assert wvv("eval", "digits", "--data", "digits", "--limit", "2", *arguments).line == line
