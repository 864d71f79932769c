"""The runner's rim: the command, time-outs, progress, missing programs, and folders that do not stay behind."""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
import time
from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest
from conftest import require_tool
from firmware_models import OUTPUT_BYTES, examples, model, reversed_plus
from hypothesis import given
from hypothesis import strategies as st

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.board import Timer, load_board
from tvm_wvv.micro.process import CommandError, TimedOutError, check, run, watch
from tvm_wvv.micro.profile_log import TIMER_FULL, Profile, Wrap, instructions, read_profile
from tvm_wvv.micro.qemu import qemu_command, run_firmware
from tvm_wvv.micro.toolchain import build_firmware

BOARD = load_board("mps2-an386")
HANG = "for (;;) { if (((volatile int8_t *)input)[0] == 1) { break; } } return 0;"


@pytest.mark.parametrize("icount", [False, True])
def test_qemu_command_is_exactly_this(icount):
    assert qemu_command(BOARD, Path("/b/f.elf"), icount=icount) == [
        *("qemu-system-arm", "-machine", "mps2-an386"),
        *("-display", "none", "-monitor", "none", "-serial", "null"),
        *("-semihosting-config", "enable=on,target=native"),
        *(["-icount", "shift=6,sleep=off"] if icount else []),
        *("-kernel", "/b/f.elf"),
    ]


def firmware(folder: Path, body: str | None = None) -> Path:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    return build_firmware(model(body) if body else model(), BOARD, folder)


def qemu_processes(elf: Path) -> list[str]:
    """Command lines of all processes that run this firmware."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        # A process may end between the listing and the look.
        with contextlib.suppress(OSError):
            found.append(file.read_text(errors="replace"))
    return [line for line in found if str(elf) in line]


def test_a_hang_ends_with_a_time_out_and_leaves_nothing(tmp_path, monkeypatch):
    elf = firmware(tmp_path / "b", HANG)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    data = examples(3)
    data[:, 0] = [1, 1, 0]
    start = time.monotonic()
    with pytest.raises(TimedOutError) as caught:
        run_firmware(BOARD, elf, data, OUTPUT_BYTES, timeout_s=0.5)
    assert 0.5 <= time.monotonic() - start < 10
    assert str(caught.value) == (
        "mps2-an386: no example finished within 0.5 s (2 were done); "
        "raise run.timeout_s in its board.toml if the model is that slow"
    )
    assert qemu_processes(elf) == []
    assert list(scratch.iterdir()) == []


def test_an_interrupt_ends_the_emulator(tmp_path):
    elf = firmware(tmp_path, HANG)
    data = examples(2)
    data[:, 0] = [1, 0]

    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_firmware(BOARD, elf, data, OUTPUT_BYTES, on_progress=interrupt)
    assert qemu_processes(elf) == []


def test_progress_grows_to_the_number_of_examples(tmp_path):
    slow = "for (volatile int i = 0; i < 3000000; ++i) {} output[0] = input[0]; return 0;"
    seen: list[int] = []
    run_firmware(BOARD, firmware(tmp_path, slow), examples(60), OUTPUT_BYTES, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 60
    assert len(seen) > 1, "the bar moved while it ran"


def test_slow_examples_may_together_take_longer_than_the_limit(tmp_path):
    """The limit is for one example: any number of them may run as long as each ends in time."""
    done = tmp_path / "done"
    done.touch()
    # Eight times half a second is twice the limit, however fast the machine is.
    script = f"import time\nfor _ in range(8):\n    time.sleep(0.5); open({str(done)!r}, 'a').write('.')"
    ended = watch([sys.executable, "-c", script], idle_s=2, progress=lambda: done.stat().st_size)
    assert ended.status == 0
    assert done.read_text() == "." * 8


def test_bytes_and_arrays_are_the_same_input(tmp_path):
    elf, data = firmware(tmp_path), examples(7)
    # A view with its rows backwards is no contiguous memory.
    backwards = data[::-1]
    assert run_firmware(BOARD, elf, backwards, OUTPUT_BYTES).outputs == reversed_plus(backwards)
    assert run_firmware(BOARD, elf, data.tobytes(), OUTPUT_BYTES).outputs == reversed_plus(data)


def test_a_missing_emulator_names_its_package(tmp_path, monkeypatch):
    elf = firmware(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WvvError) as caught:
        run_firmware(BOARD, elf, examples(1), OUTPUT_BYTES)
    assert str(caught.value) == (
        "qemu-system-arm: not found; install it with: apt-get install --no-install-recommends qemu-system-arm"
    )


def test_a_file_that_is_no_firmware_keeps_the_emulators_words(tmp_path):
    require_tool("qemu-system-arm")
    with pytest.raises(CommandError, match=r"(?s)ended with status 1.*could not load kernel|Could not load kernel"):
        run_firmware(BOARD, tmp_path / "missing.elf", examples(1), OUTPUT_BYTES)


def test_the_whole_group_of_a_hanging_command_is_ended(tmp_path):
    """The grandchild holds our pipe and would outlive a kill of its parent alone."""
    mark = tmp_path / "grandchild"
    script = f"import subprocess, sys; subprocess.run(['sh', '-c', 'echo $$ > {mark}; sleep 60; true'])"
    with pytest.raises(TimedOutError, match=r": nothing new for 3 s, so it was ended$"):
        run([sys.executable, "-c", script], timeout_s=3)
    # A busy machine delivers the signal a little later; the sleep it ends would last a minute.
    deadline = time.monotonic() + 20
    while alive(mark.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(mark.read_text().strip())


def alive(process: str) -> bool:
    """A killed orphan may stay listed as a zombie until the first process of the system collects it."""
    try:
        state = (Path("/proc") / process / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return not state.split(") ")[1].startswith("Z")


def test_commands_are_logged_as_they_could_be_typed(caplog, tmp_path):
    with caplog.at_level(logging.DEBUG, "tvm_wvv.process"):
        run(["echo", "two words"], cwd=tmp_path)
    assert caplog.messages == [f"cd {tmp_path} && echo 'two words'"]


def test_large_outputs_do_not_block():
    done = watch([sys.executable, "-c", "import sys; sys.stderr.write('e'*300000); print('o'*300000)"], idle_s=60)
    assert (len(done.stdout), len(done.stderr)) == (300001, 300000)


def test_a_failed_command_shows_itself_and_its_words():
    with pytest.raises(CommandError) as caught:
        check(["sh", "-c", "echo because >&2; exit 3"])
    assert str(caught.value) == "sh -c 'echo because >&2; exit 3'\nexit status 3\nbecause\n"


timers = st.builds(Timer, st.just("any"), st.just(0), st.integers(1_000_000, 200_000_000), st.integers(6, 9)).filter(
    lambda timer: timer.ticks_per_instruction >= 1
)


@given(st.integers(0, 10**9), timers)
def test_every_count_is_recovered_from_its_ticks(count, timer):
    ticks = int(count * timer.ticks_per_instruction)
    assert instructions(ticks, timer) == (count if ticks != TIMER_FULL else None)


@given(st.integers(0, 10**4), timers, st.integers(2, 9), st.integers(900, 9999), st.data())
def test_every_count_is_recovered_where_wraps_interrupt(count, timer, taken, period, draw):
    """Instruction by instruction; at each reload the timer gains a part of a nanosecond, as QEMU's does."""
    rate, losses = timer.ticks_per_instruction, st.fractions(0, 1).filter(lambda part: part < 1)
    gained = 2 * draw.draw(losses) * timer.clock_hz / 10**9
    done, interrupts = 0, 0
    while True:
        # The first instruction by whose end another wrap has come.
        wrap = ceil(((interrupts + 1) * period - gained) / rate)
        if wrap >= done + count:
            break
        count -= wrap - done
        done, interrupts = wrap + taken, interrupts + 1
        gained += 2 * draw.draw(losses) * timer.clock_hz / 10**9
    found = instructions(int((done + count) * rate + gained), timer, Wrap(period, taken))
    assert found in (done + count - interrupts * taken, None)
    # Nothing is unknown without a reason: as much as the timer may have gained, and a tick, fit into an instruction.
    if (4 + 2 * interrupts) * Fraction(timer.clock_hz, 10**9) + 1 <= rate:
        assert found is not None


