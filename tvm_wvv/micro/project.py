"""A firmware project as a value: what its `project.json` says, and which folders are ours.

Takes and gives text; `project_files.py` makes the files, `project_folder.py` touches the disk.
Refuses a folder that another program made, or another version of this one.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.board import Board, read_board
from tvm_wvv.quant.operators import Affine

TEMPLATES = ("baremetal", "library", "zephyr", "arduino")
PROJECT_FILE = "project.json"
BOARDS_FOLDER = "boards"
CHECK_INPUT, CHECK_OUTPUT = "check/input.bin", "check/expected.bin"
_MADE_BY = "wvv micro create"
_FORMAT = 1  # a change that an older program cannot read raises it


@dataclass(frozen=True)
class Project:
    """One project folder; `sha256` is of the archive that it was made from.

    `firmware` is what a device on a serial line says that it holds, `library` a foreign one which the network calls.
    """

    template: str
    board: str
    model: str
    sha256: str
    firmware: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    library: str | None = None

    def load_board(self, folder: Path) -> Board:
        """The board as it was when the project was made: its file lies in the project."""
        return read_board(folder / BOARDS_FOLDER / self.board)


def to_json(project: Project) -> str:
    """JSON text without dates or paths."""
    return json.dumps({"made_by": _MADE_BY, "format": _FORMAT, **asdict(project)}, indent=2, sort_keys=True) + "\n"


def from_json(text: str) -> Project:
    """The value that `to_json` wrote. Anything else raises ValueError, KeyError, TypeError or AttributeError."""
    fields = json.loads(text)
    if (fields.pop("made_by"), fields.pop("format")) != (_MADE_BY, _FORMAT):
        raise ValueError(f"is not of {_MADE_BY}, format {_FORMAT}")
    inputs, outputs = (tuple(_info(one) for one in fields.pop(key)) for key in ("inputs", "outputs"))
    project = Project(**fields, inputs=inputs, outputs=outputs)
    if project.template not in TEMPLATES or project.board in ("", "..") or Path(project.board).name != project.board:
        raise ValueError("template or board is not one of ours")
    return project


def read_project(folder: Path) -> Project:
    """The project in `folder`."""
    try:
        return from_json((folder / PROJECT_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WvvError(f"{folder}: holds no {PROJECT_FILE}; make a project first: wvv micro create") from error
    except OSError as error:
        raise WvvError(f"{folder / PROJECT_FILE}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WvvError(
            f"{folder / PROJECT_FILE}: is not of this version of wvv; make the project again: wvv micro create"
        ) from error


def is_ours(folder: Path) -> bool:
    """Whether some version of this program made the folder, so that it may be replaced."""
    try:
        fields = json.loads((folder / PROJECT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(fields, dict) and fields.get("made_by") == _MADE_BY


def _info(fields: dict) -> TensorInfo:
    affine = fields["affine"]
    whole = None if affine is None else Affine(**affine)
    return TensorInfo(fields["name"], tuple(fields["shape"]), fields["dtype"], whole)
