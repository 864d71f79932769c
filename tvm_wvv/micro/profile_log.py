"""From the firmware's `profile.txt` to exact instruction counts and stack bytes.

Before:  lines `wrap TICKS INSTRUCTIONS`, `mark LAYER TICKS`, `empty TICKS`, `end TICKS`, `stack BYTES` as
         deploy/runtime/measure.c writes them.
After:   instructions of each layer and of the whole run, without what counting itself cost.
Refused: nothing is guessed: a span that filled the timer, or a missing line, gives None.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

from tvm_wvv.micro.board import Timer

# Both are in deploy/runtime: wvv_model.h, wvv_timer.h and measure.c.
LAYER_START = 0xFFFF_FFFF
MARK_COST = 0xFFFF_FFFE
TIMER_FULL = 0xFFFF_FFFF


@dataclass(frozen=True)
class Profile:
    layer_instructions: tuple[int, ...] | None
    total_instructions: int | None
    stack_bytes: int | None


@dataclass(frozen=True)
class Wrap:
    """A timer narrower than 32 bits interrupts after so many ticks, and the interrupt takes so many instructions."""

    ticks: int
    instructions: int


NO_WRAP = Wrap(0, 0)


@dataclass
class _Log:
    wrap: Wrap = NO_WRAP
    marks: list[tuple[int, int]] = field(default_factory=list)
    values: dict[str, int] = field(default_factory=dict)


def read_profile(text: str, timer: Timer | None) -> Profile:
    """`timer` is None where ticks mean nothing, as on QEMU without -icount."""
    log = _parse(text)
    stack_bytes = log.values.get("stack")
    if timer is None:
        return Profile(None, None, stack_bytes)
    return Profile(_layers(log, timer), _total(log, timer), stack_bytes)


def instructions(ticks: int, timer: Timer, wrap: Wrap = NO_WRAP) -> int | None:
    """The one count n with floor(n * ticks_per_instruction) == ticks, less what interrupts took of it.

    None when the timer had stopped, and when more than one n is possible.
    A span starts when the timer is restarted, so its phase is 0, and QEMU's timer shows whole periods that have passed
    (PTIMER_POLICY_NO_COUNTER_ROUND_DOWN in hw/timer/cmsdk-apb-timer.c and armv7m_systick.c, and they count down).  At
    one tick an instruction or more, no two counts give the same ticks, unless some come early.
    """
    if ticks == TIMER_FULL:
        return None
    rate, early = timer.ticks_per_instruction, _early_ticks(ticks, timer, wrap)
    # ticks - early <= n * rate < ticks + 1 holds for one whole n only.
    if early + 1 > rate:
        return None
    return ceil((ticks - early) / rate) - _interrupts(ticks, rate, wrap) * wrap.instructions


def _early_ticks(ticks: int, timer: Timer, wrap: Wrap) -> Fraction:
    """How far ahead of its time the timer may be, in ticks.

    Each reload of QEMU's ptimer drops a fraction of a nanosecond from the whole span until the next one.  SysTick
    reloads twice at its start and at each wrap: for the one tick that it shows 0, then for the rest.  A timer that does
    not wrap is loaded once, and its ticks are whole nanoseconds.
    """
    if wrap == NO_WRAP:
        return Fraction(0)
    return Fraction(2 * (1 + ticks // wrap.ticks) * timer.clock_hz, 10**9)


def _interrupts(ticks: int, rate: Fraction, wrap: Wrap) -> int:
    """How many interrupts ended before the timer was read."""
    if wrap == NO_WRAP:
        return 0
    wraps, since = divmod(ticks, wrap.ticks)
    # A wrap during the very instruction that reads the timer interrupts only after it.
    return wraps - (wraps > 0 and since < rate)


def _parse(text: str) -> _Log:
    log = _Log()
    for line in text.splitlines():
        word, *numbers = line.split()
        if word == "mark":
            log.marks.append((int(numbers[0]), int(numbers[1])))
        elif word == "wrap":
            log.wrap = Wrap(int(numbers[0]), int(numbers[1]))
        else:
            log.values[word] = int(numbers[0])
    return log


def _spans(log: _Log, timer: Timer) -> tuple[int, dict[int, int]] | None:
    """What a mark costs, and the span before each mark of the run (WVV_LAYER_START included)."""
    if [layer for layer, _ in log.marks[:2]] != [LAYER_START, MARK_COST]:
        return None
    counts = [(layer, instructions(ticks, timer, log.wrap)) for layer, ticks in log.marks[1:]]
    known = [(layer, count) for layer, count in counts if count is not None]
    if len(known) < len(counts):
        return None
    spans = dict(known[1:])
    assert len(spans) == len(known) - 1, "generated code marks each layer once"
    return known[0][1], spans


def _layers(log: _Log, timer: Timer) -> tuple[int, ...] | None:
    found = _spans(log, timer)
    if found is None:
        return None
    cost, spans = found
    if not spans:
        return None
    return tuple(count - cost for layer, count in sorted(spans.items()) if layer != LAYER_START)


def _total(log: _Log, timer: Timer) -> int | None:
    if "empty" not in log.values or "end" not in log.values:
        return None
    empty, end = (instructions(log.values[word], timer, log.wrap) for word in ("empty", "end"))
    if empty is None or end is None:
        return None
    # The empty run consists of one instruction, its return.
    last = end - empty + 1
    if not log.marks:
        return last
    found = _spans(log, timer)
    if found is None:
        return None
    cost, spans = found
    return last + sum(spans.values()) - cost * len(spans)
