"""The study as a page: Markdown text from figures, the same figures the same text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tvm_wvv.report.noise import CHANNELS, OUTPUTS, SIZE
from tvm_wvv.report.study import GRANULARITY_NAMES, SEEDS, NoiseRow, SavingRow, Study, decibels
from tvm_wvv.report.text import count
from tvm_wvv.transforms.catalog import ALGORITHMS

NOISE_FIGURE, SAVING_FIGURE = "figures/noise.png", "figures/multiplications.png"

_HEAD = f"""\
# Noise and savings of the algorithms

Made by `wvv study -o docs`; the numbers come from the integer oracle, not from a simulation in floating point.

## Signal to noise of a quantized layer

A layer of {CHANNELS} input and {OUTPUTS} output channels on {SIZE}x{SIZE} pixels: normal weights, int8 for each output
channel; normal activations after a ReLU, int8; {len(SEEDS)} random draws together. Decibels of the sums that reach the
last rounding, which by itself leaves an int8 output about 40 dB.

U, V, M: bits of transformed weights, of transformed inputs, and of the products' sums before the output transform;
without M these are rescaled in 32 bits. `int16`: V as it is, weights as wide as int32 sums allow. Scales are shared by
the whole tensor, or belong to a tap; those of M also to an output channel. Weights have one for each tap and channel in
both of the latter, because that costs nothing. Clips: the share of the greatest value reached, one for V and one for M,
that leaves the least noise. `exact`: no stage rounds. `-`: sums may leave int32.
"""

_VARIATIONS = """\
Variations of U8 V8 M8 with scales per tap. Zero points: one for each tap of V, so that all steps are used where values
lie mostly on one side of zero. Powers of two: every scale, so that all multipliers between stages are shifts.
"""

_SAVINGS = """\
## Multiplications of whole networks

Every 3x3 convolution with stride 1 is computed by the algorithm, the first layer included; whole tiles count where they
hang over the edge; strided and 1x1 convolutions and the last layer stay direct. Times fewer than direct:
"""


def page(found: Study) -> str:
    """All tables, with references to the figures."""
    parts = [_HEAD, _noise_table(found.noise), f"![Signal to noise by algorithm]({NOISE_FIGURE})\n", _VARIATIONS,
             _variation_table(found.variations), _SAVINGS, _saving_table(found.savings),
             f"![Savings by network]({SAVING_FIGURE})\n"]  # fmt: skip
    return "\n".join(parts)


def _noise_table(rows: Sequence[NoiseRow]) -> str:
    columns = tuple(rows[0].decibels)
    cells = ((row.algorithm, GRANULARITY_NAMES[row.granularity], *map(decibels, row.decibels.values())) for row in rows)
    return _markdown(("algorithm", "scales", *columns), cells, 2)


def _variation_table(rows: Sequence[NoiseRow]) -> str:
    cells = ((row.algorithm, *map(decibels, row.decibels.values())) for row in rows)
    return _markdown(("algorithm", *rows[0].decibels), cells, 1)


def _saving_table(rows: Sequence[SavingRow]) -> str:
    names = tuple(rows[0].savings)
    taps = ("products a tile", "", *(str(ALGORITHMS[name].taps) for name in names))
    cells = (
        (f"{row.network}, {row.data}", count(row.direct), *(f"{row.savings[name]:.3f}" for name in names))
        for row in rows
    )
    return _markdown(("network", "direct", *names), [taps, *cells], 1)


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int) -> str:
    """A table whose first columns hold text and the others numbers."""
    rule = ["---"] * text_columns + ["---:"] * (len(columns) - text_columns)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (columns, rule, *rows))
