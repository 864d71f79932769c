"""From what a user names (an archive, a board, a template) to all that goes into a project.

Refuses a file that is no archive, a board that the network does not fit, a template that has no place for it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import tvm

from tvm_wvv.errors import WvvError
from tvm_wvv.micro import archive
from tvm_wvv.micro.board import Board, load_board
from tvm_wvv.micro.cache import fetch, key_of
from tvm_wvv.micro.fit import check_fit, fit_if_possible, refuse_misfit
from tvm_wvv.micro.metadata import tensor_bytes
from tvm_wvv.micro.network import Network, own_sources
from tvm_wvv.micro.progress import Progress
from tvm_wvv.micro.project_check import COUNT, check_examples
from tvm_wvv.micro.project_facts import consoles
from tvm_wvv.micro.project_files import Recipe, check_template
from tvm_wvv.micro.session import open_session
from tvm_wvv.passes.options import Options


def recipe_of(path: Path, board_name: str | None, template: str, progress: Progress) -> Recipe:
    """`board_name` is by default the one that the archive was compiled for."""
    session = open_session(str(path), Options(), progress)
    if not session.is_archive:
        raise WvvError(f"{path}: is no archive; compile it first: wvv compile {path} -o OUT.tar --board BOARD")
    board = load_board(board_name or archive.read(path).board)
    network = session.network(board)
    check_template(template, board, network)
    check_fit(network, board)
    if template == "baremetal":
        _check_image(network, board)
    progress("outputs to check with", 0, 1)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    check = _check(network, sha256)
    progress("outputs to check with", 1, 1)
    return Recipe(network, sha256, board, template, check)


def _check_image(network: Network, board: Board) -> None:
    """The firmware as it will be built; elsewhere a system of its own stands around the network."""
    found = fit_if_possible(network, board, console=consoles(board)[0])
    if found is not None:
        refuse_misfit(found)


def _check(network: Network, sha256: str) -> tuple[bytes, bytes]:
    """From the cache where the archive was made into a project before: running it here takes seconds."""

    def make(file: Path) -> None:
        file.write_bytes(b"".join(check_examples(network)))

    both = fetch(key_of(["check", sha256, tvm.__version__, own_sources()]), ".check", make).read_bytes()
    inputs = COUNT * sum(tensor_bytes(info) for info in network.inputs)
    return both[:inputs], both[inputs:]
