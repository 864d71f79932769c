"""What one inference costs on a board: instructions from a counted run, sizes from the image that ships.

Two images are built. The one with marks counts each layer; the one without gives total, flash, RAM and stack, so that
counting shows in no figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.board import X86, load_board
from tvm_wvv.micro.elf_sizes import elf_sizes
from tvm_wvv.micro.firmware_cache import firmware
from tvm_wvv.micro.fit import check_fit
from tvm_wvv.micro.metadata import tensor_bytes
from tvm_wvv.micro.progress import Progress
from tvm_wvv.micro.runners import Arrays, OnBoard
from tvm_wvv.micro.session import REFERENCE, Session
from tvm_wvv.report.figures import Profile

_SEED = 0


def profile(session: Session, board_name: str, progress: Progress) -> Profile:
    """Counts and sizes of the session's network on a board that has firmware."""
    if board_name in (X86, REFERENCE):
        raise WvvError(f"board '{board_name}' has no firmware to profile; take a board that wvv boards lists")
    board = load_board(board_name)
    network = session.network()
    check_fit(network, board)
    images = []
    for number, marks in enumerate((True, False)):
        progress("build firmware", number, 2)
        images.append(firmware(network.files, board, profile=marks))
    progress("build firmware", 2, 2)
    marked, plain = (OnBoard(board, elf, network.inputs, network.outputs) for elf in images)
    inputs = random_inputs(network.inputs)
    layers, whole, sizes = marked.count(inputs).layer_instructions, plain.count(inputs), elf_sizes(plain.elf)
    return Profile(
        board=board.name,
        model=network.name,
        totals=replace(
            network.static_totals(),
            instructions=whole.total_instructions,
            flash_bytes=sizes.flash_bytes,
            text_bytes=sizes.text_bytes,
            ram_bytes=None if whole.stack_bytes is None else sizes.ram_bytes + whole.stack_bytes,
            stack_bytes=whole.stack_bytes,
        ),
        layers=network.layer_figures(layers),
    )


def random_inputs(infos: Sequence[TensorInfo]) -> Arrays:
    """One inference of random bytes, the same every time: zeros would take branches that real inputs do not."""
    random = np.random.RandomState(_SEED)
    return tuple(
        np.frombuffer(random.bytes(tensor_bytes(info)), info.dtype).reshape(1, *info.shape) for info in infos
    )
