"""What deploy/templates are filled in with: flags, file lists and words, from the same values as `wvv run`'s build.

Gives plain texts and lists; a path among them is relative to the project.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro import toolchain
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.flash import FLASHERS, flash_step
from tvm_wvv.micro.flash_step import Desk
from tvm_wvv.micro.metadata import tensor_bytes
from tvm_wvv.micro.network import Network
from tvm_wvv.micro.qemu import qemu_command
from tvm_wvv.micro.serial_model import SERIAL_MODEL

_INCLUDES = ("-Imodel", "-Iruntime/include", "-Iruntime")
OPTIMIZE = "-O3"  # what `toolchain.build_firmware` takes by default, and a test compares the images


def template_facts(network: Network, board: Board, sha256: str, check_bytes: int) -> dict[str, Any]:
    """Every name that a template may use."""
    third_party = [name for name in _sources(network.files) if _is_foreign(name)]
    # Headers of a library lie in folders of the name Include, as `toolchain.compile_commands` has it.
    headers = sorted({str(PurePosixPath(name).parent) for name in network.files if "/Include/" in f"/{name}"})
    foreign = sorted({_include_folder(folder) for folder in headers})
    ports = [_port("input", info) for info in network.inputs] + [_port("output", info) for info in network.outputs]
    return {
        "model": network.name,
        "board": board,
        "sha256": sha256,
        "gcc": toolchain.GCC,
        "cpu_flags": shlex.join(board.cpu.flags),
        # Somebody else's compiler may warn of more than ours does, and must build all the same.
        "c_flags": shlex.join([OPTIMIZE, *(flag for flag in toolchain.C_FLAGS if flag != "-Werror")]),
        "foreign_flags": shlex.join(toolchain.FOREIGN_C_FLAGS),
        "facts": shlex.join(toolchain.board_facts(board)),
        "includes": " ".join([*_INCLUDES, *(f"-isystemmodel/{one}" for one in foreign)]),
        "link_flags": " ".join(toolchain.LINK_FLAGS),
        "consoles": consoles(board),
        "sources": {console: firmware_sources(network, board, console) for console in consoles(board)},
        "model_sources": _sources(network.files),
        "third_party": third_party,
        "foreign_includes": foreign,
        "protocol": toolchain.SERIAL_PROTOCOL,
        "qemu": _qemu(board),
        "flash": _flash(board),
        "check_count": check_bytes // sum(tensor_bytes(info) for info in network.outputs),
        "ports": ports,
    }


def consoles(board: Board) -> tuple[toolchain.Console, ...]:
    """The board's consoles, that of its cable first."""
    return tuple(sorted(toolchain.consoles(board), key=lambda console: console != "serial"))


def firmware_sources(network: Network, board: Board, console: toolchain.Console) -> list[str]:
    """The C files of an image, in the order in which `toolchain.build_firmware` links them."""
    extra = {SERIAL_MODEL: ""} if console == "serial" else {}
    model = [f"model/{name}" for name in _sources({**network.files, **extra})]
    runtime = [f"runtime/{name}" for name in toolchain.runtime_sources(board, console)]
    return [*model, *runtime, f"boards/{board.name}/startup.c"]


def _sources(files: Mapping[str, str]) -> list[str]:
    return [name for name in sorted(files) if name.endswith(".c")]


def _is_foreign(name: str) -> bool:
    return PurePosixPath(name).parts[0] == toolchain.THIRD_PARTY


def _include_folder(folder: str) -> str:
    """The folder named Include itself, where a header lies below it."""
    parts = PurePosixPath(folder).parts
    return str(PurePosixPath(*parts[: parts.index("Include") + 1]))


def _qemu(board: Board) -> str:
    """The command without its image; empty where QEMU has no such board."""
    if board.run.runner != "qemu":
        return ""
    *command, kernel, _elf = qemu_command(board, Path("firmware.elf"))
    assert kernel == "-kernel", "the image is the last thing that QEMU is told"
    return shlex.join(command)


def _flash(board: Board) -> str:
    """The command of the board's own tool; gdb needs a server that somebody starts, so make cannot do it alone."""
    runner = board.run.runner
    if runner not in FLASHERS or runner == "gdb":
        return ""
    command: Sequence[str] = flash_step(board, Path("build/firmware.elf"), runner, Desk()).command
    # In this process pyOCD is a module of our interpreter; in somebody's Makefile it is a program.
    words = ["pyocd", *command[3:]] if runner == "pyocd" else command
    return shlex.join(words)


def _port(kind: str, info: TensorInfo) -> dict[str, Any]:
    affine = info.affine
    real = "itself" if affine is None or info.dtype == "float32" else f"{affine.scale!r} * (q - ({affine.zero_point}))"
    shape = "x".join(map(str, info.shape))
    words = {"kind": kind, "name": info.name, "dtype": info.dtype, "shape": shape, "real": real}
    return {**words, "bytes": tensor_bytes(info)}
