"""`wvv compare`: the output of every layer on the device against that of TFLite's reference kernels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tvm_wvv.cli.options import (
    Baud,
    BoardOrHost,
    Codegen,
    Direct,
    Json,
    Layer,
    Mcpu,
    Model,
    PortName,
    Recipe,
    Transport,
    Winograd,
    compile_options,
    for_cpu,
    link_options,
)
from tvm_wvv.cli.progress import progress_bars

if TYPE_CHECKING:
    from rich.table import Table

    from tvm_wvv.frontends.model import TensorInfo
    from tvm_wvv.micro.link import Link
    from tvm_wvv.micro.progress import Progress
    from tvm_wvv.micro.runners import Arrays, Runner
    from tvm_wvv.micro.session import Session
    from tvm_wvv.quant.operators import Affine
    from tvm_wvv.reference import golden as reference_kernels
    from tvm_wvv.reference.golden import Golden
    from tvm_wvv.report.differences import Comparison, Difference, LayerDifference

# Outputs of all layers that are held at a time, of each side, and inferences: enough for two runs side by side.
_BATCH_BYTES, _BATCH = 32 << 20, 64
_ARRAYS = (".npy", ".npz")

Data = Annotated[
    str,
    typer.Option(
        metavar="D.parquet|FOLDER|digits|X.npy",
        help="Images as wvv eval takes them, or inputs in the model's own type as wvv run takes them.",
        show_default=False,
    ),
]
Limit = Annotated[int, typer.Option(min=1, metavar="N", help="Only N of the inputs.")]
Each = Annotated[
    bool, typer.Option("--each", help="Feed every layer the reference's own values: its own error, none before it.")
]


def command(
    model: Model,
    board: BoardOrHost,
    data: Data,
    limit: Limit = 16,
    each: Each = False,
    transport: Transport = None,
    port: PortName = None,
    baud: Baud = None,
    json: Json = False,
    winograd: Winograd = "auto",
    layer: Layer = None,
    recipe: Recipe = None,
    codegen: Codegen = "c",
    direct: Direct = "own",
    mcpu: Mcpu = "",
) -> None:
    """Compare what every layer of MODEL gives on a board with what TFLite's reference kernels give, on real inputs.

    For each layer: bytes that differ, the largest difference in steps of the layer's scale, and the signal to noise
    ratio in decibels, with the reference as the signal. Errors add up from layer to layer, as they do in the network;
    with --each every layer shows its own alone. Where a board's RAM cannot hold all outputs, several firmware images
    give some layers each; a board at --port must hold the one image that gives all of them.

    [bold]Examples[/bold]:

    wvv compare digits --board mps2-an386 --data digits --winograd f4c:int8

    wvv compare resnet.tflite --board x86 --data cifar10_test.parquet --limit 64 --winograd f6:int16 --each --json
    """
    from tvm_wvv.micro.session import open_session
    from tvm_wvv.report.differences import comparison_object
    from tvm_wvv.report.output import print_json

    options = for_cpu(compile_options(winograd, layer, recipe, codegen, direct), board, mcpu)
    link = link_options(transport, port, baud)
    with progress_bars() as progress:
        result = compare(open_session(model, options, progress), board, data, limit, each, progress, link)
    if json:
        print_json(comparison_object(result))
    else:
        _print(result)


def compare(
    session: Session, board: str, data: str, limit: int, each: bool, progress: Progress, link: Link | None = None
) -> Comparison:
    """Run the inputs that `data` names on `board` and on the reference kernels, a batch at a time."""
    from tvm_wvv.frontends import tflite
    from tvm_wvv.micro.board import X86, load_board
    from tvm_wvv.micro.every_layer import every_layer, refuse_archive
    from tvm_wvv.micro.link import IN_QEMU
    from tvm_wvv.reference.golden import Golden
    from tvm_wvv.report.differences import Comparison, Difference, LayerDifference

    # What is quickly found to be wrong comes before the network is compiled.
    refuse_archive(session)
    if board != X86:
        load_board(board)
    infos = tflite.load(session.path).inputs
    inputs = _inputs(data, limit, infos)
    golden = Golden(session.path.read_bytes(), all_tensors=True)
    device = every_layer(session, board, each, link or IN_QEMU)
    found = {layer.name: Difference() for layer in device.layers}
    for name, one in _differences(device.runners, golden, inputs, infos, progress):
        found[name] += one
    rows = tuple(LayerDifference(layer.name, layer.op, layer.algorithm, found[layer.name]) for layer in device.layers)
    return Comparison(board, len(inputs[0]), each, rows)


def _differences(
    runners: Sequence[Runner], golden: Golden, inputs: Arrays, infos: Sequence[TensorInfo], progress: Progress
) -> Iterator[tuple[str, Difference]]:
    """Of each layer by name, batch by batch."""
    from tvm_wvv.micro.progress import behind
    from tvm_wvv.report.differences import difference

    means, step = golden.layer_infos(), _batch([info for runner in runners for info in runner.outputs])
    starts, count = range(0, len(inputs[0]), step), len(inputs[0])
    for start in starts:
        batch = tuple(array[start : start + step] for array in inputs)
        reference = golden.layers(*batch)
        known = {**reference, **{info.name: array for info, array in zip(infos, batch, strict=True)}}
        for number, runner in enumerate(runners):
            before = start * len(runners) + number * len(batch[0])
            outputs = runner.run(
                tuple(known[info.name] for info in runner.inputs), behind(before, count * len(runners), progress)
            )
            for info, array in zip(runner.outputs, outputs, strict=True):
                yield info.name, difference(array, reference[info.name], _affine(info, means[info.name]))


def _batch(layers: Sequence[TensorInfo]) -> int:
    """Inferences whose layers' outputs may be held at a time."""
    from tvm_wvv.micro.metadata import tensor_bytes

    return max(1, min(_BATCH, _BATCH_BYTES // sum(tensor_bytes(info) for info in layers)))


def _affine(layer: TensorInfo, reference: reference_kernels.TensorInfo) -> Affine:
    """Of a float32 tensor it is that of the codes that it stands for, which the compiler knows."""
    from tvm_wvv.quant.operators import Affine

    if reference.scale:
        return Affine(reference.scale, reference.zero_point)
    assert layer.affine is not None, f"{layer.name}: neither codes nor made of codes"
    return layer.affine


def _inputs(data: str, limit: int, infos: Sequence[TensorInfo]) -> Arrays:
    """At most `limit` inferences."""
    from tvm_wvv.cli.measure import image_inputs
    from tvm_wvv.data import images
    from tvm_wvv.micro.samples import read_inputs, stacked

    if Path(data).suffix in _ARRAYS:
        arrays, _ = stacked(read_inputs(Path(data), infos), infos)
        return tuple(array[:limit] for array in arrays)
    return image_inputs(images.load(data, limit).images, infos)


def _print(result: Comparison) -> None:
    from tvm_wvv.frontends.layer_names import label
    from tvm_wvv.report.differences import by_lowest_sqnr
    from tvm_wvv.report.output import show

    first, noisiest = result.first_difference, by_lowest_sqnr(result.layers)
    lines = ["every layer is identical" if first is None else f"first layer that differs: {label(first)}"]
    if noisiest is not None:
        lines.append(f"lowest SQNR: {_decibels(noisiest)} at {label(noisiest.name)}")
    show(_table(result), *lines)


def _table(result: Comparison) -> Table:
    from tvm_wvv.frontends.layer_names import label
    from tvm_wvv.report.tables import table
    from tvm_wvv.report.text import count, percent

    columns = ("layer", "op", "algorithm", "bytes", "differ", "share", "largest, steps", "SQNR")
    rows = []
    for layer in result.layers:
        one = layer.difference
        counts = (count(one.bytes), count(one.differing_bytes), percent(one.differing_bytes / one.bytes))
        rows.append((label(layer.name), layer.op, layer.algorithm, *counts, f"{one.largest:g}", _decibels(layer)))
    fed = "each layer fed by the reference" if result.each else "as the network runs"
    title = f"{result.board} against the reference kernels on {result.n} inputs, {fed}"
    return table(columns, rows, title, numbers=range(3, len(columns)))


def _decibels(layer: LayerDifference) -> str:
    if layer.difference.identical:
        return "identical"
    found = layer.difference.sqnr_db
    return "-" if found is None else f"{found:.2f} dB"
