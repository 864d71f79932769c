"""`wvv explain`: what the compiler does with each layer, and why not more."""

from __future__ import annotations

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


def command(
    model: ModelOrArchive,
    board: BoardOrHost,
    json: Json = False,
    winograd: Winograd = "auto",
    layer: Layer = None,
    recipe: Recipe = None,
    codegen: Codegen = "c",
    direct: Direct = "own",
    cmsis_nn: CmsisNnFolder = None,
    flash_limit: FlashLimit = None,
    mcpu: Mcpu = "",
    tuned: TunedBy = None,
) -> None:
    """List the layers of MODEL with the algorithm of each, or the reason why a convolution stays direct; on x86 also
    the cycles by which an algorithm was taken.

    The ratio is that of the direct form's multiplications to those that are left.

    [bold]Examples[/bold]:

    wvv explain digits --board mps2-an386

    wvv explain resnet.tflite --board mps2-an386 --winograd f2 --json
    """
    from tvm_wvv.cli.measure import host_layers, layer_figures
    from tvm_wvv.micro.board import X86, load_board
    from tvm_wvv.micro.session import open_session
    from tvm_wvv.report.figures import explain_object
    from tvm_wvv.report.output import print_json, show
    from tvm_wvv.report.tables import explain_table

    asked = compile_options(winograd, layer, recipe, codegen, direct, cmsis_nn, flash_limit, tuned)
    options = for_cpu(asked, board, mcpu)
    target = None if board == X86 else load_board(board)
    with progress_bars() as progress:
        session = open_session(model, options, progress)
        if target is None and not session.is_archive:
            name, layers = host_layers(session)
        else:
            network = session.network(target)
            name, layers = network.name, layer_figures(network)
    if json:
        print_json(explain_object(board, name, layers))
    else:
        show(explain_table(board, name, layers))
