"""What a firmware image really occupies, read from its ELF by the binutils that came with the compiler.

Sections are those of deploy/runtime/sections.ld; the arena is told by its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tvm_wvv.micro.process import check

_ARENA = re.compile(r"^(tvmgen_\w+_)?arena$")


@dataclass(frozen=True)
class Symbol:
    name: str
    address: int
    size: int


@dataclass(frozen=True)
class ElfSizes:
    """All in bytes; `rodata_bytes` is without the weights, and `stack_bytes` is what the linker reserved."""

    text_bytes: int
    rodata_bytes: int
    weight_bytes: int
    data_bytes: int
    bss_bytes: int
    stack_bytes: int
    arena_bytes: int

    @property
    def flash_bytes(self) -> int:
        # Initial values of .data lie in flash too.
        return self.text_bytes + self.rodata_bytes + self.weight_bytes + self.data_bytes

    @property
    def ram_bytes(self) -> int:
        """Static data alone: a run tells how much of the stack was used."""
        return self.data_bytes + self.bss_bytes


def elf_sizes(elf: Path) -> ElfSizes:
    """Sizes of an image linked with deploy/runtime/sections.ld."""
    sections = section_bytes(elf)
    return ElfSizes(
        text_bytes=sum(sections.get(name, 0) for name in (".vectors", ".text", ".ARM.exidx")),
        rodata_bytes=sections.get(".rodata", 0),
        weight_bytes=sections.get(".weights", 0),
        data_bytes=sections.get(".data", 0),
        bss_bytes=sections.get(".bss", 0) + sections.get(".arena", 0),
        stack_bytes=sections.get(".stack", 0),
        arena_bytes=sum(symbol.size for symbol in read_symbols(elf) if _ARENA.match(symbol.name)),
    )


def section_bytes(elf: Path) -> dict[str, int]:
    """Size of every section by its name."""
    lines = check(["arm-none-eabi-size", "-A", str(elf)]).stdout.splitlines()
    rows = (line.split() for line in lines if line.startswith("."))
    return {row[0]: int(row[1]) for row in rows}


def read_symbols(elf: Path) -> tuple[Symbol, ...]:
    """Functions and objects that have a size, by address."""
    lines = check(["arm-none-eabi-nm", "-S", "-n", str(elf)]).stdout.splitlines()
    rows = (line.split() for line in lines)
    return tuple(Symbol(row[3].split(".")[0], int(row[0], 16), int(row[1], 16)) for row in rows if len(row) == 4)


def symbol_at(elf: Path, address: int) -> str | None:
    """The function or object that covers an address."""
    return next((s.name for s in read_symbols(elf) if s.address <= address < s.address + s.size), None)
