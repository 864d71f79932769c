"""Does a network fit a board? First by its sizes alone, without any tool; then by what its firmware really takes.

`check_fit` is the quick answer: arena, buffers, stack and weights against the memories that hold them.
`fit` is the whole one: every part of the image, the deepest stack, and what would help where something is short.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.layer_names import label
from tvm_wvv.micro.aot import Peak
from tvm_wvv.micro.board import Board, Region
from tvm_wvv.micro.image import Image, image
from tvm_wvv.micro.network import Network
from tvm_wvv.micro.serial_model import with_serial
from tvm_wvv.micro.toolchain import GCC, Console

# Start-up code, kernels and libgcc helpers of the smallest network; a larger one is found out by `fit`.
_CODE_BYTES = 8 * 1024
_STACK_STEP = 256  # to what a proposed stack is rounded up


@dataclass(frozen=True)
class Use:
    """What goes into one memory of the board, part by part."""

    region: str
    holds: int
    parts: tuple[tuple[str, int], ...]

    @property
    def needed(self) -> int:
        return sum(size for _, size in self.parts)

    @property
    def short(self) -> int:
        """Bytes that are missing, 0 where it fits."""
        return max(0, self.needed - self.holds)


@dataclass(frozen=True)
class Fit:
    """The answer. `stack_bytes` is the deepest that the stack can get, None where `stack_note` says why not."""

    board: str
    model: str
    uses: tuple[Use, ...]
    stack_bytes: int | None
    stack_reserved: int
    stack_path: tuple[tuple[str, int], ...]
    stack_note: str | None
    peak: Peak
    advice: tuple[str, ...]

    @property
    def stack_short(self) -> int:
        """Bytes by which the stack may leave its reserve."""
        return max(0, (self.stack_bytes or 0) - self.stack_reserved)

    @property
    def fits(self) -> bool:
        return self.stack_short == 0 and all(use.short == 0 for use in self.uses)


def fit(network: Network, board: Board, *, console: Console = "semihosting") -> Fit:
    """The network's firmware against the board; nothing is built for the board itself."""
    made = image(_files(network, board, console), board, console=console)
    uses = tuple(_use(region, made, board) for region in board.memory)
    return Fit(
        board=board.name,
        model=network.name,
        uses=tuple(use for use in uses if use.parts),
        stack_bytes=made.stack_bytes,
        stack_reserved=board.stack_bytes,
        stack_path=made.stack_path,
        stack_note=made.stack_note,
        peak=network.peak,
        advice=tuple(_advice(network, board, made, uses)),
    )


def fit_if_possible(network: Network, board: Board, *, console: Console = "semihosting") -> Fit | None:
    """The same; None where there is no compiler to measure with."""
    return fit(network, board, console=console) if shutil.which(GCC) else None


def refuse_misfit(found: Fit) -> None:
    """Ends in one line what `fit` found not to fit."""
    for use in found.uses:
        if use.short:
            parts = " + ".join(f"{name} {_bare(size)}" for name, size in use.parts)
            raise WvvError(
                f"{found.board}: {use.region} needs {_kib(use.needed)} ({parts} KiB), holds {_kib(use.holds)}: "
                f"{use.short} bytes short; {'; '.join(found.advice)}"
            )
    if found.stack_short:
        raise WvvError(
            f"{found.board}: the stack may need {found.stack_bytes} bytes, firmware.stack_bytes reserves "
            f"{found.stack_reserved}: {found.stack_short} bytes short; {'; '.join(found.advice)}"
        )


def check_fit(network: Network, board: Board) -> None:
    """Refuse a network whose arena, buffers and stack exceed the RAM, or whose weights exceed the flash."""
    for region in board.memory:
        needed = sum(_data_sizes(network, board, region))
        if needed > region.length:
            raise WvvError(_data_problem(network, board, region, needed))
    for region in board.memory:
        needed = sum(_code_sizes(network, board, region))
        if needed > region.length:
            raise WvvError(_code_problem(network, board, region, needed))


def _files(network: Network, board: Board, console: Console) -> Mapping[str, str]:
    if console == "semihosting":
        return network.files
    return with_serial(network.files, board, network.name, network.inputs, network.outputs)


