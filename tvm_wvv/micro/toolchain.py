"""Builds firmware, and its host twin, from the C text that the code generator gives.

Takes file names with their text, and a board.  Gives the path of an ELF (or host program) in `build_dir`.
Refuses an image that does not fit, with the bytes that are missing; a warning in any C file is an error.
The same text gives the same bytes in any folder: no dates, no paths, a fixed order.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Literal

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.process import CommandError, check, install_line
from tvm_wvv.resources import deploy_dir

GCC = "arm-none-eabi-gcc"
HOST_CC = "cc"
THIRD_PARTY = "third_party"
"""The folder of generated files that a library's own sources lie in."""
_JOBS = 2
Console = Literal["semihosting", "serial"]
"""How firmware reaches its host: files through a debugger or QEMU, or commands over a UART."""
_EVERYWHERE = ("text.c", "stack.c", "startup_core.c", "fault.c")
_SEMIHOSTING = ("main.c", "measure.c", "semihosting.c")
SERIAL_PROTOCOL = ("serial_protocol.c", "serial_text.c", "serial_db.c", "serial_infer.c", "serial_bytes.c")
"""The part of the serial firmware that any C compiler takes; it needs no board."""
SERIAL_HEADERS = (
    *("serial_commands.h", "serial_text.h"),
    *("include/wvv_serial_protocol.h", "include/wvv_serial_model.h", "include/wvv_model.h"),
)
"""What SERIAL_PROTOCOL includes."""
_SERIAL = (*SERIAL_PROTOCOL, "serial_main.c", "serial_io.c")
_HOST = ("main.c", "host_io.c")
_SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
C_FLAGS = (
    "-std=c11",
    *("-Wall", "-Wextra", "-Werror"),
    *("-ffunction-sections", "-fdata-sections"),
    # One byte arena holds tensors of every type in turn, which C's aliasing rules do not foresee.
    "-fno-strict-aliasing",
    # Sums that may wrap around would be put into another order, which takes multiply-accumulate instructions apart.
    "-fno-tree-reassoc",
    # A fused multiply-add rounds once where the reference rounds twice.
    "-ffp-contract=off",
)

# What CMSIS-NN's own CMakeLists.txt compiles it with; its warnings are not ours to mend.
FOREIGN_C_FLAGS = ("-std=gnu11", "-Ofast", "-w", "-ffunction-sections", "-fdata-sections")

LINK_FLAGS = ("-nostartfiles", "-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,--fatal-warnings")


def compile_commands(
    board: Board,
    sources: Sequence[Path],
    build_dir: Path,
    *,
    optimize: str = "-O3",
    profile: bool = False,
    call_graph: bool = False,
) -> list[list[str]]:
    """One command a source, in order; the object's path is the last argument.

    With `call_graph` the compiler writes a `.ci` file beside each object; the object is the same.
    """
    marks = [*(["-DWVV_PROFILE"] if profile else []), *(["-fcallgraph-info=su"] if call_graph else [])]
    library = build_dir / "src" / THIRD_PARTY
    includes = [f"-isystem{folder}" for folder in sorted(library.glob("**/Include"))]
    start = [GCC, *board.cpu.flags, optimize, *C_FLAGS, *board_facts(board), *marks, *_places(build_dir), *includes]
    foreign = [GCC, *board.cpu.flags, *FOREIGN_C_FLAGS, *_places(build_dir), *includes]
    places = [(source, source.is_relative_to(library), _object(source, build_dir)) for source in sources]
    return [[*(foreign if theirs else start), "-c", str(source), "-o", str(made)] for source, theirs, made in places]


