"""Figures as rich tables. Text from outside (names, reasons) is never read as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from tvm_wvv.frontends.layer_names import label
from tvm_wvv.report.figures import LayerFigures, Profile, Totals, ratio
from tvm_wvv.report.text import count, kib, two_decimals

_TOTALS = (
    ("flash", "flash_bytes"), ("  code", "text_bytes"), ("  weights", "weight_bytes"),
    ("RAM", "ram_bytes"), ("  arena", "arena_bytes"), ("    of it workspace", "workspace_bytes"),
    ("  stack", "stack_bytes"),
)  # fmt: skip


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None, *, numbers: range = range(0)
) -> Table:
    """A plain table; the columns in `numbers` stand to the right, the others hold text."""
    made = Table(box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    made.title = None if title is None else Text(title)
    for position, column in enumerate(columns):
        made.add_column(Text(column), justify="right" if position in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def explain_table(board: str, model: str, layers: Sequence[LayerFigures]) -> Table:
    """Per layer: its algorithm, or why it stays direct, and the multiplications that are left."""
    columns = ("layer", "op", "algorithm", "MACs", "multiplications", "ratio", "why not Winograd")
    rows = [
        (
            label(layer.name), layer.op, layer.algorithm, count(layer.macs), count(layer.multiplications),
            two_decimals(ratio(layer.macs, layer.multiplications)), layer.reason or "",
        )
        for layer in layers
    ]  # fmt: skip
    return table(columns, rows, f"{model} on {board}", numbers=range(3, 6))


def profile_table(profile: Profile) -> Table:
    """Per layer: instructions, and instructions for each multiply-accumulate of the direct form."""
    columns = ("layer", "op", "algorithm", "MACs", "multiplications", "instructions", "per MAC", "weights", "workspace")
    rows = [
        (
            label(layer.name), layer.op, layer.algorithm, count(layer.macs), count(layer.multiplications),
            count(layer.instructions), two_decimals(ratio(layer.instructions, layer.macs)),
            count(layer.weight_bytes), count(layer.workspace_bytes),
        )
        for layer in profile.layers
    ]  # fmt: skip
    made = table(columns, rows, f"{profile.model} on {profile.board}: one inference", numbers=range(3, len(columns)))
    made.add_section()
    made.add_row(*_total_row(profile))
    return made


def totals_table(totals: Totals) -> Table:
    """Flash and RAM, with what they are made of; what nobody measured is left out."""
    figures = [(name, getattr(totals, field)) for name, field in _TOTALS]
    rows = [(name, count(value), kib(value)) for name, value in figures if value is not None]
    return table(("memory", "bytes", ""), rows, numbers=range(1, 3))


def _total_row(profile: Profile) -> tuple[str, ...]:
    macs = _sum([layer.macs for layer in profile.layers])
    multiplications = _sum([layer.multiplications for layer in profile.layers])
    per_mac = two_decimals(ratio(profile.totals.instructions, macs))
    return ("total", "", "", count(macs), count(multiplications), count(profile.totals.instructions), per_mac,
            count(profile.totals.weight_bytes), count(profile.totals.workspace_bytes))  # fmt: skip


def _sum(values: Sequence[int | None]) -> int | None:
    """The sum, unknown if one of the values is."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
