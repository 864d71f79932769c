"""Every template is built by its own files with warnings as errors, and what it makes gives the oracle's bytes.

Zephyr and Arduino are not here: tests/stubs stands in for the few calls that their templates use.
"""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, require_tool
from projects import as_bytes, make_project, recipe, small_model

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.project_build import build, build_plan, flash_plan, run_tool
from tvm_wvv.micro.project_files import project_of
from tvm_wvv.micro.serial_client import SerialClient
from tvm_wvv.micro.serial_model import with_serial
from tvm_wvv.micro.serial_port import SocketPort
from tvm_wvv.micro.toolchain import build_firmware, consoles

STUBS = ROOT / "tests" / "stubs"
STRICT = ("-Wall", "-Wextra", "-Werror")
MODEL = small_model()
HOST_PROGRAM = """
#include <stdio.h>
#include "tvmgen_residual.h"
int main(void) {
  static int8_t in[%(input)s_SIZE], out[%(output)s_SIZE];
  struct tvmgen_residual_inputs inputs = {in};
  struct tvmgen_residual_outputs outputs = {out};
  while (fread(in, 1, sizeof in, stdin) == sizeof in) {
    if (tvmgen_residual_run(&inputs, &outputs) != 0) { return 1; }
    fwrite(out, 1, sizeof out, stdout);
  }
  return 0;
}
"""


def sh(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def examples(count: int = 3) -> list[tuple[np.ndarray, ...]]:
    return [MODEL.inputs(seed) for seed in range(count)]


def test_plans_are_exactly_these(tmp_path):
    made = {name: recipe(name) for name in ("baremetal", "library", "zephyr", "arduino")}
    plans = {name: build_plan(project_of(one), one.board, Path("/p")) for name, one in made.items()}
    assert {name: plan.commands for name, plan in plans.items()} == {
        "baremetal": (("make", "--no-print-directory", "-j2"),),
        "library": (("cmake", "-S", ".", "-B", "build"), ("cmake", "--build", "build", "-j2")),
        "zephyr": (("west", "build", "-b", "nrf5340dk/nrf5340/cpuapp", "-d", "build", "."),),
        "arduino": (
            (
                *("arduino-cli", "compile", "--fqbn", "arduino:mbed_nano:nano33ble", "--library", "."),
                *("--output-dir", "build", "examples/residual_serial"),
            ),
        ),
    }
    assert {name: str(plan.product) for name, plan in plans.items()} == {
        "baremetal": "/p/build/firmware.elf",
        "library": "/p/build/run_residual",
        "zephyr": "/p/build/zephyr/zephyr.elf",
        "arduino": "/p/build/residual_serial.ino.elf",
    }
    serial = build_plan(project_of(made["baremetal"]), made["baremetal"].board, Path("/p"), "serial")
    assert (serial.commands[0][-1], serial.product.name) == ("serial", "firmware-serial.elf")


def test_other_systems_flash_by_their_own_tool():
    zephyr, arduino, bare = (recipe(name) for name in ("zephyr", "arduino", "baremetal"))
    assert flash_plan(project_of(zephyr), zephyr.board, None) == ("west", "flash", "-d", "build")
    assert flash_plan(project_of(arduino), arduino.board, "/dev/ttyACM0") == (
        *("arduino-cli", "upload", "--fqbn", "arduino:mbed_nano:nano33ble", "--port", "/dev/ttyACM0"),
        *("--input-dir", "build", "examples/residual_serial"),
    )
    with pytest.raises(WvvError, match="name it: --port"):
        flash_plan(project_of(arduino), arduino.board, None)
    assert flash_plan(project_of(bare), bare.board, None) is None


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("baremetal", r"^make: not found; install it with: apt-get install --no-install-recommends make$"),
        ("library", r"^cmake: not found; install it with: apt-get install --no-install-recommends cmake$"),
        ("zephyr", r"^west: not found; install it with: Zephyr's getting started guide, https://docs.zephyr"),
        ("arduino", r"^arduino-cli: not found; install it with: Arduino's guide, https://arduino"),
    ],
)
def test_a_missing_tool_comes_with_how_to_get_it(template, line, tmp_path, monkeypatch):
    project = make_project(tmp_path / "p", template)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WvvError, match=line):
        build(project, project.load_board(tmp_path / "p"), tmp_path / "p")


