"""From the firmware's `profile.txt` to exact instruction counts and stack bytes.

Before:  lines `mark LAYER TICKS`, `empty TICKS`, `end TICKS`, `stack BYTES` as deploy/runtime/measure.c writes them.
After:   instructions of each layer and of the whole run, without what counting itself cost.
Refused: nothing is guessed: a span that filled the timer, or a missing line, gives None.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

# Both are in deploy/runtime: wvv_model.h, wvv_timer.h and measure.c.
LAYER_START = 0xFFFF_FFFF
MARK_COST = 0xFFFF_FFFE
TIMER_FULL = 0xFFFF_FFFF


@dataclass(frozen=True)
class Profile:
    layer_instructions: tuple[int, ...] | None
    total_instructions: int | None
    stack_bytes: int | None


@dataclass
class _Log:
    marks: list[tuple[int, int]] = field(default_factory=list)
    values: dict[str, int] = field(default_factory=dict)


def read_profile(text: str, ticks_per_instruction: Fraction | None) -> Profile:
    """`ticks_per_instruction` is None where ticks mean nothing, as on QEMU without -icount."""
    log = _parse(text)
    stack_bytes = log.values.get("stack")
    if ticks_per_instruction is None:
        return Profile(None, None, stack_bytes)
    layers = _layers(log, ticks_per_instruction)
    return Profile(layers, _total(log, ticks_per_instruction), stack_bytes)


def instructions(ticks: int, ticks_per_instruction: Fraction) -> int | None:
    """The one count n with floor(n * ticks_per_instruction) == ticks; None when the timer had stopped.

    A span starts when the timer is restarted, so its phase is 0, and QEMU's timer shows whole periods that have passed
    (PTIMER_POLICY_NO_COUNTER_ROUND_DOWN in hw/timer/cmsdk-apb-timer.c, and it counts down).  At one tick an
    instruction or more, no two counts give the same ticks.
    """
    if ticks == TIMER_FULL:
        return None
    return ceil(ticks / ticks_per_instruction)


def _parse(text: str) -> _Log:
    log = _Log()
    for line in text.splitlines():
        word, *numbers = line.split()
        if word == "mark":
            log.marks.append((int(numbers[0]), int(numbers[1])))
        else:
            log.values[word] = int(numbers[0])
    return log


def _spans(log: _Log, rate: Fraction) -> tuple[int, dict[int, int]] | None:
    """What a mark costs, and the span before each mark of the run (WVV_LAYER_START included)."""
    if [layer for layer, _ in log.marks[:2]] != [LAYER_START, MARK_COST]:
        return None
    counts = [(layer, instructions(ticks, rate)) for layer, ticks in log.marks[1:]]
    known = [(layer, count) for layer, count in counts if count is not None]
    if len(known) < len(counts):
        return None
    spans = dict(known[1:])
    assert len(spans) == len(known) - 1, "generated code marks each layer once"
    return known[0][1], spans


def _layers(log: _Log, rate: Fraction) -> tuple[int, ...] | None:
    found = _spans(log, rate)
    if found is None:
        return None
    cost, spans = found
    if not spans:
        return None
    return tuple(count - cost for layer, count in sorted(spans.items()) if layer != LAYER_START)


def _total(log: _Log, rate: Fraction) -> int | None:
    if "empty" not in log.values or "end" not in log.values:
        return None
    empty, end = instructions(log.values["empty"], rate), instructions(log.values["end"], rate)
    if empty is None or end is None:
        return None
    # The empty run consists of one instruction, its return.
    last = end - empty + 1
    if not log.marks:
        return last
    found = _spans(log, rate)
    if found is None:
        return None
    cost, spans = found
    return last + sum(spans.values()) - cost * len(spans)
