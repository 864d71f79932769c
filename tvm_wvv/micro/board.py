"""A board: every fact from its `board.toml`, read once into frozen values.

Takes the name of a folder below `boards/`, or a path to such a folder anywhere.
Refuses unknown and missing keys, empty or overlapping memories, a timer too coarse to count single instructions.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board_wiring import (
    UNKNOWN_ELSEWHERE,
    USUAL_PLACES,
    Placement,
    Project,
    Uart,
    read_placement,
    read_project,
    read_uart,
)
from tvm_wvv.micro.strict_table import StrictTable, read_table
from tvm_wvv.passes.options import Target
from tvm_wvv.resources import boards_dir

FEATURES = ("dsp", "fpu", "mve")
RUNNERS = ("qemu", "gdb", "pyocd", "openocd")
TIMINGS = ("none", "dwt")
TIMERS = ("cmsdk", "systick")
OPTIONAL = ("timer", "uart", "project", "placement")
_NANOSECONDS = 10**9


@dataclass(frozen=True)
class Cpu:
    core: str
    clock_hz: int
    flags: tuple[str, ...]
    features: tuple[str, ...]


@dataclass(frozen=True)
class Region:
    name: str
    origin: int
    length: int

    @property
    def end(self) -> int:
        return self.origin + self.length


@dataclass(frozen=True)
class Run:
    """How the board's firmware is started; `timing` says whether time on it means anything."""

    runner: str
    machine: str
    timeout_s: int
    timing: str


@dataclass(frozen=True)
class Timer:
    """A timer that counts instructions while the emulator lets each last `2**icount_shift` ns."""

    kind: str
    base: int
    clock_hz: int
    icount_shift: int

    @property
    def ticks_per_instruction(self) -> Fraction:
        return Fraction(self.clock_hz << self.icount_shift, _NANOSECONDS)


@dataclass(frozen=True)
class Board:
    name: str
    summary: str
    cpu: Cpu
    memory: tuple[Region, ...]
    stack_bytes: int
    run: Run
    timer: Timer | None
    folder: Path
    uart: Uart | None = None
    project: Project = UNKNOWN_ELSEWHERE
    placement: Placement = USUAL_PLACES

    @property
    def target(self) -> Target:
        """What the compiler makes kernels for."""
        if "mve" in self.cpu.features:
            return "cortex_m_mve"
        return "cortex_m_dsp" if "dsp" in self.cpu.features else "cortex_m"

    def region(self, name: str) -> Region:
        return next(region for region in self.memory if region.name == name)


def board_names() -> tuple[str, ...]:
    """Names of all boards that are here, sorted; none where the boards' folder itself is missing."""
    try:
        folders = boards_dir().iterdir()
    except WvvError:
        return ()
    return tuple(sorted(folder.name for folder in folders if (folder / "board.toml").is_file()))


X86 = "x86"
"""The pseudo board that stands for this host: the model runs in process and has no firmware."""

KNOWN = (*board_names(), X86)


def load_board(name: str) -> Board:
    """The board of that name; a name with a path separator in it is the path of a board's folder."""
    if os.sep in name:
        return read_board(Path(name).resolve())
    if name in board_names():
        return read_board(boards_dir() / name)
    if name == X86:
        raise WvvError(f"board '{X86}' is this host and has no firmware; choose one of {', '.join(board_names())}")
    close = difflib.get_close_matches(name, KNOWN, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise WvvError(f"no board '{name}'{hint} (known: {', '.join(KNOWN)})")


def read_board(folder: Path) -> Board:
    """The board described by `folder/board.toml`."""
    top = read_table(folder / "board.toml", f"{folder.parent.name}/{folder.name}/board.toml")
    name = top.text("name")
    if name != folder.name:
        top.fail("name", f"'{name}' differs from the folder's name '{folder.name}'")
    memory = _read_memory(top.table("memory"))
    board = Board(
        name=name,
        summary=top.text("summary"),
        cpu=_read_cpu(top.table("cpu")),
        memory=memory,
        stack_bytes=_read_stack_bytes(top.table("firmware"), memory),
        run=_read_run(top.table("run")),
        timer=_read_timer(top.table("timer")) if top.has("timer") else None,
        folder=folder,
        uart=read_uart(top.table("uart")) if top.has("uart") else None,
        project=read_project(top.table("project")) if top.has("project") else UNKNOWN_ELSEWHERE,
        placement=_read_placement(top, memory),
    )
    top.finish(known=OPTIONAL)
    return board


def _read_placement(top: StrictTable, memory: tuple[Region, ...]) -> Placement:
    if not top.has("placement"):
        return USUAL_PLACES
    return read_placement(top.table("placement"), [region.name for region in memory])


def _read_cpu(table: StrictTable) -> Cpu:
    cpu = Cpu(
        core=table.text("core"),
        clock_hz=table.positive("clock_hz"),
        flags=table.texts("flags"),
        features=table.texts("features", FEATURES),
    )
    if f"-mcpu={cpu.core}" not in (flag.split("+")[0] for flag in cpu.flags):
        table.fail("flags", f"-mcpu={cpu.core} is not among them, and cpu.core is '{cpu.core}'")
    table.finish()
    return cpu


def _read_memory(table: StrictTable) -> tuple[Region, ...]:
    for needed in ("code", "ram"):
        table.table(needed)
    regions = tuple(_read_region(table, name) for name in table.names())
    for one, other in combinations(regions, 2):
        if one.origin < other.end and other.origin < one.end:
            table.fail(one.name, f"overlaps {other.name}: {_span(one)} and {_span(other)}")
    return regions


def _span(region: Region) -> str:
    return f"{region.origin:#x}..{region.end:#x}"


def _read_region(memory: StrictTable, name: str) -> Region:
    if not name.isidentifier():
        memory.fail(name, "is no name that a linker script can hold; use letters, digits and _")
    table = memory.table(name)
    region = Region(name, table.natural("origin"), table.natural("length"))
    table.finish()
    if region.length == 0:
        memory.fail(name, f"length {region.length:#x} is not positive")
    if region.end > 1 << 32:
        memory.fail(name, f"ends at {region.end:#x}, beyond 32-bit addresses")
    # The linker script aligns the stack and the vector table's section to 8 bytes.
    if region.origin % 8 or region.length % 8:
        memory.fail(name, f"origin {region.origin:#x} and length {region.length:#x} must be multiples of 8")
    return region


def _read_stack_bytes(table: StrictTable, memory: tuple[Region, ...]) -> int:
    size = table.positive("stack_bytes")
    ram = next(region for region in memory if region.name == "ram")
    if size % 8 or size >= ram.length:
        table.fail("stack_bytes", f"{size:#x} must be a multiple of 8 below memory.ram's length {ram.length:#x}")
    table.finish()
    return size


def _read_run(table: StrictTable) -> Run:
    run = Run(
        runner=table.choice("runner", RUNNERS),
        machine=table.text("machine"),
        timeout_s=table.positive("timeout_s"),
        timing=table.choice("timing", TIMINGS),
    )
    table.finish()
    return run


def _read_timer(table: StrictTable) -> Timer:
    timer = Timer(
        kind=table.choice("kind", TIMERS),
        base=table.natural("base"),
        clock_hz=table.positive("clock_hz"),
        icount_shift=table.natural("icount_shift"),
    )
    # Below one tick an instruction two different counts would give the same ticks.
    if timer.ticks_per_instruction < 1:
        table.fail("icount_shift", f"gives {timer.ticks_per_instruction} ticks an instruction, need at least 1")
    table.finish()
    return timer
