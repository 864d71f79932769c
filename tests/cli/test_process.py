"""The command as a process: how it starts, and how it ends when it is interrupted or nobody listens."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import cache, start
from conftest import require_tool

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["eval", "--help"], ["boards"], ["boards", "--json"]])
def test_what_needs_no_compiler_loads_none(arguments: list[str]):
    script = (
        "import sys; from tvm_wvv.cli.main import execute; status = execute(sys.argv[1:]); "
        "print(sorted({'tvm', 'torch', 'pyarrow', 'sklearn'} & set(sys.modules)), status, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    assert done.stderr == "[] 0\n"


@pytest.mark.parametrize(
    ("number", "status", "line"), [(signal.SIGINT, 130, "wvv: interrupted\n"), (signal.SIGTERM, 143, "")]
)
def test_interrupted_while_qemu_runs(tmp_path: Path, number: signal.Signals, status: int, line: str):
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    (tmp_path / "tmp").mkdir()
    command = ("eval", "digits", "--board", "mps2-an386", "--data", "digits", "--winograd", "off")
    process = start(*command, env={"TMPDIR": str(tmp_path / "tmp")})
    deadline = time.monotonic() + 120
    # The folder of the exchange appears when QEMU is started.
    while not list((tmp_path / "tmp").glob("wvv-run-*/output.bin")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (status, "", line)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_reader_that_leaves_is_no_error():
    process = start("boards", "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.wait(timeout=30)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("arguments", [["boards"], ["boards", "--json"]])
def test_a_full_disk_behind_stdout_is_one_line(arguments: list[str]):
    with Path("/dev/full").open("w") as full:
        process = start(*arguments, stdout=full)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (2, "wvv: stdout cannot be written: No space left on device\n")


def test_our_own_mistakes_keep_their_traceback():
    script = (
        "from tvm_wvv.cli import boards; import tvm_wvv.micro.board as b; b.board_names = lambda: 1 / 0; "
        "from tvm_wvv.cli.main import execute; execute(['boards'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
