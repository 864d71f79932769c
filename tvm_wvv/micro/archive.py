"""OUT.tar: a compiled model in the shape of microTVM's Model Library Format, so that its users know where to look.

    metadata.json            sizes, layers, quantization of inputs and outputs, digests of the files below
    codegen/host/include     tvmgen_<name>.h
    codegen/host/src         the other C files
    parameters               <name>.params, the constants as TVM stores them
    src                      <name>.json, the lowered module, for running the same model in process; <name>.tflite, the
                             model itself, for comparing with the reference kernels

The bytes depend on nothing but the model, the board and the options. A damaged or foreign file is refused by name.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tvm

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.emit_c import Emitted
from tvm_wvv.micro.metadata import Build, Metadata, describe, from_json, to_json
from tvm_wvv.passes.lowered import Lowered

_METADATA = "metadata.json"
_INCLUDE = "codegen/host/include/"
_SOURCE = "codegen/host/src/"
_NOT_SAID = Build()


@dataclass(frozen=True)
class Archive:
    """A compiled model as it was read back."""

    lowered: Lowered
    emitted: Emitted
    board: str
    options: Mapping[str, Any]
    model: bytes | None


@dataclass(frozen=True)
class Contents:
    """An archive's own words, as values and as they stand, and its files with their sizes."""

    metadata: Metadata
    document: Mapping[str, Any]
    files: Mapping[str, int]


def write(
    path: Path,
    emitted: Emitted,
    lowered: Lowered,
    board_name: str,
    options: Mapping[str, Any],
    model: bytes | None = None,
    build: Build = _NOT_SAID,
) -> None:
    """Write the archive whole or not at all; `options` must hold plain JSON values, `model` is the `.tflite` file."""
    contents = pack(emitted, lowered, board_name, options, model, build)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(contents)
            # mkstemp lets nobody else read; an archive has the permissions of any other new file.
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise WvvError(f"{path}: cannot be written: {error.strerror}") from error


def pack(
    emitted: Emitted,
    lowered: Lowered,
    board_name: str,
    options: Mapping[str, Any],
    model: bytes | None = None,
    build: Build = _NOT_SAID,
) -> bytes:
    """The archive's bytes."""
    members = _members(emitted, lowered)
    if model is not None:
        members[_model_file(lowered.name)] = model
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(members.items())}
    metadata = describe(emitted, lowered, board_name, options, build, digests)
    members[_METADATA] = to_json(metadata).encode()
    return _tar(members)


def read(path: Path) -> Archive:
    """The model of an archive; refuses a file that `write` did not make or that was changed since."""
    members = _untar(path)
    metadata = _checked(path, members)
    model = members.get(_model_file(metadata.name))
    return Archive(_lowered(metadata, members), _emitted(metadata, members), metadata.board, metadata.options, model)


def inspect(path: Path) -> Contents:
    """What an archive says of itself, and the bytes of each of its files; refuses what `read` refuses."""
    members = _untar(path)
    metadata = _checked(path, members)
    sizes = {name: len(data) for name, data in sorted(members.items())}
    return Contents(metadata, json.loads(members[_METADATA]), sizes)


def _checked(path: Path, members: Mapping[str, bytes]) -> Metadata:
    """The metadata, once every file that it names is there and unchanged."""
    metadata = _metadata(path, members)
    if not {_module_file(metadata.name), _parameter_file(metadata.name)} <= set(metadata.digests):
        raise WvvError(f"{path}: {_METADATA} names another model than the files beside it; compile the model again")
    for name, digest in metadata.digests.items():
        if name not in members:
            raise WvvError(f"{path}: {name} is missing; compile the model again")
        if hashlib.sha256(members[name]).hexdigest() != digest:
            raise WvvError(f"{path}: {name} was changed after compiling; compile the model again")
    return metadata


def is_archive(path: Path) -> bool:
    """Whether a file is to be read as an archive rather than as a model."""
    try:
        return path.is_file() and tarfile.is_tarfile(path)
    except OSError:
        return False


def _members(emitted: Emitted, lowered: Lowered) -> dict[str, bytes]:
    interface = f"tvmgen_{lowered.name}.h"
    members = {
        (_INCLUDE if name == interface else _SOURCE) + name: text.encode() for name, text in emitted.files.items()
    }
    arrays = {name: tvm.runtime.tensor(array) for name, array in emitted.weights.items()}
    members[_parameter_file(lowered.name)] = bytes(tvm.runtime.save_param_dict(arrays))
    members[_module_file(lowered.name)] = tvm.ir.save_json(lowered.module).encode()
    return members


def _module_file(name: str) -> str:
    return f"src/{name}.json"


def _model_file(name: str) -> str:
    return f"src/{name}.tflite"


def _parameter_file(name: str) -> str:
    return f"parameters/{name}.params"


def _lowered(metadata: Metadata, members: Mapping[str, bytes]) -> Lowered:
    module = tvm.ir.load_json(members[_module_file(metadata.name)].decode())
    return Lowered(metadata.name, module, metadata.layers, metadata.inputs, metadata.outputs, metadata.sha256)


def _emitted(metadata: Metadata, members: Mapping[str, bytes]) -> Emitted:
    files = {
        name.removeprefix(folder): data.decode()
        for folder in (_INCLUDE, _SOURCE)
        for name, data in members.items()
        if name.startswith(folder)
    }
    arrays = tvm.runtime.load_param_dict(members[_parameter_file(metadata.name)])
    return Emitted(
        files,
        metadata.arena_bytes,
        metadata.workspace_bytes,
        metadata.weight_bytes,
        metadata.peak,
        metadata.layer_workspace,
        {name: array.numpy() for name, array in sorted(arrays.items())},
        metadata.kernel_workspace,
    )


def _metadata(path: Path, members: Mapping[str, bytes]) -> Metadata:
    if _METADATA not in members:
        raise WvvError(f"{path}: holds no {_METADATA}; give a model or an archive that `wvv compile` wrote")
    try:
        return from_json(members[_METADATA].decode())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WvvError(f"{path}: {_METADATA} is not of this version of wvv; compile the model again") from error


def _tar(members: Mapping[str, bytes]) -> bytes:
    """Members in the order of their names, by nobody, at the beginning of time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(members.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _untar(path: Path) -> dict[str, bytes]:
    """Every regular file by name, in memory: no member's name ever becomes a path."""
    try:
        with tarfile.open(path, mode="r:") as tar:
            files = [(entry.name.removeprefix("./"), tar.extractfile(entry)) for entry in tar if entry.isreg()]
            return {name: file.read() for name, file in files if file is not None}
    except tarfile.TarError as error:
        raise WvvError(f"{path}: is not a whole tar archive ({error}); compile the model again") from error
    except OSError as error:
        raise WvvError(f"{path}: cannot be read: {error.strerror or error}") from error


def _umask() -> int:
    """The process's mask; there is no way to read it without setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
