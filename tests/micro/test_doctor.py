"""The doctor: every need is listed once, and what is missing comes with the line that installs it."""

from __future__ import annotations

import importlib.metadata

import pytest

from tvm_wvv.micro.doctor import Check, checks

NAMES = [
    *("python", "apache-tvm", "apache-tvm-ffi", "tflite interpreter", "numpy"),
    *("arm-none-eabi-gcc", "newlib", "qemu-system-arm", "cc", "boards", "deploy"),
    *("make", "cmake", "gdb-multiarch", "openocd", "pyocd"),
]


def by_name() -> dict[str, Check]:
    return {check.name: check for check in checks()}


def pretend(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    """Installed packages are these, as far as given; None stands for a missing one."""
    real = importlib.metadata.version
    given = {name.replace("_", "-"): version for name, version in versions.items()}

    def version(name: str) -> str:
        found = given[name] if name in given else real(name)
        if found is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(importlib.metadata, "version", version)


def test_all_needs_are_listed_in_order():
    assert [check.name for check in checks()] == NAMES


def test_the_environment_of_the_tests_is_sound():
    found = by_name()
    for name in ("python", "apache-tvm", "apache-tvm-ffi", "tflite interpreter", "numpy", "boards", "deploy"):
        assert found[name].ok, found[name]


def test_missing_programs_come_with_their_packages(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = by_name()
    apt = "apt-get install --no-install-recommends "
    arm = apt + "gcc-arm-none-eabi libnewlib-arm-none-eabi binutils-arm-none-eabi"
    assert found["arm-none-eabi-gcc"] == Check("arm-none-eabi-gcc", None, False, arm)
    assert found["newlib"] == Check("newlib", None, False, arm)
    assert found["qemu-system-arm"] == Check("qemu-system-arm", None, False, apt + "qemu-system-arm")
    assert found["cc"] == Check("cc", None, False, apt + "gcc libc6-dev")


def test_what_only_one_command_needs_says_which(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    pretend(monkeypatch, pyocd=None)
    found = by_name()
    apt = "apt-get install --no-install-recommends "
    expected = {
        "make": "wvv micro build",
        "cmake": "wvv micro build, template library",
        "gdb-multiarch": "wvv micro flash --runner gdb",
        "openocd": "wvv micro flash --runner openocd",
    }
    for name, command in expected.items():
        assert found[name] == Check(name, None, False, apt + name, command)
    pyocd = Check("pyocd", None, False, "pip install 'tvm_wvv[flash]'", "wvv micro flash --runner pyocd")
    assert found["pyocd"] == pyocd
    assert {check.name for check in checks() if check.only_for} == {*expected, "pyocd"}


def test_a_tvm_ffi_that_crashes_is_found(monkeypatch):
    pretend(monkeypatch, apache_tvm="0.27.0.post1", apache_tvm_ffi="0.1.15.post1")
    fix = "pip install apache-tvm==0.27.0.post1 apache-tvm-ffi==0.1.14.post1"
    assert by_name()["apache-tvm-ffi"] == Check("apache-tvm-ffi", "0.1.15.post1", False, fix)


@pytest.mark.parametrize(
    ("runtime", "numpy", "ok"), [("2.14.0", "1.26.4", True), ("2.14.0", "2.1.0", False), (None, "2.1.0", True)]
)
def test_numpy_2_is_refused_beside_tflite_runtime_only(monkeypatch, runtime, numpy, ok):
    pretend(monkeypatch, tflite_runtime=runtime, numpy=numpy)
    assert (by_name()["numpy"].found, by_name()["numpy"].ok) == (numpy, ok)


def test_the_interpreter_may_have_its_present_name(monkeypatch):
    pretend(monkeypatch, tflite_runtime=None, ai_edge_litert="2.1.0")
    assert by_name()["tflite interpreter"] == Check("tflite interpreter", "ai-edge-litert 2.1.0", True, "")


def test_no_interpreter_at_all(monkeypatch):
    pretend(monkeypatch, tflite_runtime=None, ai_edge_litert=None)
    missing = by_name()["tflite interpreter"]
    assert (missing.found, missing.ok) == (None, False)
    assert missing.fix.startswith("pip install ")


def test_a_compiler_that_fails_is_not_ok(monkeypatch, tmp_path):
    fake = tmp_path / "arm-none-eabi-gcc"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    found = by_name()
    assert not found["arm-none-eabi-gcc"].ok
    assert not found["newlib"].ok
