"""What one inference costs: exact instructions by layer and function, and estimated Cortex-M4 cycles.

Before:  firmware on a board, with layer marks or without, and one example.
After:   counts of the firmware's timer under -icount, and in a second run those of QEMU's plugin, which also knows
         functions and cycles and needs no timer.
Refused: nothing: what is not to be had is None, and `notes` says why in one line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tvm_wvv.errors import WvvError
from tvm_wvv.micro import cycles
from tvm_wvv.micro.cycles import ESTIMATE, FASTEST, SLOWEST, Timing, block_cost
from tvm_wvv.micro.elf_sizes import Symbol, read_symbols
from tvm_wvv.micro.plugin import Span, built_plugin, executed, read_spans
from tvm_wvv.micro.process import CommandError
from tvm_wvv.micro.profile_log import LAYER_START, MARK_COST
from tvm_wvv.micro.runners import Arrays, OnBoard

# Of the empty run that measure.c times first: `bx lr`.
_EMPTY_RUN = bytes.fromhex("7047")
# It is no part of the inference, so no function of a report.
_EMPTY_RUN_NAME = "run_nothing"
_UNNAMED = "(no symbol)"
_TIMED = ("mark", "empty", "end")


@dataclass(frozen=True)
class FunctionCount:
    """Of one function, without those that it calls."""

    name: str
    instructions: int
    cycles: int | None


@dataclass(frozen=True)
class Counts:
    """Of the first inference. `cycle_range` is what the manual's ranges allow the total to be."""

    instructions: int | None = None
    layer_instructions: tuple[int, ...] | None = None
    cycles: int | None = None
    layer_cycles: tuple[int, ...] | None = None
    cycle_range: tuple[int, int] | None = None
    functions: tuple[FunctionCount, ...] = ()
    stack_bytes: int | None = None
    notes: tuple[str, ...] = ()


NOTHING = Counts()


def count(runner: OnBoard, inputs: Arrays) -> Counts:
    """Run one inference and count all that can be counted here."""
    timed = runner.count(inputs)
    by_timer = Counts(timed.total_instructions, timed.layer_instructions, stack_bytes=timed.stack_bytes)
    try:
        counted = _blocks(runner, inputs)
        exact = _completed(by_timer, counted, runner)
    except (WvvError, CommandError) as error:
        why = str(error).strip().splitlines()[-1]
        return replace(by_timer, notes=(f"no cycles and no functions, since QEMU's plugin cannot count here: {why}",))
    if runner.board.cpu.core != cycles.CORE:
        return exact
    try:
        return _with_cycles(exact, counted, runner)
    except WvvError as error:
        return replace(exact, notes=(f"no cycles: {error}",))


def _blocks(runner: OnBoard, inputs: Arrays) -> _Counted:
    run = runner.count_blocks(inputs, built_plugin())
    return _Counted(_labels(run.log), read_spans(run.blocks))


def _completed(timed: Counts, counted: _Counted, runner: OnBoard) -> Counts:
    """With what the timer did not tell; two exact counts of the same are the same, or neither is believed."""
    total, layers = counted.split([executed(span) for span in counted.spans], 1)
    if timed.instructions not in (None, total) or timed.layer_instructions not in (None, layers):
        raise WvvError(f"it counts {total} instructions, the board's timer {timed.instructions}")
    functions = counted.functions(read_symbols(runner.elf), None)
    return replace(timed, instructions=total, layer_instructions=layers, functions=functions)


def _with_cycles(exact: Counts, counted: _Counted, runner: OnBoard) -> Counts:
    """WvvError where nothing can decode instructions."""
    total, layers = counted.priced(ESTIMATE)
    return replace(
        exact,
        cycles=total,
        layer_cycles=layers,
        cycle_range=(counted.priced(FASTEST)[0], counted.priced(SLOWEST)[0]),
        functions=counted.functions(read_symbols(runner.elf), ESTIMATE),
    )


def _labels(log: str) -> tuple[str, ...]:
    """What each span is: `mark LAYER`, `empty` or `end`, in the order in which the firmware timed them."""
    lines = [line.split() for line in log.splitlines()]
    return tuple(" ".join(words[:-1]) for words in lines if words[0] in _TIMED)


@dataclass(frozen=True)
class _Counted:
    """Spans with their labels. What counting costs is subtracted as in `profile_log`, for instructions and cycles."""

    labels: tuple[str, ...]
    spans: tuple[Span, ...]

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.spans) or "end" not in self.labels:
            raise WvvError(f"QEMU counted {len(self.spans)} spans, the firmware timed {len(self.labels)}")

    def split(self, values: Sequence[int], empty_run: int) -> tuple[int, tuple[int, ...] | None]:
        """Of the whole inference and of each layer, from what each span has of a quantity."""
        empty, end = self.labels.index("empty"), self.labels.index("end")
        marks = dict(zip(self.labels[empty + 1 : end], values[empty + 1 : end], strict=True))
        whole = values[end] - values[empty] + empty_run
        if not marks:
            return whole, None
        cost = values[self.labels.index(f"mark {MARK_COST}")]
        layers = {int(label.split()[1]): value - cost for label, value in marks.items()}
        whole += sum(layers.values())
        return whole, tuple(value for layer, value in sorted(layers.items()) if layer != LAYER_START)

    def priced(self, timing: Timing) -> tuple[int, tuple[int, ...] | None]:
        """The same in cycles."""
        values = [cycles.cycles(span, timing) for span in self.spans]
        return self.split(values, block_cost(_EMPTY_RUN, timing).cycles)

    def functions(self, symbols: Sequence[Symbol], timing: Timing | None) -> tuple[FunctionCount, ...]:
        """By falling cost; of firmware without marks they add up to the total."""
        spans = {label: self.spans[self.labels.index(label)] for label in ("end", "empty")}
        instructions, cost = (Counter[str](), Counter[str]())
        for label, sign in (("end", 1), ("empty", -1)):
            for run in spans[label]:
                name = _function(symbols, run.address)
                instructions[name] += sign * executed([run])
                cost[name] += 0 if timing is None else sign * block_cost(run.code, timing).of(run)
        rows = [
            FunctionCount(name, number, None if timing is None else cost[name])
            for name, number in instructions.items()
            if number and name != _EMPTY_RUN_NAME
        ]
        return tuple(sorted(rows, key=lambda row: (-(row.cycles or 0), -row.instructions, row.name)))


def _function(symbols: Sequence[Symbol], address: int) -> str:
    return next((s.name for s in symbols if s.address <= address < s.address + s.size), _UNNAMED)
