"""`wvv inspect`: what an archive of `wvv compile` says of itself, without compiling or running anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tvm_wvv.cli.options import Json

if TYPE_CHECKING:
    from rich.table import Table

    from tvm_wvv.micro.metadata import Metadata

ArchivePath = Annotated[Path, typer.Argument(metavar="OUT.tar", help="An archive of wvv compile.", show_default=False)]


def command(archive: ArchivePath, json: Json = False) -> None:
    """Show the metadata of OUT.tar: tensors, layers, memory, files, compiler flags, licences.

    Every file's digest is checked. With --json the whole metadata.json is printed as it stands, with the files' sizes
    beside it.

    [bold]Example[/bold]: wvv inspect digits.tar
    """
    from tvm_wvv.errors import WvvError
    from tvm_wvv.micro.archive import inspect
    from tvm_wvv.report.output import print_json, show
    from tvm_wvv.report.tables import table
    from tvm_wvv.report.text import count

    if not archive.is_file():
        raise WvvError(f"{archive}: no such file; need an archive of wvv compile")
    found = inspect(archive)
    if json:
        print_json({**found.document, "files": dict(found.files)})
        return
    metadata = found.metadata
    rows = [(name, count(size), metadata.digests.get(name, "")[:16]) for name, size in found.files.items()]
    show(
        f"{metadata.name} for {metadata.board}, {_options(metadata.options)}",
        f"model {metadata.sha256}",
        _tensors(metadata),
        _layers(metadata),
        _memory(metadata),
        table(("file", "bytes", "sha256"), rows, numbers=range(1, 2)),
        f"built with {' '.join(metadata.build.flags)}",
        f"made by {', '.join(f'{name} {version}' for name, version in sorted(metadata.build.tools.items()))}",
        *(f"licence: {line}" for line in metadata.licenses),
    )


def _options(options: Mapping[str, Any]) -> str:
    said = [f"{name} {value}" for name, value in sorted(options.items()) if value]
    return ", ".join(said) or "default options"


def _tensors(metadata: Metadata) -> Table:
    from tvm_wvv.report.tables import table

    rows = []
    for kind, infos in (("input", metadata.inputs), ("output", metadata.outputs)):
        for info in infos:
            scale, zero = ("", "") if info.affine is None else (f"{info.affine.scale:.9g}", str(info.affine.zero_point))
            rows.append((kind, info.name, info.dtype, _shape(info.shape), scale, zero))
    return table(("", "tensor", "type", "shape", "scale", "zero point"), rows, numbers=range(4, 6))


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _layers(metadata: Metadata) -> Table:
    from tvm_wvv.frontends.layer_names import label
    from tvm_wvv.report.tables import table
    from tvm_wvv.report.text import count

    rows = [
        (label(one.name), one.op, one.algorithm, count(one.macs), count(one.multiplications), count(one.weight_bytes),
         count(workspace))
        for one, workspace in zip(metadata.layers, metadata.layer_workspace, strict=True)
    ]  # fmt: skip
    columns = ("layer", "op", "algorithm", "MACs", "multiplications", "weights", "workspace")
    return table(columns, rows, numbers=range(3, 7))


def _memory(metadata: Metadata) -> Table:
    from tvm_wvv.report.tables import table
    from tvm_wvv.report.text import count, kib

    sizes = {
        "weights": metadata.weight_bytes, "arena": metadata.arena_bytes,
        "  of it workspace": metadata.workspace_bytes, "inputs and outputs": metadata.io_bytes,
    }  # fmt: skip
    rows = [(name, count(size), kib(size)) for name, size in sizes.items()]
    return table(("memory", "bytes", ""), rows, numbers=range(1, 3))
