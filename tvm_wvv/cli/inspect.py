"""`wvv inspect`: what `wvv compile` made says of itself, without compiling or running anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tvm_wvv.cli.options import Json

if TYPE_CHECKING:
    from rich.table import Table

    from tvm_wvv.frontends.model import TensorInfo
    from tvm_wvv.passes.lowered import LayerReport
    from tvm_wvv.report.figures import LayerFigures

ArchivePath = Annotated[Path, typer.Argument(metavar="OUT.tar|DIR", help="What wvv compile made.", show_default=False)]


def command(archive: ArchivePath, json: Json = False) -> None:
    """Show the metadata of OUT.tar: tensors, layers, memory, files, compiler flags, licences; of a library for x86 in
    DIR tensors, layers, memory and CPU.

    Every file's digest is checked. With --json the whole metadata.json is printed as it stands, with the files' sizes
    beside it.

    [bold]Example[/bold]: wvv inspect digits.tar
    """
    from tvm_wvv.micro.x86_folder import is_library, library_in

    if is_library(library_in(archive)):
        _inspect_library(library_in(archive), json)
    else:
        _inspect_archive(archive, json)


def _inspect_library(library: Path, json: bool) -> None:
    from tvm_wvv.cli.measure import library_layers
    from tvm_wvv.micro.x86_facts import MADE_BY, to_json
    from tvm_wvv.micro.x86_loaded import facts_of
    from tvm_wvv.report.output import print_json, show

    facts = facts_of(library)
    if json:
        print_json({**loads(to_json(facts)), "files": {library.name: library.stat().st_size}})
        return
    sizes = {"weights": facts.weight_bytes, "arena": facts.arena_bytes, "  of it workspace": facts.workspace_bytes}
    show(
        f"{facts.name} of {MADE_BY}, {_options(facts.options)}",
        f"model {facts.sha256}",
        _tensors(facts.inputs, facts.outputs),
        _layers([(layer, layer.workspace_bytes) for layer in library_layers(facts)]),
        _memory(sizes),
        f"made for {facts.mcpu} with {facts.vectors} kernels; needs {', '.join(facts.features) or 'any x86-64'}",
        f"made by {_tools(facts.tools)}",
    )


def _inspect_archive(archive: Path, json: bool) -> None:
    from tvm_wvv.errors import WvvError
    from tvm_wvv.micro.archive import inspect
    from tvm_wvv.report.output import print_json, show
    from tvm_wvv.report.tables import table
    from tvm_wvv.report.text import count

    if not archive.is_file():
        raise WvvError(f"{archive}: no such file; need what wvv compile made")
    found = inspect(archive)
    if json:
        print_json({**found.document, "files": dict(found.files)})
        return
    metadata = found.metadata
    rows = [(name, count(size), metadata.digests.get(name, "")[:16]) for name, size in found.files.items()]
    sizes = {
        "weights": metadata.weight_bytes, "arena": metadata.arena_bytes,
        "  of it workspace": metadata.workspace_bytes, "inputs and outputs": metadata.io_bytes,
    }  # fmt: skip
    show(
        f"{metadata.name} for {metadata.board}, {_options(metadata.options)}",
        f"model {metadata.sha256}",
        _tensors(metadata.inputs, metadata.outputs),
        _layers(list(zip(metadata.layers, metadata.layer_workspace, strict=True))),
        _memory(sizes),
        table(("file", "bytes", "sha256"), rows, numbers=range(1, 2)),
        f"built with {' '.join(metadata.build.flags)}",
        f"made by {_tools(metadata.build.tools)}",
        *(f"licence: {line}" for line in metadata.licenses),
    )


def _options(options: Mapping[str, Any]) -> str:
    said = [f"{name} {value}" for name, value in sorted(options.items()) if value]
    return ", ".join(said) or "default options"


def _tools(tools: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(tools.items()))


def _tensors(inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> Table:
    from tvm_wvv.report.tables import table

    rows = []
    for kind, infos in (("input", inputs), ("output", outputs)):
        for info in infos:
            scale, zero = ("", "") if info.affine is None else (f"{info.affine.scale:.9g}", str(info.affine.zero_point))
            rows.append((kind, info.name, info.dtype, _shape(info.shape), scale, zero))
    return table(("", "tensor", "type", "shape", "scale", "zero point"), rows, numbers=range(4, 6))


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _layers(layers: Sequence[tuple[LayerReport | LayerFigures, int | None]]) -> Table:
    from tvm_wvv.frontends.layer_names import label
    from tvm_wvv.report.tables import table
    from tvm_wvv.report.text import count

    rows = [
        (label(one.name), one.op, one.algorithm, count(one.macs), count(one.multiplications), count(one.weight_bytes),
         count(workspace))
        for one, workspace in layers
    ]  # fmt: skip
    columns = ("layer", "op", "algorithm", "MACs", "multiplications", "weights", "workspace")
    return table(columns, rows, numbers=range(3, 7))


def _memory(sizes: Mapping[str, int]) -> Table:
    from tvm_wvv.report.tables import table
    from tvm_wvv.report.text import count, kib

    rows = [(name, count(size), kib(size)) for name, size in sizes.items()]
    return table(("memory", "bytes", ""), rows, numbers=range(1, 3))
