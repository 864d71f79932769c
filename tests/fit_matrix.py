"""`python tests/fit_matrix.py`: what `wvv fit` says before building beside what the image then takes.

Prints the table of docs/fit.md for MLPerf Tiny's four int8 networks; `WVV_DATA` names the folder of the models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conftest import DATA

from tvm_wvv.cli.measure import random_inputs
from tvm_wvv.micro.board import Board, load_board
from tvm_wvv.micro.elf_sizes import ElfSizes, elf_sizes
from tvm_wvv.micro.firmware_cache import firmware
from tvm_wvv.micro.fit import Fit, fit
from tvm_wvv.micro.metadata import tensor_bytes
from tvm_wvv.micro.network import Network
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.session import open_session
from tvm_wvv.passes.options import Options

BOARDS = ("mps2-an386", "mps3-an547", "nucleo-l4r5zi", "nucleo-h743zi")
MODELS = {
    "ResNet-8": "models/pretrainedResnet_quant.tflite",
    "DS-CNN": "models/kws_ref_model.tflite",
    "MobileNet v1 0.25": "models/vww_96_int8.tflite",
    "FC autoencoder": "models/ad01_int8.tflite",
}


@dataclass(frozen=True)
class Row:
    """`used` is the stack that a run on QEMU touched, None on a board that is not there."""

    said: Fit
    built: ElfSizes
    used: int | None

    @property
    def flash(self) -> tuple[int, int]:
        parts = ("code", "constants", "weights", "initial values")
        return _sum(self.said, parts), self.built.flash_bytes

    @property
    def ram(self) -> tuple[int, int]:
        """Static data; the stack is reserved beside it."""
        return _sum(self.said, ("variables", "buffers", "arena")), self.built.ram_bytes


def row(network: Network, board: Board) -> Row:
    """Asks, then builds, and runs where there is QEMU."""
    said = fit(network, board)
    elf = firmware(network.files, board, profile=False)
    used = None
    if board.run.runner == "qemu":
        inputs = b"".join(array.tobytes() for array in random_inputs(network.inputs))
        outputs = sum(tensor_bytes(info) for info in network.outputs)
        used = run_firmware(board, elf, inputs, outputs, icount=True).stack_bytes
    return Row(said, elf_sizes(elf), used)


def rows() -> Iterator[str]:
    """Lines of the table."""
    yield "| network | board | flash said | flash built | RAM said | RAM built | stack at most | stack used |"
    yield "|---|---|---|---|---|---|---|---|"
    for title, file in MODELS.items():
        session = open_session(str(DATA / file), Options())
        for name in BOARDS:
            board = load_board(name)
            found = row(session.network(board), board)
            numbers = (*found.flash, *found.ram, found.said.stack_bytes, found.used)
            yield f"| {title} | {name} | {' | '.join('-' if n is None else f'{n:,}' for n in numbers)} |"


def _sum(said: Fit, names: tuple[str, ...]) -> int:
    return sum(size for use in said.uses for name, size in use.parts if name in names)


if __name__ == "__main__":
    for line in rows():
        print(line, flush=True)
