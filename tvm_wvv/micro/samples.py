"""Inputs from a file and outputs into one: which shapes are taken, and which come back.

For a model input of shape (1, h, w, c) an array may be
- (h, w, c) or (1, h, w, c): one inference;
- (n, h, w, c): n inferences, the model's batch of one replaced by n;
- (n, 1, h, w, c): n inferences, the model's whole shape behind n.
Any other model input of shape S takes S for one inference and (n, *S) for n. Outputs come back in the form of the
inputs: (1, classes), the model's own shape, for one inference; (n, classes); (n, 1, classes). Types stay as they are.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Literal

import numpy as np

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo

Form = Literal["one", "batch", "stack"]  # a single inference; n in place of the batch of one; n before it


def read_inputs(path: Path, infos: Sequence[TensorInfo]) -> tuple[np.ndarray, ...]:
    """The arrays of a .npy (a model with one input) or of an .npz keyed by input name, as they stand in the file."""
    loaded = _load(path)
    if isinstance(loaded, np.ndarray):
        if len(infos) != 1:
            needed = f"the model has {len(infos)} inputs; need an .npz with {_names(infos)}"
            raise WvvError(f"{path}: holds one array, {needed}")
        return (loaded,)
    if set(loaded) != {info.name for info in infos}:
        raise WvvError(f"{path}: holds {', '.join(sorted(loaded)) or 'no array'}; need {_names(infos)}")
    return tuple(loaded[info.name] for info in infos)


def stacked(arrays: Sequence[np.ndarray], infos: Sequence[TensorInfo]) -> tuple[tuple[np.ndarray, ...], Form]:
    """Each array as (n, *shape), and the form that they had; all must have one form and one n."""
    forms = [_form(array, info) for array, info in zip(arrays, infos, strict=True)]
    counts = [1 if form == "one" else len(array) for array, form in zip(arrays, forms, strict=True)]
    if len(set(zip(forms, counts, strict=True))) > 1:
        each = ", ".join(f"{info.name} of shape {array.shape}" for array, info in zip(arrays, infos, strict=True))
        raise WvvError(f"inputs differ in their number of inferences: {each}; need as many of each, in one form")
    if 0 in counts:
        raise WvvError(f"input {infos[0].name}: shape {arrays[0].shape} holds no inference, need at least one")
    stacks = (array.reshape(counts[0], *info.shape) for array, info in zip(arrays, infos, strict=True))
    return tuple(stacks), forms[0]


def unstacked(output: np.ndarray, form: Form) -> np.ndarray:
    """An output (n, *shape) in the form of the inputs."""
    if form == "one":
        return output[0]
    if form == "batch" and output.shape[1:2] == (1,):
        return output[:, 0]
    return output


def write_outputs(file: IO[bytes], outputs: Mapping[str, np.ndarray], suffix: str) -> None:
    """One array as .npy, or all by name as .npz."""
    if suffix == ".npz":
        np.savez(file, **outputs)
    else:
        (array,) = outputs.values()
        np.save(file, array)


def check_output(path: Path, infos: Sequence[TensorInfo]) -> None:
    """Refuse a file name that cannot hold the outputs, before anything is run."""
    if len(infos) > 1 and path.suffix != ".npz":
        raise WvvError(f"{path}: the model has {len(infos)} outputs; name an .npz file, which holds them by name")


def _load(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    try:
        loaded = np.load(path, allow_pickle=False)
        return loaded if isinstance(loaded, np.ndarray) else dict(loaded)
    except FileNotFoundError as error:
        raise WvvError(f"{path}: no such file; need a .npy array of the model's inputs") from error
    # NumPy says ValueError or EOFError for a damaged array, BadZipFile for a damaged archive.
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise WvvError(f"{path}: not a readable .npy or .npz file ({str(error).splitlines()[0]})") from error


def _form(array: np.ndarray, info: TensorInfo) -> Form:
    """Told by the number of axes alone, so that no shape can be read in two ways."""
    batch_of_one = info.shape[:1] == (1,)
    if array.dtype != np.dtype(info.dtype):
        raise _misfit(array, info)
    if array.shape == info.shape or (batch_of_one and array.shape == info.shape[1:]):
        return "one"
    if batch_of_one and array.ndim == len(info.shape) and array.shape[1:] == info.shape[1:]:
        return "batch"
    if array.ndim == len(info.shape) + 1 and array.shape[1:] == info.shape:
        return "stack"
    raise _misfit(array, info)


def _misfit(array: np.ndarray, info: TensorInfo) -> WvvError:
    return WvvError(
        f"input {info.name}: got {array.dtype} of shape {array.shape}, "
        f"need {info.dtype} of shape {info.shape}, or n of them along a leading axis"
    )


def _names(infos: Sequence[TensorInfo]) -> str:
    return ", ".join(info.name for info in infos)
