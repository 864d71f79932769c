"""How much flash `auto` may fill with weights: what the board leaves, or what the user gives."""

from __future__ import annotations

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.network import Network

# Code of a network whose layers take several Winograd forms, where it lies beside the weights.
_CODE_ROOM = 32 * 1024


def weight_room(board: Board) -> int:
    """Bytes of the memory that holds weights, without what code takes there."""
    place = board.placement.weights
    return max(0, board.region(place).length - (_CODE_ROOM if place == "code" else 0))


def check_limit(network: Network, limit: int | None) -> None:
    """Refuse a network whose weights exceed what the user gave them, though each layer has its smallest form."""
    if limit is not None and network.emitted.weight_bytes > limit:
        needed = network.emitted.weight_bytes
        raise WvvError(
            f"{network.name}: weights take {needed:,} bytes at the least, {needed - limit:,} more than the "
            f"{limit:,} of --flash-limit; raise it"
        )
