"""Does a network fit a board? Answered from its sizes alone, before anything is built or written."""

from __future__ import annotations

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.layer_names import label
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.network import Network

# Start-up code, kernels and libgcc helpers of the smallest network; a larger one is found out by the linker.
_CODE_BYTES = 8 * 1024

# Code of a network whose layers take several Winograd forms: what `auto` leaves beside the weights.
_CODE_ROOM = 32 * 1024


def weight_room(board: Board) -> int:
    """Bytes of flash that `auto` may fill with weights."""
    return max(0, board.region("code").length - _CODE_ROOM)


def check_limit(network: Network, limit: int | None) -> None:
    """Refuse a network whose weights exceed what the user gave them, though each layer has its smallest form."""
    if limit is not None and network.emitted.weight_bytes > limit:
        needed = network.emitted.weight_bytes
        raise WvvError(
            f"{network.name}: weights take {needed:,} bytes at the least, {needed - limit:,} more than the "
            f"{limit:,} of --flash-limit; raise it"
        )


def check_fit(network: Network, board: Board) -> None:
    """Refuse a network whose arena, buffers and stack exceed the RAM, or whose weights exceed the flash."""
    _check_ram(network, board)
    _check_flash(network, board)


def _check_ram(network: Network, board: Board) -> None:
    beside = network.port_bytes + board.stack_bytes
    needed, held = network.emitted.arena_bytes + beside, board.region("ram").length
    if needed <= held:
        return
    peak = network.peak
    raise WvvError(
        f"{board.name}: arena needs {_kib(network.emitted.arena_bytes)} "
        f"(and inputs, outputs and stack {_kib(beside)}), ram holds {_kib(held)}: {needed - held} bytes short; "
        f"peak is at {label(peak.layer)} "
        f"(in {_bare(peak.input_bytes)} + scratch {_bare(peak.workspace_bytes)} + out {_kib(peak.output_bytes)}); "
        "take a board with more RAM or a smaller network"
    )


def _check_flash(network: Network, board: Board) -> None:
    needed, held = network.emitted.weight_bytes + _CODE_BYTES, board.region("code").length
    if needed <= held:
        return
    largest = max(network.layers, key=lambda layer: layer.weight_bytes)
    transformed = any(layer.algorithm != "direct" for layer in network.layers)
    advice = "--winograd auto or off keeps weights smaller" if transformed else "take a board with more flash"
    raise WvvError(
        f"{board.name}: weights need {_kib(network.emitted.weight_bytes)} (and code about {_kib(_CODE_BYTES)}), "
        f"flash holds {_kib(held)}: {needed - held} bytes short; the largest are those of {label(largest.name)} "
        f"({largest.algorithm}, {_kib(largest.weight_bytes)}); {advice}"
    )


def _kib(size: int) -> str:
    return f"{_bare(size)} KiB"


def _bare(size: int) -> str:
    """Rounded up, so that what is needed never looks smaller than what is there."""
    return f"{-(-size // 1024)}"
