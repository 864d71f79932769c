"""From a session to something that runs its network and gives the output of every layer.

On a board whose RAM cannot hold all outputs beside the network, several firmware images give some of the layers each.
Refuses archives: what they hold gives the network's own outputs only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends import tflite
from tvm_wvv.micro.board import X86, Board, load_board
from tvm_wvv.micro.cmsis_nn import library_for
from tvm_wvv.micro.emit_c import emit
from tvm_wvv.micro.fit import check_fit
from tvm_wvv.micro.link import IN_QEMU, Link, board_runner, check_link
from tvm_wvv.micro.network import Network
from tvm_wvv.micro.runners import OnBoard, OnHost, OnSerial, Runner
from tvm_wvv.micro.session import Session, for_this_host
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.lowered import LayerReport, Lowered
from tvm_wvv.passes.select_layers import select_layers


def refuse_archive(session: Session) -> None:
    """Before any long work."""
    if session.is_compiled:
        raise WvvError(
            f"{session.path}: is compiled already and gives the network's own outputs, not those of its layers; "
            "name its .tflite and the same options instead"
        )


@dataclass(frozen=True)
class EveryLayer:
    """All layers in the order of computation, and runners whose outputs together are those of all."""

    layers: tuple[LayerReport, ...]
    runners: tuple[Runner, ...]


def every_layer(session: Session, board_name: str, alone: bool = False, link: Link = IN_QEMU) -> EveryLayer:
    """On a board, reached by `link`, or on x86. With `alone` a runner's inputs are the network's and, by name, the
    outputs of the layers that its own layers read. A device at a port must hold the one firmware of all layers.
    """
    refuse_archive(session)
    board = None if board_name == X86 else load_board(board_name)
    check_link(link, board)
    session = session.fitted(board)
    whole = replace(session, options=replace(session.options, every_layer=True, alone=alone))
    if board is None:
        return _on_host(whole)
    network = whole.network(board)
    if not _fits(network, board):
        # Where the network alone does not fit either, this says by how much, before layer after layer is tried.
        check_fit(session.network(board), board)
    runners, done = [], 0
    for runner in _on_board(network, board, cache(lambda: _lowered(whole, board)), link):
        runners.append(runner)
        done += len(runner.outputs)
        session.progress("build firmware", done, len(network.outputs))
    return EveryLayer(network.layers, tuple(runners))


def _on_host(session: Session) -> EveryLayer:
    # TVM's back end takes a second to import.
    from tvm_wvv.micro.in_process import InProcess

    lowered = pipeline.lower(tflite.load(session.path), for_this_host(session.options), "x86")
    return EveryLayer(lowered.layers, (OnHost(InProcess(lowered), lowered.inputs, lowered.outputs),))


def _fits(network: Network, board: Board) -> bool:
    try:
        check_fit(network, board)
    except WvvError:
        return False
    return True


def _lowered(session: Session, board: Board) -> Lowered:
    """Anew: what the network keeps runs in process, and has no kernels of the board's."""
    library = library_for(session.options, board)
    return pipeline.lower(tflite.load(session.path), session.options, board.target, library)


def _on_board(
    network: Network, board: Board, whole: Callable[[], Lowered], link: Link
) -> Iterator[OnBoard | OnSerial]:
    """One firmware for the network, or those of its halves where it is too large."""
    try:
        check_fit(network, board)
        runner = board_runner(network, board, link)
    except WvvError:
        # A device holds one firmware only.
        if len(network.outputs) == 1 or link.port is not None:
            raise
        for part in _halves(network, whole()):
            yield from _on_board(part, board, whole, link)
        return
    yield runner


def _halves(network: Network, whole: Lowered) -> Iterator[Network]:
    names = [info.name for info in network.outputs]
    middle = len(names) // 2
    for part in (names[:middle], names[middle:]):
        yield _part(network, whole, part)


def _part(network: Network, whole: Lowered, names: Sequence[str]) -> Network:
    lowered = select_layers(whole, names)
    made = emit(lowered)
    # What the network has beyond its own text are the sources of a library that its kernels call.
    return Network(lowered, replace(made, files={**network.files, **made.files}))
