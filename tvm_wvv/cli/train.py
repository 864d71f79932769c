"""`wvv train`: train a network so that it loses nothing when every stage of its convolutions has 8 bits."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tvm_wvv.cli.options import Json
from tvm_wvv.cli.train_progress import shown, stopping
from tvm_wvv.errors import WvvError

if TYPE_CHECKING:
    from tvm_wvv.models.resnet20_train import Plan
    from tvm_wvv.quant.stage import Granularity as StageGranularity

_MODELS = ("resnet20",)
_SOURCES = ".parquet, class folders or CIFAR-10's .bin files. May be repeated"
_GRANULARITIES = ("tensor", "tap", "tap_channel")

Model = Annotated[str, typer.Option(metavar="NAME", help="The network to train: resnet20.")]
Weights = Annotated[
    Path, typer.Option("--weights", metavar="FILE.pt", help="Float state dict to begin with.", show_default=False)
]
Data = Annotated[
    list[str],
    typer.Option(metavar="DATA", help=f"Images to train on: {_SOURCES}.", show_default=False),
]
Test = Annotated[
    list[str] | None,
    typer.Option(metavar="DATA", help="Images to measure on, never trained on.", show_default=False),
]
Arm = Annotated[
    str,
    typer.Option(metavar="SPEC", help="f4:int8, f4c:int8 ...; direct:int8; or fp32, in float on the same schedule."),
]
Granularity = Annotated[str, typer.Option(metavar="|".join(_GRANULARITIES), help="What shares a scale.")]
Minutes = Annotated[float, typer.Option(min=0, help="Length by the clock, resumed time included.")]
Epochs = Annotated[int, typer.Option(min=0, help="Length in epochs; the same seed then gives the same weights.")]
Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for all results.", show_default=False)
]
EvaluateEvery = Annotated[
    int, typer.Option(min=0, metavar="EPOCHS", help="Measure --test sets that often, into log.jsonl; 0 at the end.")
]
Fused = Annotated[
    bool | None,
    typer.Option(
        "--fused/--no-fused",
        help="Compile kernels for training. By default on a CPU with a C++ compiler.",
        show_default=False,
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the folder's checkpoint.")]
Flex = Annotated[bool, typer.Option("--flex", help="Learn the transforms too, each layer its own (real points).")]
Bits = Annotated[int, typer.Option(min=2, max=8, help="Bits of the transformed operands U and V.")]


def command(
    weights: Weights,
    data: Data,
    output: Output,
    model: Model = "resnet20",
    arm: Arm = "f4:int8",
    granularity: Granularity = "tap",
    test: Test = None,
    epochs: Epochs = 0,
    minutes: Minutes = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="All randomness follows from it.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Images of a step.")] = 64,
    rate: Annotated[float, typer.Option(min=0, help="Greatest rate of weights (Adam).")] = 3e-4,
    scale_rate: Annotated[float, typer.Option(min=0, help="Greatest rate of scales, in octaves.")] = 3e-3,
    operand_bits: Bits = 8,
    power_of_two: Annotated[bool, typer.Option("--power-of-two", help="All stage scales powers of two.")] = False,
    flex: Flex = False,
    resume: Resume = False,
    threads: Annotated[int, typer.Option(min=0, help="Threads of the CPU; 0 leaves it to torch.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    fused: Fused = None,
    eager: Annotated[bool, typer.Option("--eager", help="On a GPU, do not record steps for replaying.")] = False,
    evaluate_every: EvaluateEvery = 0,
    json: Json = False,
) -> None:
    """Train through a Winograd form with few bits in every stage, learning weights and clipping factors together.

    The float network that FILE.pt holds is the start and the teacher. DIR gets checkpoint.pt, log.jsonl (a line every
    50 steps), and at the end model.tflite with recipe.json, which wvv compile takes, and result.json. Ctrl-C keeps what
    was done; the same command with --resume goes on with it.

    [bold]Examples[/bold]:

    wvv train --weights resnet20.pt --data train.parquet --test test.parquet --arm f4:int8 --epochs 2 -o f4

    wvv train --weights resnet20.pt --data cifar-10-batches-bin --arm f4c:int8 --operand-bits 6 --minutes 90 -o six-bits
    """
    _check(model, granularity, epochs, minutes, device)
    from tvm_wvv.models.resnet20_train import Plan
    from tvm_wvv.qat.layers import Scheme
    from tvm_wvv.qat.train import Settings
    from tvm_wvv.report.output import print_json

    scheme = Scheme(cast("StageGranularity", granularity), operand_bits, operand_bits, 8, power_of_two)
    settings = Settings(
        epochs=epochs, minutes=minutes, batch=batch, rate=rate, scale_rate=scale_rate, seed=seed,
    )  # fmt: skip
    plan = Plan(
        weights, tuple(data), arm, scheme, settings, output, tuple(test or ()), resume, device, not eager,
        evaluate_every, flex,
    )  # fmt: skip
    _prepare_torch(plan, threads, fused)
    result = _trained(plan)
    if json:
        print_json(result)
    else:
        _print(plan, result)


def _trained(plan: Plan) -> dict[str, Any]:
    """The result; where Ctrl-C ends training, a line and status 130."""
    from tvm_wvv.models.resnet20_train import run
    from tvm_wvv.qat.train import Stopped, Watch

    with stopping() as stop, shown(plan.settings) as (report, step):
        try:
            return run(plan, report, Watch(step, stop))
        except Stopped as stopped:
            print(f"stopped behind step {stopped.args[0]}: the same command with --resume goes on", file=sys.stderr)
            raise typer.Exit(130) from None


def _check(model: str, granularity: str, epochs: int, minutes: float, device: str) -> None:
    if model not in _MODELS:
        raise WvvError(f"--model {model}: unknown; known: {', '.join(_MODELS)}")
    if granularity not in _GRANULARITIES:
        raise WvvError(f"--granularity {granularity}: unknown; known: {', '.join(_GRANULARITIES)}")
    if (epochs > 0) == (minutes > 0):
        raise WvvError("say how long to train: either --epochs or --minutes")
    if importlib.util.find_spec("torch") is None:
        raise WvvError("training needs torch, which is not installed; pip install 'tvm_wvv[train]'")
    import torch

    if device not in ("cpu", "cuda"):
        raise WvvError(f"--device {device}: unknown; known: cpu, cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise WvvError("--device cuda: torch finds no GPU; take cpu")


def _prepare_torch(plan: Plan, threads: int, wanted: bool | None) -> None:
    import torch

    from tvm_wvv.qat import fused, kernels
    from tvm_wvv.qat.fake_quant import compile_kernels

    if threads:
        torch.set_num_threads(threads)
    on_cpu = plan.device == "cpu"
    wanted = on_cpu and kernels.compiler() is not None if wanted is None else wanted
    if wanted and (plan.flex or not on_cpu):
        # What the kernels for the CPU do not cover.
        compile_kernels()
    fused.use(on_cpu and wanted)


def _print(plan: Plan, result: dict[str, Any]) -> None:
    from tvm_wvv.report.output import show
    from tvm_wvv.report.tables import table
    from tvm_wvv.report.text import percent

    before = result.get("untrained", {})
    rows = [
        (
            name,
            f"{before[name]['top1']:.2f} %" if name in before else "-",
            f"{after['top1']:.2f} %",
            percent(after["agreement"]) if "agreement" in after else "-",
        )
        for name, after in result["trained"].items()
    ]
    columns = ("images", "calibrated", "trained", "as in training")
    show(table(columns, rows, f"{plan.title}, {result['steps']} steps", numbers=range(1, 4)))