@pytest.mark.parametrize(("name", "wraps"), [("mps3-an547", 47), ("netduinoplus2", 39)])
def test_a_span_with_too_many_wraps_is_unknown(name, wraps):
    timer, period = load_board(name).timer, Wrap(2**24, 5)
    assert timer is not None
    last = ((wraps + 1) << 24) - 1
    # The ticks may be early by nearly an instruction here.
    most = ceil(last / timer.ticks_per_instruction) - 5 * wraps
    assert instructions(last, timer, period) in (most - 1, most)
    assert instructions(last + 1, timer, period) is None


TIMER = Timer("cmsdk", 0x4000_0000, 25_000_000, 6)
LOG = """mark 4294967295 23
mark 4294967294 19
empty 11
mark 4294967295 22
mark 0 55
mark 1 19
end 11
stack 164
"""


def test_a_profile_by_hand():
    """At 8/5 ticks an instruction, 19 are 12 instructions, the cost of a mark; 22 are 14, 55 are 35, and 11 are 7."""
    assert read_profile(LOG, TIMER) == Profile((35 - 12, 0), (7 - 7 + 1) + (14 - 12) + (35 - 12), 164)
    assert read_profile(LOG, None) == Profile(None, None, 164)


@pytest.mark.parametrize("line", ["mark 4294967295 22", "mark 4294967294 19", "mark 1 19"])
def test_a_span_that_filled_the_timer_is_unknown(line):
    text = LOG.replace(line, f"{line.rsplit(' ', 1)[0]} {TIMER_FULL}")
    assert read_profile(text, TIMER) == Profile(None, None, 164)


def test_an_empty_log_is_all_unknown():
    assert read_profile("", TIMER) == Profile(None, None, None)
