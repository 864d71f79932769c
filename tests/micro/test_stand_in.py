"""Which machine of QEMU's takes the place of a board that QEMU lacks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import board_names, load_board
from tvm_wvv.micro.stand_in import in_qemu, require_qemu, stand_in


@pytest.mark.parametrize("name", board_names())
def test_a_stand_in_has_the_core_and_the_board_s_own_flags(name):
    board = load_board(name)
    other = stand_in(board)
    assert in_qemu(other) and other.cpu.core == board.cpu.core
    assert (other.cpu.flags, other.cpu.features) == (board.cpu.flags, board.cpu.features)
    assert (other == board) == in_qemu(board)


def test_a_core_that_qemu_lacks_has_none():
    board = load_board("nucleo-l4r5zi")
    strange = replace(board, cpu=replace(board.cpu, core="cortex-m23"))
    with pytest.raises(WvvError, match=r"^nucleo-l4r5zi: QEMU has no cortex-m23 that could size a library's scratch$"):
        stand_in(strange)
    with pytest.raises(WvvError, match=r"^nucleo-l4r5zi: is no machine of QEMU's, which counts instructions$"):
        require_qemu(strange)
