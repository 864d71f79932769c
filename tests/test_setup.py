"""setup.sh: what it asks apt-get for, and the line it prints where it may not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

TOOLS = ("c++", "make", "cmake", "gdb-multiarch", "qemu-system-arm", "arm-none-eabi-gcc", "arm-none-eabi-ld", "gcc")
ARM_PACKAGES = ("qemu-system-arm", "gcc-arm-none-eabi", "binutils-arm-none-eabi", "libnewlib-arm-none-eabi")
PACKAGES = [*ARM_PACKAGES, "gcc", "g++", "make", "cmake", "gdb-multiarch", "libc6-dev"]


def _stub(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


def _setup(programs: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(programs), "PYTHON": sys.executable}
    return subprocess.run(
        ["/bin/sh", str(ROOT / "setup.sh")], env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The only folder on PATH: it holds `env` and an `apt-get` that writes down what it is asked."""
    env = shutil.which("env")
    assert env is not None
    (tmp_path / "env").symlink_to(env)
    _stub(tmp_path, "apt-get", f'echo "$@" >> "{tmp_path}/asked"')
    return tmp_path


def test_root_installs_what_is_missing(programs: Path) -> None:
    _stub(programs, "id", "echo 0")
    assert _setup(programs).returncode == 0
    update, install = (programs / "asked").read_text(encoding="utf-8").splitlines()
    assert update.split()[0] == "update"
    assert install.split()[-len(PACKAGES) :] == PACKAGES


def test_sudo_without_a_password_is_used(programs: Path) -> None:
    _stub(programs, "id", "echo 1000")
    _stub(programs, "sudo", f'[ "$1" = -n ] || exit 9; shift; echo sudo >> "{programs}/asked"; [ "$1" = true ] || "$@"')
    assert _setup(programs).returncode == 0
    assert [line.split()[0] for line in (programs / "asked").read_text(encoding="utf-8").splitlines()] == [
        "sudo", "sudo", "update", "sudo", "install",
    ]  # fmt: skip


def test_without_rights_it_prints_the_line_to_type(programs: Path) -> None:
    _stub(programs, "id", "echo 1000")
    done = _setup(programs)
    assert done.returncode == 1
    assert f"sudo apt-get install --no-install-recommends {' '.join(PACKAGES)}\n" in done.stderr
    assert not (programs / "asked").exists()


def test_a_compiler_without_headers_is_completed(programs: Path) -> None:
    _stub(programs, "id", "echo 0")
    for tool in TOOLS:
        _stub(programs, tool, "exit 0")
    _stub(programs, "gcc", "exit 1")
    assert _setup(programs).returncode == 0
    assert (programs / "asked").read_text(encoding="utf-8").split()[-1] == "libc6-dev"


def test_nothing_missing_is_silent(programs: Path) -> None:
    for tool in TOOLS:
        _stub(programs, tool, "exit 0")
    done = _setup(programs)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (programs / "asked").exists()
