"""Small projects for tests: a network of two convolutions and an addition, whose outputs NumPy knows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from lowered_models import Model, residual

from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.emit_c import emit
from tvm_wvv.micro.network import Network
from tvm_wvv.micro.project import Project
from tvm_wvv.micro.project_check import COUNT, example_inputs
from tvm_wvv.micro.project_files import Recipe, project_files, project_of
from tvm_wvv.micro.project_folder import write_project

BOARDS = {"baremetal": "mps2-an386", "library": "mps2-an386", "zephyr": "nrf5340dk", "arduino": "nano-33-ble"}
"""A board for each template."""


@cache
def small_model() -> Model:
    """Odd sizes, height other than width."""
    return residual()


def recipe(template: str, board: str | None = None) -> Recipe:
    """The check's outputs are NumPy's, so that a project checks the compiler here too."""
    lowered = small_model().lowered
    network = Network(lowered, emit(lowered), "mps2-an386")
    inputs = [example_inputs(lowered.inputs, number) for number in range(COUNT)]
    outputs = [small_model().oracle(example) for example in inputs]
    check = tuple(b"".join(array.tobytes() for example in side for array in example) for side in (inputs, outputs))
    return Recipe(network, "ab" * 32, load_board(board or BOARDS[template]), template, (check[0], check[1]))


def make_project(folder: Path, template: str, board: str | None = None) -> Project:
    """The project, written into `folder`."""
    made = recipe(template, board)
    write_project(folder, project_files(made))
    return project_of(made)


def as_bytes(arrays: Sequence[np.ndarray]) -> bytes:
    return b"".join(array.tobytes() for array in arrays)