def _use(region: Region, made: Image, board: Board) -> Use:
    """Sections by memory, as deploy/runtime/sections.ld places them."""
    places = (
        ("code", "code", made.text_bytes), ("code", "constants", made.rodata_bytes),
        (board.placement.weights, "weights", made.weight_bytes), ("code", "initial values", made.data_bytes),
        ("ram", "stack", board.stack_bytes), ("ram", "variables", made.data_bytes),
        ("ram", "buffers", made.bss_bytes), (board.placement.arena, "arena", made.arena_bytes),
    )  # fmt: skip
    return Use(region.name, region.length, tuple((name, size) for place, name, size in places if place == region.name))


def _advice(network: Network, board: Board, made: Image, uses: tuple[Use, ...]) -> Iterator[str]:
    short = {use.region: use.short for use in uses if use.short}
    if short.get(board.placement.arena) or short.get("ram"):
        yield from _more_room(board, made, uses)
        peak = next((layer for layer in network.layers if layer.name == network.peak.layer), None)
        if peak is not None and peak.algorithm != "direct" and network.peak.workspace_bytes:
            yield f"--layer {label(peak.name)}=off, where the peak is, needs less scratch"
        if made.stack_bytes is not None and _rounded(made.stack_bytes) < board.stack_bytes:
            yield f"firmware.stack_bytes = {_rounded(made.stack_bytes):#x} is enough"
    if short.get(board.placement.weights) and any(layer.algorithm != "direct" for layer in network.layers):
        yield "--winograd off keeps weights smallest"
    if short:
        yield "take a larger board or a smaller network"
    if made.stack_bytes is not None and made.stack_bytes > board.stack_bytes:
        yield f"set firmware.stack_bytes = {_rounded(made.stack_bytes):#x} in its board.toml"


def _more_room(board: Board, made: Image, uses: tuple[Use, ...]) -> Iterator[str]:
    """Other memories that would take the arena; which of them are RAM, only the board's author knows."""
    taken = {"code", board.placement.weights, board.placement.arena}
    for use in uses:
        if use.region not in taken and use.needed + made.arena_bytes <= use.holds:
            yield f'[placement] arena = "{use.region}" has room for the arena'


def _rounded(size: int) -> int:
    return -(-size // _STACK_STEP) * _STACK_STEP


def _data_sizes(network: Network, board: Board, region: Region) -> tuple[int, int]:
    """Of the arena, and of what lies beside it."""
    arena = network.emitted.arena_bytes if region.name == board.placement.arena else 0
    return arena, network.port_bytes + board.stack_bytes if region.name == "ram" else 0


def _data_problem(network: Network, board: Board, region: Region, needed: int) -> str:
    arena, beside = _data_sizes(network, board, region)
    peak = network.peak
    in_arena = (
        f"peak is at {label(peak.layer)} "
        f"(in {_bare(peak.input_bytes)} + scratch {_bare(peak.workspace_bytes)} + out {_kib(peak.output_bytes)}); "
    )
    also = f" (and inputs, outputs and stack {_kib(beside)})" if beside else ""
    what = f"arena needs {_kib(arena)}{also}" if arena else f"inputs, outputs and stack need {_kib(beside)}"
    return (
        f"{board.name}: {what}, {region.name} holds {_kib(region.length)}: {needed - region.length} bytes short; "
        f"{in_arena if arena else ''}take a board with more RAM or a smaller network"
    )


def _code_sizes(network: Network, board: Board, region: Region) -> tuple[int, int]:
    """Of the weights, and of code at the least."""
    weights = network.emitted.weight_bytes if region.name == board.placement.weights else 0
    return weights, _CODE_BYTES if region.name == "code" else 0


def _code_problem(network: Network, board: Board, region: Region, needed: int) -> str:
    weights, code = _code_sizes(network, board, region)
    held = "flash" if region.name == "code" else region.name
    also = f" (and code about {_kib(code)})" if code else ""
    if not weights:
        return f"{board.name}: code takes about {_kib(code)}, {held} holds {_kib(region.length)}; take a larger board"
    largest = max(network.layers, key=lambda layer: layer.weight_bytes)
    transformed = any(layer.algorithm != "direct" for layer in network.layers)
    advice = "--winograd auto or off keeps weights smaller" if transformed else "take a board with more flash"
    return (
        f"{board.name}: weights need {_kib(weights)}{also}, {held} holds {_kib(region.length)}: "
        f"{needed - region.length} bytes short; the largest are those of {label(largest.name)} "
        f"({largest.algorithm}, {_kib(largest.weight_bytes)}); {advice}"
    )


def _kib(size: int) -> str:
    return f"{_bare(size)} KiB"


def _bare(size: int) -> str:
    """Rounded up, so that what is needed never looks smaller than what is there."""
    return f"{-(-size // 1024)}"
