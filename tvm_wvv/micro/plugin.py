"""The counting plugin of deploy/qemu_plugin: built once with the host's compiler, named to QEMU, its file read.

A span is what ran between two reads of the firmware's timer (deploy/runtime/measure.c), so spans and the lines of
`profile.txt` belong together one by one. Interrupts are left out: they belong to the timer, not to the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.cache import fetch, key_of
from tvm_wvv.micro.elf_sizes import read_symbols
from tvm_wvv.micro.process import check
from tvm_wvv.micro.toolchain import HOST_CC
from tvm_wvv.resources import deploy_dir

BLOCKS_FILE = "blocks.txt"
_FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-fPIC", "-shared", "-fvisibility=hidden")
# Where the firmware starts and reads its timer (wvv_timer.h), and its only interrupt (wvv_startup.h).
_FUNCTIONS = {"start": "wvv_timer_restart", "stop": "wvv_timer_ticks", "skip": "wvv_tick"}


@dataclass(frozen=True)
class BlockRun:
    """Straight-line code, and how often it ran in a span; `fell` times its last branch was not taken."""

    address: int
    code: bytes
    count: int
    fell: int


Span = tuple[BlockRun, ...]


def built_plugin() -> Path:
    """The shared object; WvvError where there is no compiler, CommandError where it cannot compile."""
    source = deploy_dir() / "qemu_plugin" / "blocks.c"
    version = check([HOST_CC, "--version"]).stdout

    def make(path: Path) -> None:
        check([HOST_CC, *_FLAGS, str(source), "-o", str(path)])

    return fetch(key_of([version, *_FLAGS, source.read_bytes()]), ".so", make)


def plugin_options(plugin: Path, elf: Path) -> list[str]:
    """QEMU's options that count this firmware's blocks into `BLOCKS_FILE` of its working folder."""
    addresses = {symbol.name: symbol.address for symbol in read_symbols(elf)}
    named = [f"{key}={addresses[name]:#x}" for key, name in _FUNCTIONS.items() if name in addresses]
    # QEMU ends a value at a single comma.
    path = str(plugin).replace(",", ",,")
    return ["-plugin", ",".join([path, *named, f"out={BLOCKS_FILE}"])]


def read_spans(text: str) -> tuple[Span, ...]:
    """Every span in order; a text that the plugin did not write whole is refused."""
    blocks: list[tuple[int, bytes]] = []
    spans: list[list[BlockRun]] = []
    try:
        for line in text.splitlines():
            words = line.split()
            if words[0] == "block":
                blocks.append((int(words[1], 16), bytes.fromhex(words[2])))
            elif words[0] == "span":
                spans.append([])
            else:
                number, count, fell = map(int, words)
                spans[-1].append(BlockRun(*blocks[number], count, fell))
    except (ValueError, IndexError) as error:
        raise WvvError(f"{BLOCKS_FILE}: QEMU's plugin did not finish it ({error})") from error
    return tuple(tuple(span) for span in spans)


def instruction_bytes(code: bytes) -> tuple[bytes, ...]:
    """Thumb code cut into instructions of two or four bytes (Armv7-M A5.1: by the first five bits)."""
    found, at = [], 0
    while at < len(code):
        size = 4 if code[at + 1] >> 3 >= 0b11101 else 2
        found.append(code[at : at + size])
        at += size
    return tuple(found)


def executed(span: Sequence[BlockRun]) -> int:
    """Instructions that ran, those included whose condition did not hold."""
    return sum(run.count * len(instruction_bytes(run.code)) for run in span)