def test_a_compilers_complaint_comes_along(tmp_path):
    require_tool("make")
    require_tool("arm-none-eabi-gcc")
    project = make_project(tmp_path / "p", "baremetal")
    (tmp_path / "p" / "model" / "wvv_model.c").write_text("int wrong(void) { return nothing; }\n")
    with pytest.raises(WvvError, match=r"ended with status 2: .*'?nothing'? undeclared") as caught:
        build(project, project.load_board(tmp_path / "p"), tmp_path / "p")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_tool_that_says_nothing_of_errors_shows_its_end(tmp_path):
    with pytest.raises(WvvError, match=r"sh -c .* ended with status 4: b \| c \| d$"):
        run_tool((require_tool("sh"), "-c", "echo a; echo b; echo c; echo d; exit 4"), tmp_path)


@pytest.mark.parametrize("board", ["mps2-an386", "nucleo-l4r5zi"])
def test_bare_metal_images_are_those_of_wvv_run(board, tmp_path):
    require_tool("make")
    require_tool("arm-none-eabi-gcc")
    made = recipe("baremetal", board)
    project = make_project(tmp_path / "p", "baremetal", board)
    network = made.network
    for console in consoles(made.board):
        elf = build(project, project.load_board(tmp_path / "p"), tmp_path / "p", console)
        serial = with_serial(network.files, made.board, network.name, network.inputs, network.outputs)
        files = serial if console == "serial" else network.files
        assert elf.read_bytes() == build_firmware(files, made.board, tmp_path / console, console=console).read_bytes()


def test_make_checks_the_firmware_on_qemu(tmp_path):
    require_tool("make")
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    make_project(tmp_path / "p", "baremetal")
    strict = "CC=arm-none-eabi-gcc -Werror"
    assert "check: output bytes are those expected" in sh("make", "check", strict, cwd=tmp_path / "p")
    sh("make", "-j2", strict, cwd=tmp_path / "p")
    expected = tmp_path / "p" / "check" / "expected.bin"
    expected.write_bytes(bytes([expected.read_bytes()[0] ^ 1]) + expected.read_bytes()[1:])
    done = subprocess.run(["make", "check"], cwd=tmp_path / "p", capture_output=True, text=True)
    assert done.returncode != 0
    assert "differ" in done.stdout + done.stderr


def test_the_library_links_into_a_program_of_ones_own(tmp_path):
    require_tool("cmake")
    make_project(tmp_path / "lib", "library")
    header = (tmp_path / "lib" / "model" / "tvmgen_residual.h").read_text()
    sizes = re.findall(r"#define (TVMGEN_RESIDUAL_\w+)_SIZE", header)
    (source,) = (name for name in sizes if "INPUT" in name)
    (result,) = (name for name in sizes if "IDENTITY" in name)
    names = {"input": source, "output": result}
    (tmp_path / "main.c").write_text(HOST_PROGRAM % names)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(mine C)\nadd_subdirectory(lib)\nadd_executable(mine main.c)\n"
        "target_link_libraries(mine PRIVATE wvv_residual)\ntarget_compile_options(mine PRIVATE -Wall -Wextra -Werror)\n"
    )
    sh("cmake", "-B", "build", "-DCMAKE_C_FLAGS=-Werror", cwd=tmp_path)
    sh("cmake", "--build", "build", "-j2", cwd=tmp_path)
    data = examples()
    done = subprocess.run(
        [tmp_path / "build" / "mine"], input=b"".join(map(as_bytes, data)), capture_output=True, check=True
    )
    assert done.stdout == b"".join(as_bytes(MODEL.oracle(example)) for example in data)


def test_the_library_checks_itself_on_this_host(tmp_path):
    require_tool("cmake")
    project = make_project(tmp_path / "lib", "library")
    build(project, project.load_board(tmp_path / "lib"), tmp_path / "lib")
    assert "100% tests passed" in sh("ctest", "--test-dir", "build", cwd=tmp_path / "lib")
    expected = tmp_path / "lib" / "check" / "expected.bin"
    expected.write_bytes(expected.read_bytes()[:-1] + bytes([expected.read_bytes()[-1] ^ 1]))
    assert subprocess.run(["ctest", "--test-dir", "build"], cwd=tmp_path / "lib", capture_output=True).returncode != 0


def test_the_library_is_built_for_its_board(tmp_path):
    require_tool("cmake")
    require_tool("arm-none-eabi-gcc")
    make_project(tmp_path / "lib", "library")
    sh("cmake", "-B", "arm", "-DCMAKE_TOOLCHAIN_FILE=mps2-an386.cmake", cwd=tmp_path / "lib")
    sh("cmake", "--build", "arm", "-j2", cwd=tmp_path / "lib")
    shown = sh("arm-none-eabi-readelf", "-A", "arm/libwvv_residual.a", cwd=tmp_path / "lib")
    assert "Tag_CPU_arch: v7E-M" in shown
    assert not (tmp_path / "lib" / "arm" / "run_residual").exists()


