"""A benchmark's tables as Markdown: goals, whole networks, layers. What is unknown is `-`, never 0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tvm_wvv.frontends.layer_names import label
from tvm_wvv.report.bench import Bench, BenchNetwork, Run, total_macs
from tvm_wvv.report.bench_goals import LayerOutcome, NetworkOutcome, layer_outcomes, network_outcomes
from tvm_wvv.report.figures import LayerFigures, Profile, ratio
from tvm_wvv.report.text import UNKNOWN, count, kib, two_decimals

_MET = {True: "met", False: "**not met**", None: UNKNOWN}


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int) -> str:
    """A table whose first columns hold text and the others numbers."""
    rule = ["---"] * text_columns + ["---:"] * (len(columns) - text_columns)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (columns, rule, *rows))


def layer_goals(bench: Bench) -> str:
    """Instructions for each multiply-accumulate on the Cortex-M4."""
    by_library = next((run.algorithm for run in bench.runs if run.is_library), "the library")
    columns = ("layer", "algorithm", "outcome", "goal", "measured", by_library, "times fewer",
               "CMSIS-NN 7, counted apart", "times fewer")  # fmt: skip
    return markdown(columns, map(_layer_goal, layer_outcomes(bench)), 3)


def _layer_goal(one: LayerOutcome) -> tuple[str, ...]:
    found, seventh = one.measured, one.goal.library_7
    return (
        one.goal.title, one.algorithm, _MET[one.met], f"{one.limit:.2f}", _three(found),
        two_decimals(one.library), two_decimals(_times(one.library, found), " x"),
        two_decimals(seventh), two_decimals(_times(seventh, found), " x"),
    )  # fmt: skip


def network_goals(bench: Bench) -> str:
    """Of ResNet-8."""
    return markdown(("ResNet-8", "outcome", "goal", "measured"), map(_network_goal, network_outcomes(bench)), 2)


def _network_goal(one: NetworkOutcome) -> tuple[str, ...]:
    return (one.title, _MET[one.met], _in_unit(one.limit, one.unit), _in_unit(one.measured, one.unit))


def _in_unit(value: float | None, unit: str) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:,.0f} {unit}" if unit == "bytes" else f"{value:.2f} {unit}"


def whole_network(bench: Bench, network: BenchNetwork) -> str:
    """One row for each board and algorithm."""
    columns = ("core", "algorithm", "instructions", "per MAC", "fewer than off", "fewer than CMSIS-NN", "M4 cycles",
               "RAM", "workspace", "flash", "code")  # fmt: skip
    rows = [
        _network_row(bench, run, core)
        for one, board, core in bench.pairs()
        if one == network
        for run in bench.of(network.name, board)
    ]
    return markdown(columns, rows, 2)


def _network_row(bench: Bench, run: Run, core: str) -> tuple[str, ...]:
    if run.profile is None:
        return (core, run.algorithm, "refused (below)", *[UNKNOWN] * 8)
    totals = run.profile.totals
    library = bench.library(run.network, run.board)
    others = (bench.profile(run.network, run.board, "off"), library.profile if library else None)
    return (
        core, run.algorithm, count(totals.instructions), two_decimals(ratio(totals.instructions, _macs(run.profile))),
        *(two_decimals(ratio(one.totals.instructions, totals.instructions), " x") if one else UNKNOWN
          for one in others),
        count(totals.cycles_m4_estimate), kib(totals.ram_bytes), kib(totals.workspace_bytes), kib(totals.flash_bytes),
        kib(totals.text_bytes),
    )  # fmt: skip


def refusals(bench: Bench, network: BenchNetwork) -> str:
    """One line for each run that a board refused."""
    refused = [run for run in bench.runs if run.network == network.name and run.refusal is not None]
    return "".join(f"- `{run.algorithm}`: {run.refusal}\n" for run in refused)


def layers(bench: Bench, network: BenchNetwork, board: str) -> str:
    """One row a layer; each algorithm's instructions, with those for each multiply-accumulate behind them."""
    runs = [(run.algorithm, run.profile) for run in bench.of(network.name, board) if run.profile is not None]
    if not runs:
        return ""
    ours = bench.profile(network.name, board, "auto") or runs[0][1]
    cycles = ours.totals.cycles_m4_estimate is not None
    last = ["M4 cycles, auto"] if cycles else []
    columns = ("layer", "op", "auto takes", "MACs", *(name for name, _ in runs), *last)
    rows = [
        (
            label(one.name), one.op, one.algorithm, count(one.macs or None),
            *(_cell(profile.layers[position]) for _, profile in runs),
            *([count(one.cycles_m4_estimate)] if cycles else []),
        )
        for position, one in enumerate(ours.layers)
    ]  # fmt: skip
    return markdown(columns, rows, 3)


def _cell(one: LayerFigures) -> str:
    each = ratio(one.instructions, one.macs)
    return count(one.instructions) if each is None else f"{count(one.instructions)} ({each:.2f})"


def _macs(profile: Profile) -> int | None:
    return total_macs(profile) or None


def _times(more: float | None, fewer: float | None) -> float | None:
    return None if more is None or not fewer else more / fewer


def _three(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"
