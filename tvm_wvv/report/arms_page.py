"""The page of trained arms as Markdown: one table, three figures, how to make it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tvm_wvv.report.arms import EXACT, Arm
from tvm_wvv.report.multiplications import RESNET20, saving
from tvm_wvv.transforms.catalog import variant

CURVES_FIGURE = "figures/training-curves.png"
COST_FIGURE = "figures/training-accuracy.png"
STAGES_FIGURE = "figures/training-stages.png"

_HEAD = """# ResNet-20 trained for pure int8

Top-1 in percent; every 3x3 convolution of stride 1 goes through the Winograd form, the first one too (17 of 19). Each
number is what the compiled integer kernels compute on the exported `.tflite` and recipe, byte for byte what they
compute on a board. All arms start from the float row's weights and see the same images in the same order.

"""

_FIGURES = f"""
![Accuracy against multiplications]({COST_FIGURE})

Open marks are before training, triangles below what is drawn; arms of one algorithm stand side by side.

![Loss while training]({CURVES_FIGURE})

![Values of each stage and their clips]({STAGES_FIGURE})

The last figure shows one layer of the first arm named in its title: how often values of V, U and M occur, in units of
the learned clip of their tap. Beyond 1 they are clipped. Dotted: where calibration had put the clip before training.

"""


def page(arms: Sequence[Arm], reference: Mapping[str, float], sizes: Mapping[str, int], made_by: str) -> str:
    """`reference` is the float network's top-1 by test set, `sizes` how many images each has."""
    return _HEAD + _table(arms, reference, sizes) + _FIGURES + _again(arms, made_by)


def _table(arms: Sequence[Arm], reference: Mapping[str, float], sizes: Mapping[str, int]) -> str:
    heads = [f"{name}, {sizes[name]:,}" for name in reference]
    columns = ["", "multiplications", *(f"{head}: {when}" for head in heads for when in ("untrained", "trained"))]
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)]]
    lines.append(["FP32", "1x", *(cell for name in reference for cell in (f"{reference[name]:.2f}", ""))])
    for arm in arms:
        lines.append([arm.title, _fewer(arm.saving(RESNET20)), *_cells(arm.untrained, arm.trained, reference)])
        if arm.exact is not None:
            fewer = _fewer(saving(RESNET20, variant(EXACT).algorithm))
            lines.append([f"{EXACT} of {arm.title}", fewer, *_cells({}, arm.exact, reference)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _fewer(saved: float) -> str:
    return "1x" if saved == 1 else f"{saved:.4g}x fewer"


def _cells(before: Mapping[str, float], after: Mapping[str, float], reference: Mapping[str, float]) -> list[str]:
    """Two of each test set."""
    pairs = (
        (f"{before[name]:.2f}" if name in before else "", _against(after[name], reference[name])) for name in after
    )
    return [cell for pair in pairs for cell in pair]


def _against(value: float, float_value: float) -> str:
    return f"{value:.2f} ({value - float_value:+.2f})"


def _again(arms: Sequence[Arm], made_by: str) -> str:
    lines = [
        "## How to make it again\n",
        "Each arm is `wvv train --weights resnet20_mixed.pt --data cifar10_train.parquet --data",
        "cifar10_train_lossless_subset.parquet --fused` with these options:\n",
        "| arm | options | epochs | batch | rate | seed | steps |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for arm in arms:
        s = arm.settings
        cells = (arm.title, f"`{arm.options}`", s["epochs"], s["batch"], s["rate"], s["seed"], arm.steps)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + f"\n\n{made_by}\n"
