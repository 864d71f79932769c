"""Figures as rich tables. Text from outside (names, reasons) is never read as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from tvm_wvv.frontends.layer_names import label
from tvm_wvv.report.figures import OWN, Baseline, LayerFigures, Profile, Totals, ratio
from tvm_wvv.report.text import count, kib, percent, two_decimals

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
    """Per layer: its algorithm, why it stays direct or has the form that it has, and the multiplications left."""
    foreign = any(layer.backend != OWN or layer.backend_reason for layer in layers)
    chosen = any(layer.reason and layer.algorithm != "direct" for layer in layers)
    columns = ("layer", "op", "algorithm", "MACs", "multiplications", "ratio", "why" if chosen else "why not Winograd",
               *(["kernel"] if foreign else []))  # fmt: skip
    rows = [
        (
            label(layer.name), layer.op, layer.algorithm, count(layer.macs), count(layer.multiplications),
            two_decimals(ratio(layer.macs, layer.multiplications)), layer.reason or "",
            *([_kernel(layer)] if foreign else []),
        )
        for layer in layers
    ]  # fmt: skip
    return table(columns, rows, f"{model} on {board}", numbers=range(3, 6))


def _kernel(layer: LayerFigures) -> str:
    return layer.backend if layer.backend_reason is None else f"{layer.backend}: {layer.backend_reason}"


def profile_table(profile: Profile) -> Table:
    """Per layer: instructions, for each multiply-accumulate of the direct form too, and cycles where they are known."""
    total = _total(profile)
    cycles = total.cycles_m4_estimate is not None
    columns = ("layer", "op", "algorithm", "MACs", "multiplications", "instructions", "per MAC",
               *(["M4 cycles"] if cycles else []), "weights", "workspace")  # fmt: skip
    rows = [_profile_row(layer, cycles) for layer in profile.layers]
    made = table(columns, rows, f"{profile.model} on {profile.board}: one inference", numbers=range(3, len(columns)))
    made.add_section()
    made.add_row(*_profile_row(total, cycles))
    return made


def against_table(profile: Profile, baseline: Baseline) -> Table:
    """Per layer: our instructions, those of the baseline, and how many times as many these are."""
    columns = ("layer", "op", "algorithm", "instructions", f"{baseline.name} {baseline.version}", "ratio", "")
    rows = [
        (
            label(ours.name), ours.op, ours.algorithm, count(ours.instructions), count(theirs.instructions),
            two_decimals(ratio(theirs.instructions, ours.instructions)), "our kernel" if theirs.backend == OWN else "",
        )
        for ours, theirs in zip(profile.layers, baseline.layers, strict=True)
    ]  # fmt: skip
    made = table(columns, rows, "against the same network without Winograd", numbers=range(3, 6))
    made.add_section()
    ours, theirs = profile.totals.instructions, baseline.totals.instructions
    made.add_row("total", "", "", count(ours), count(theirs), two_decimals(ratio(theirs, ours)), "")
    return made


def functions_table(profile: Profile, top: int) -> Table:
    """The functions that cost most, and the share of the whole that each has."""
    cycles = profile.totals.cycles_m4_estimate is not None
    columns = ("function", "instructions", *(["M4 cycles"] if cycles else []), "share")
    rows = []
    for function in profile.functions[:top]:
        share = (
            ratio(function.cycles_m4_estimate, profile.totals.cycles_m4_estimate)
            if cycles
            else ratio(function.instructions, profile.totals.instructions)
        )
        numbers = [function.instructions, *([function.cycles_m4_estimate] if cycles else [])]
        rows.append((function.name, *map(count, numbers), percent(share)))
    return table(columns, rows, numbers=range(1, len(columns)))


def totals_table(totals: Totals) -> Table:
    """Flash and RAM, with what they are made of; what nobody measured is left out."""
    figures = [(name, getattr(totals, field)) for name, field in _TOTALS]
    rows = [(name, count(value), kib(value)) for name, value in figures if value is not None]
    return table(("memory", "bytes", ""), rows, numbers=range(1, 3))


def _profile_row(layer: LayerFigures, cycles: bool) -> tuple[str, ...]:
    return (
        label(layer.name), layer.op, layer.algorithm, count(layer.macs), count(layer.multiplications),
        count(layer.instructions), two_decimals(ratio(layer.instructions, layer.macs)),
        *([count(layer.cycles_m4_estimate)] if cycles else []),
        count(layer.weight_bytes), count(layer.workspace_bytes),
    )  # fmt: skip


def _total(profile: Profile) -> LayerFigures:
    """The whole network as the last row."""
    totals = profile.totals
    return LayerFigures(
        name="total", op="", algorithm="", reason=None, macs=_sum([layer.macs for layer in profile.layers]),
        multiplications=_sum([layer.multiplications for layer in profile.layers]), instructions=totals.instructions,
        cycles_m4_estimate=totals.cycles_m4_estimate, weight_bytes=totals.weight_bytes,
        workspace_bytes=totals.workspace_bytes,
    )  # fmt: skip


def _sum(values: Sequence[int | None]) -> int | None:
    """The sum, unknown if one of the values is."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