def board_facts(board: Board) -> list[str]:
    """What the runtime's drivers take from board.toml, as macros."""
    facts = [f"-DWVV_CPU_HZ={board.cpu.clock_hz}u"] if timer_kind(board) != "none" else []
    if timer_kind(board) == "dwt":
        facts += [f"-DWVV_TIMER_HZ={board.cpu.clock_hz}u"]
    elif board.timer:
        facts += [f"-DWVV_TIMER_BASE={board.timer.base:#x}u", f"-DWVV_TIMER_HZ={board.timer.clock_hz}u"]
    if board.uart:
        facts += [f"-DWVV_UART_BASE={board.uart.base:#x}u", f"-DWVV_UART_HZ={board.uart.clock_hz}u"]
        facts += [f"-DWVV_UART_BAUD={board.uart.baud}u"]
    return facts


def timer_kind(board: Board) -> str:
    """Which `timer_*.c` measures time and counts: the core's cycle counter where the board really has one."""
    if board.run.timing == "dwt":
        return "dwt"
    return board.timer.kind if board.timer else "none"


def consoles(board: Board) -> tuple[Console, ...]:
    """The ways in which a board's firmware can reach its host."""
    return ("semihosting", "serial") if board.uart else ("semihosting",)


def runtime_sources(board: Board, console: Console = "semihosting") -> tuple[str, ...]:
    """Files of deploy/runtime that a board's firmware is made of, in the order in which they are linked."""
    shared = (*_EVERYWHERE, f"timer_{timer_kind(board)}.c")
    if console == "semihosting":
        return (*_SEMIHOSTING, *shared)
    if board.uart is None:
        raise WvvError(f"{board.name}: its board.toml has no table [uart], which firmware on a serial line needs")
    return (*_SERIAL, *shared, f"uart_{board.uart.kind}.c")


def link_command(board: Board, objects: Sequence[Path], build_dir: Path, elf: Path) -> list[str]:
    """No start files and no system calls: a heap or a file of newlib would be an undefined reference."""
    # The board's own folder and deploy/runtime are searched for INCLUDE, after build_dir, where memory.ld is.
    folders = [f"-L{folder}" for folder in (build_dir, deploy_dir() / "runtime")]
    script = ["-T", str(board.folder / "link.ld")]
    return [GCC, *board.cpu.flags, *LINK_FLAGS, *folders, *script, *map(str, objects), "-o", str(elf)]


def memory_script(board: Board) -> str:
    """The board's memory table in the linker's language, as `INCLUDE memory.ld` of its link.ld needs it."""
    rows = [f"  {r.name} : ORIGIN = {r.origin:#010x}, LENGTH = {r.length:#x}" for r in board.memory]
    places = {"wvv_arena": board.placement.arena, "wvv_weights": board.placement.weights}
    aliases = [f'REGION_ALIAS("{alias}", {region})' for alias, region in places.items()]
    return "\n".join(["MEMORY", "{", *rows, "}", *aliases, f"wvv_stack_bytes = {board.stack_bytes:#x};", ""])


def build_firmware(
    files: Mapping[str, str],
    board: Board,
    build_dir: Path,
    *,
    profile: bool = False,
    optimize: str = "-O3",
    console: Console = "semihosting",
    call_graph: bool = False,
) -> Path:
    """The ELF of a model's firmware; with `profile` it counts the instructions of each layer.

    For the serial console `files` are those of `serial_model.with_serial`.

    `build_dir` is ours alone: its `src` and `obj` are emptied first.
    """
    build_dir = build_dir.resolve()
    elf = _fresh(build_dir, "firmware.elf")
    runtime = [deploy_dir() / "runtime" / name for name in runtime_sources(board, console)]
    sources = [*_write(files, build_dir), *runtime, board.folder / "startup.c"]
    (build_dir / "memory.ld").write_text(memory_script(board), encoding="ascii")
    _check_all(
        compile_commands(board, sources, build_dir, optimize=optimize, profile=profile, call_graph=call_graph)
    )
    _link(link_command(board, [_object(source, build_dir) for source in sources], build_dir, elf), board, build_dir)
    return elf


