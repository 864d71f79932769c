"""`wvv profile`: instructions of each layer, RAM, flash and stack of the firmware image; on x86 the layers' times."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from tvm_wvv.cli.options import (
    BoardOrHost,
    CmsisNnFolder,
    Codegen,
    Direct,
    FlashLimit,
    Json,
    Layer,
    Mcpu,
    ModelOrArchive,
    Recipe,
    TunedBy,
    Winograd,
    compile_options,
    for_cpu,
)
from tvm_wvv.cli.progress import progress_bars

if TYPE_CHECKING:
    from tvm_wvv.passes.options import Options

Against = Annotated[
    str | None,
    typer.Option(metavar="cmsis-nn", help="Set the network beside the same one by this library.", show_default=False),
]
Top = Annotated[int, typer.Option("--top", metavar="N", min=0, help="List the N functions that cost most.")]


def command(
    model: ModelOrArchive,
    board: BoardOrHost,
    json: Json = False,
    top: Top = 0,
    winograd: Winograd = "auto",
    layer: Layer = None,
    recipe: Recipe = None,
    codegen: Codegen = "c",
    direct: Direct = "own",
    cmsis_nn: CmsisNnFolder = None,
    flash_limit: FlashLimit = None,
    against: Against = None,
    mcpu: Mcpu = "",
    tuned: TunedBy = None,
) -> None:
    """Build the firmware of MODEL, run one inference, and list instructions, flash and RAM; on x86, time each layer.

    Instructions are exact and the same every time. Cycles are an estimate for a Cortex-M4 by its manual's table (the
    report says under what assumptions): QEMU models no cycles. Other cores have none.

    [bold]Examples[/bold]:

    wvv profile digits --board mps2-an386

    wvv profile digits --board mps2-an386 --top 5

    wvv profile resnet.tflite --board mps2-an500 --winograd off --json

    wvv profile digits --board mps2-an386 --against cmsis-nn

    wvv profile resnet.tflite --board x86 --mcpu x86-64-v3
    """
    from tvm_wvv.micro.board import X86

    asked = compile_options(winograd, layer, recipe, codegen, direct, cmsis_nn, flash_limit, tuned)
    options = for_cpu(asked, board, mcpu)
    if board == X86:
        from tvm_wvv.cli.profile_x86 import profile_library

        profile_library(model, options, against, top, json)
    else:
        _profile_firmware(model, board, options, against, top, json)


def _profile_firmware(model: str, board: str, options: Options, against: str | None, top: int, json: bool) -> None:
    from tvm_wvv.cli.against import baseline, check_against
    from tvm_wvv.cli.measure import profile
    from tvm_wvv.micro.session import open_session
    from tvm_wvv.report.figures import profile_object
    from tvm_wvv.report.output import print_json, show
    from tvm_wvv.report.tables import against_table, functions_table, profile_table, totals_table

    with progress_bars() as progress:
        session = open_session(model, options, progress)
        if against is not None:
            check_against(against, session)
        result = profile(session, board, progress)
        if against is not None:
            result = replace(result, against=baseline(session, board, progress))
    if json:
        print_json(profile_object(result, top))
        return
    hot = [functions_table(result, top)] if top else []
    beside = [against_table(result, result.against)] if result.against else []
    show(profile_table(result), *beside, *hot, totals_table(result.totals), *result.notes)