def speak(program: Path, stack_bytes: int | None) -> None:
    """The program on stdin and stdout, through the client that real boards have."""
    ours, theirs = socket.socketpair()
    with ours, theirs, subprocess.Popen([str(program)], stdin=theirs.fileno(), stdout=theirs.fileno()) as process:
        try:
            client = SerialClient(SocketPort("stub", ours), "stub")
            assert client.info().input_bytes == sum(array.nbytes for array in examples()[0])
            for example in examples():
                expected = as_bytes(MODEL.oracle(example))
                done = client.run(as_bytes(example), len(expected))
                assert done.outputs == expected
                assert done.ticks is not None
            assert client.stack_bytes() == stack_bytes
        finally:
            process.kill()


def test_zephyrs_application_compiles_and_runs_against_stubs(tmp_path):
    require_tool("cmake")
    project = make_project(tmp_path / "p", "zephyr")
    assert (tmp_path / "p" / "boards" / "nrf5340dk_nrf5340_cpuapp.overlay").exists()
    sh("cmake", "-B", "build", f"-DZephyr_DIR={STUBS / 'zephyr'}", "-DCMAKE_C_FLAGS=-Werror", cwd=tmp_path / "p")
    sh("cmake", "--build", "build", "-j2", cwd=tmp_path / "p")
    # The stand-in says that 1000 bytes of the stack were never used.
    speak(tmp_path / "p" / "build" / "app", project.load_board(tmp_path / "p").stack_bytes - 1000)


def test_zephyrs_application_compiles_for_its_core(tmp_path):
    gcc = require_tool("arm-none-eabi-gcc")
    make_project(tmp_path / "p", "zephyr")
    folder = tmp_path / "p"
    stack = next(line for line in (folder / "prj.conf").read_text().splitlines() if "STACK_SIZE" in line)
    places = [f"-I{place}" for place in ("model", "runtime", "runtime/include", STUBS / "zephyr" / "include", STUBS)]
    flags = (*load_board("nrf5340dk").cpu.flags, "-O2", *STRICT, f"-D{stack}")
    for source in sorted(folder.rglob("*.c")):
        sh(gcc, *flags, *places, "-c", source, "-o", tmp_path / "o.o", cwd=folder)


def test_arduinos_library_compiles_and_runs_against_stubs(tmp_path):
    cc, cxx = require_tool("cc"), require_tool("c++")
    make_project(tmp_path / "p", "arduino")
    sources = [*sorted((tmp_path / "p" / "src").rglob("*.c")), STUBS / "line.c"]
    assert len({source.name for source in sources}) == len(sources)
    places = (f"-I{tmp_path / 'p' / 'src'}", f"-I{STUBS}", f"-I{STUBS / 'arduino'}")
    # Arduino's own flags have no -std, and optimize for size.
    sh(cc, "-Os", *STRICT, *places, "-c", *sources, cwd=tmp_path)
    sketch = tmp_path / "p" / "examples" / "residual_serial" / "residual_serial.ino"
    sh(cxx, "-Os", *STRICT, *places, "-include", "Arduino.h", "-x", "c++", "-c", sketch, "-o", "sketch.o", cwd=tmp_path)
    sh(cxx, "-Os", *STRICT, *places, "-c", STUBS / "arduino" / "main.cpp", cwd=tmp_path)
    sh(cxx, *sorted(tmp_path.glob("*.o")), "-lm", "-o", "app", cwd=tmp_path)
    # Arduino does not say.
    speak(tmp_path / "app", None)


def test_arduinos_library_compiles_for_its_core_with_the_flags_it_asks_for(tmp_path):
    gcc = require_tool("arm-none-eabi-gcc")
    make_project(tmp_path / "p", "arduino")
    flags = (*load_board("nano-33-ble").cpu.flags, "-Os", *STRICT, f"-I{tmp_path / 'p' / 'src'}")
    for source in sorted((tmp_path / "p" / "src").glob("*.c")):
        assert "no-strict-aliasing" in source.read_text().split("#include")[0]
        sh(gcc, *flags, "-c", source, "-o", tmp_path / "o.o", cwd=tmp_path)
