"""What a model's firmware takes on a board, found before it is built for that board.

Takes:  the generated files and a board.  Gives:  an `Image`: bytes by section, and the deepest stack.
The same sources are compiled with the same flags and linked into memories without end, so no size is guessed and none
is too large.  What comes out is kept, as firmware is.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tvm_wvv.micro import toolchain
from tvm_wvv.micro.board import Board, Region
from tvm_wvv.micro.cache import fetch
from tvm_wvv.micro.disassembly import frames
from tvm_wvv.micro.elf_sizes import elf_sizes, read_symbols
from tvm_wvv.micro.firmware_cache import firmware_key
from tvm_wvv.micro.process import check
from tvm_wvv.micro.stack_depth import Depth, depth_below, merge
from tvm_wvv.micro.toolchain import Console

# Far apart and large, yet within the reach of one branch instruction each (16 MiB, Thumb-2 BL).
_FIRST, _APART, _LENGTH = 0x0800_0000, 0x0800_0000, 0x0100_0000
_RESET, _TICK, _FAULT = "wvv_reset", "wvv_tick", "wvv_fault"
# What the core pushes when it takes an exception (Armv7-M B1.5.6), and 4 bytes where the stack was not aligned to 8.
_EXCEPTION, _EXCEPTION_WITH_FPU = 32 + 4, 104 + 4
_RELOCATION = re.compile(r"^[0-9a-f]{8} R_ARM_(?P<kind>\w+)\s+(?P<symbol>\S+)")
_SECTION = re.compile(r"^RELOCATION RECORDS FOR \[(?P<name>.+)\]:")
_DIRECT = ("THM_CALL", "THM_JUMP24", "THM_JUMP19", "PREL31", "NONE")


@dataclass(frozen=True)
class Image:
    """All in bytes. `stack_bytes` is the worst case, None where there is no bound; `stack_note` then says why."""

    text_bytes: int
    rodata_bytes: int
    weight_bytes: int
    data_bytes: int
    bss_bytes: int
    arena_bytes: int
    stack_bytes: int | None
    stack_path: tuple[tuple[str, int], ...]
    stack_note: str | None

    @property
    def flash_bytes(self) -> int:
        """What lies in flash; initial values of .data do too."""
        return self.text_bytes + self.rodata_bytes + self.weight_bytes + self.data_bytes


def image(files: Mapping[str, str], board: Board, *, console: Console = "semihosting") -> Image:
    """The image of these files, from the cache where it was found before."""

    def make(path: Path) -> None:
        path.write_text(json.dumps(asdict(measure(files, board, console=console))), encoding="ascii")

    # Files that decide what is found, but not what is built.
    ours = [Path(__file__).with_name(f"{name}.py").read_bytes() for name in ("image", "disassembly", "stack_depth")]
    key = firmware_key(files, board, "fit", console, *ours)
    found = json.loads(fetch(key, ".json", make).read_bytes())
    return Image(**{**found, "stack_path": tuple((name, size) for name, size in found["stack_path"])})


def measure(files: Mapping[str, str], board: Board, *, console: Console = "semihosting") -> Image:
    """The same without the cache."""
    with tempfile.TemporaryDirectory(prefix="wvv-fit-") as folder:
        place = Path(folder)
        elf = toolchain.build_firmware(files, without_end(board), place, console=console, call_graph=True)
        sizes, depth = elf_sizes(elf), _stack(elf, place / "obj", board)
    return Image(
        text_bytes=sizes.text_bytes,
        rodata_bytes=sizes.rodata_bytes,
        weight_bytes=sizes.weight_bytes,
        data_bytes=sizes.data_bytes,
        bss_bytes=sizes.bss_bytes - sizes.arena_bytes,
        arena_bytes=sizes.arena_bytes,
        stack_bytes=depth.bytes,
        stack_path=depth.path,
        stack_note=depth.obstacle,
    )


def without_end(board: Board) -> Board:
    """The board with the same memories at other places, each larger than any image."""
    memory = tuple(Region(region.name, _FIRST + number * _APART, _LENGTH) for number, region in enumerate(board.memory))
    return replace(board, memory=memory)


def _stack(elf: Path, objects: Path, board: Board) -> Depth:
    text = check(["arm-none-eabi-objdump", "-d", "--no-show-raw-insn", str(elf)]).stdout
    graphs = (path.read_text(encoding="utf-8") for path in sorted(objects.glob("*.ci")))
    known = merge(graphs, frames(text))
    relocations = check(["arm-none-eabi-objdump", "-r", *map(str, sorted(objects.glob("*.o")))]).stdout
    depth = depth_below(known, _RESET, pointed_at(relocations.splitlines()) & set(known))
    addresses = {symbol.name: symbol.address for symbol in read_symbols(elf)}
    if depth.bytes is None or addresses.get(_TICK, addresses.get(_FAULT)) == addresses.get(_FAULT):
        return depth
    tick = depth_below(known, _TICK, frozenset())
    if tick.bytes is None:
        return tick
    entry = _EXCEPTION_WITH_FPU if "fpu" in board.cpu.features else _EXCEPTION
    return Depth(depth.bytes + entry + tick.bytes, (*depth.path, ("exception", entry), *tick.path))


def pointed_at(relocations: Iterable[str]) -> frozenset[str]:
    """Functions whose addresses stand in data or are loaded: a call by pointer may reach them.

    The vector table is left out: its functions are entered by the core, on a stack of their own or from nothing.
    """
    found, inside = set[str](), True
    for line in relocations:
        if section := _SECTION.match(line):
            inside = not section["name"].startswith((".vectors", ".debug", ".ARM.exidx"))
        elif inside and (entry := _RELOCATION.match(line)) and entry["kind"] not in _DIRECT:
            # Functions of one file are named by their section, an offset behind it.
            found.add(re.sub(r"[+-]0x[0-9a-f]+$", "", entry["symbol"]).removeprefix(".text."))
    return frozenset(found)
