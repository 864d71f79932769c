"""Checkpoints of training: one file, replaced as a whole, refused where it belongs to other settings."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tvm_wvv.errors import WvvError

NAME = "checkpoint.pt"


def save_checkpoint(folder: Path, state: Mapping[str, Any]) -> None:
    """Write the whole file, or leave the one that is there."""
    # torch says of a full disk what no one could act on; the system's own words are better.
    content = io.BytesIO()
    torch.save(dict(state), content)
    write_whole(folder / NAME, content.getvalue())


def write_whole(path: Path, content: bytes) -> None:
    """These bytes, or what was there before."""
    # Same folder, hence same file system: only there is the renaming one indivisible step.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise WvvError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """What training left in `folder`, None where it left nothing; WvvError where it was made with other settings."""
    path = folder / NAME
    if not path.exists():
        return None
    state = read(path)
    kept = state["settings"]
    for key, value in settings.items():
        if kept.get(key) != value:
            raise WvvError(
                f"{path}: made with {key} {kept.get(key)}, not {value}: resume with the same, or take another -o"
            )
    return state


def read(path: Path) -> dict[str, Any]:
    """A checkpoint's content, on the CPU."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise WvvError(f"{path}: no readable checkpoint ({type(error).__name__})") from error
    if not isinstance(state, dict) or not {"network", "optimizer", "step", "settings"} <= set(state):
        raise WvvError(f"{path}: no checkpoint of wvv train")
    return state
