"""The rows of the ResNet-20 table as plain data, and the table as Markdown.

Every 3x3 convolution of stride 1 is replaced, the first one too; nothing is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tvm_wvv.quant.stage import Granularity

FLOAT = "FP32"
UNKNOWN = "-"


@dataclass(frozen=True)
class Row:
    """One way to run the int8 network.

    `winograd` is what `--winograd` takes. `granularity` is that of the scales which calibration finds, None where none
    are needed; `clipped` chooses them for the least error, without it they hold every value of the calibration images.
    """

    winograd: str
    granularity: Granularity | None = None
    clipped: bool = True

    @property
    def title(self) -> str:
        """The row's first cell."""
        if self.winograd == "off":
            return "direct int8"
        if self.granularity is None:
            return self.winograd
        scales = {"tensor": "per tensor", "tap": "per tap", "tap_channel": "per tap and channel"}[self.granularity]
        return f"{self.winograd} {scales}" + ("" if self.clipped else ", no clipping")


ROWS = (
    Row("off"),
    Row("f4c:exact"),
    Row("f4:int16"),
    Row("f4:int8", "tensor"),
    Row("f4:int8", "tap"),
    Row("f4:int8", "tap_channel"),
    Row("f2:int8", "tensor"),
    Row("f2:int8", "tap"),
    Row("f4c:int8", "tensor"),
    Row("f4c:int8", "tap"),
    Row("f4c:int8", "tap_channel"),
    Row("f4c:int8", "tap", clipped=False),
)


def markdown(columns: Sequence[str], rows: Mapping[str, Sequence[float | None]]) -> str:
    """Top-1 in percent by title; what was not measured is a dash."""
    lines = [("", *columns), ("---", *(["---:"] * len(columns)))]
    lines += [(title, *(UNKNOWN if cell is None else f"{cell:.2f}" for cell in cells)) for title, cells in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