def host_compile_commands(sources: Sequence[Path], build_dir: Path, *, sanitize: bool) -> list[list[str]]:
    """The host twin of `compile_commands`; at -O1 a sanitizer sees more and compiles sooner."""
    start = [HOST_CC, *(("-O1", "-g", *_SANITIZERS) if sanitize else ("-O2",)), *C_FLAGS, *_places(build_dir)]
    return [[*start, "-c", str(source), "-o", str(_object(source, build_dir))] for source in sources]


def build_host(files: Mapping[str, str], build_dir: Path, *, sanitize: bool) -> Path:
    """A host program of the same generated C; with `sanitize` any undefined behaviour ends it."""
    build_dir = build_dir.resolve()
    program = _fresh(build_dir, "host_model")
    sources = [*_write(files, build_dir), *(deploy_dir() / "runtime" / name for name in _HOST)]
    _check_all(host_compile_commands(sources, build_dir, sanitize=sanitize))
    objects = [str(_object(source, build_dir)) for source in sources]
    check([HOST_CC, *(_SANITIZERS if sanitize else ()), *objects, "-lm", "-o", str(program)])
    return program


def _places(build_dir: Path) -> list[str]:
    runtime = deploy_dir() / "runtime"
    maps = [f"-ffile-prefix-map={build_dir}=.", f"-ffile-prefix-map={deploy_dir()}=deploy"]
    return [*maps, f"-I{build_dir / 'src'}", f"-I{runtime / 'include'}", f"-I{runtime}"]


def _object(source: Path, build_dir: Path) -> Path:
    """The folder's name is part of it, since generated code and runtime may share a file name."""
    return build_dir / "obj" / f"{source.parent.name}_{source.stem}.o"


def _fresh(build_dir: Path, product: str) -> Path:
    """Empties what an earlier build left, so that a failed build leaves no old product behind."""
    for folder in ("src", "obj"):
        shutil.rmtree(build_dir / folder, ignore_errors=True)
        (build_dir / folder).mkdir(parents=True)
    (build_dir / product).unlink(missing_ok=True)
    return build_dir / product


def _write(files: Mapping[str, str], build_dir: Path) -> list[Path]:
    """Writes all files; gives the C sources among them, sorted."""
    for name, text in files.items():
        parts = PurePosixPath(name).parts
        # Names may come from an archive that a stranger made.
        if parts[0] in ("/", "..") or (len(parts) > 1 and (parts[0] != THIRD_PARTY or ".." in parts)):
            raise WvvError(f"{name}: sources lie in one folder and below its {THIRD_PARTY}; compile the model again")
        path = build_dir / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [build_dir / "src" / name for name in sorted(files) if name.endswith(".c")]


def _check_all(commands: Sequence[Sequence[str]]) -> None:
    with ThreadPoolExecutor(_JOBS) as pool:
        try:
            list(pool.map(check, commands))
        except CommandError as error:
            pool.shutdown(cancel_futures=True)
            raise _explain(error) from error


def _explain(error: CommandError) -> Exception:
    # Debian ships the C library's headers in a package of their own, which a recommended-less install leaves out.
    if re.search(r"fatal error: (string|stdint|stdlib|math|stddef)\.h: No such file", str(error)):
        return WvvError(f"{GCC}: has no C library; install it with: {install_line(GCC)}")
    return error


def _link(command: Sequence[str], board: Board, build_dir: Path) -> None:
    try:
        # INCLUDE looks into the current folder first, and a stranger's memory.ld may lie in ours.
        check(command, cwd=build_dir)
    except CommandError as error:
        short = re.findall(r"region `(\w+)' overflowed by (\d+) bytes", str(error))
        if not short:
            raise
        regions = " and ".join(
            f"{missing} bytes too large for {name}, which holds {board.region(name).length}" for name, missing in short
        )
        raise WvvError(f"{board.name}: firmware is {regions}; take a smaller model or a larger board") from error
