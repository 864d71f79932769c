"""The optional tables of a `board.toml`: the UART to the host, names in other build systems, places in memory.

Takes the table as `StrictTable`.  Gives frozen values; what a file leaves out is None or its default.
Refuses unknown keys, an unknown kind of UART, a baud rate that the UART cannot make, and a place that is no memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tvm_wvv.micro.strict_table import StrictTable

UARTS = ("cmsdk", "stm32_v1", "stm32_v2", "stm32_lpuart", "nrf_uarte", "pl011")
_BAUD = 115200
# All drivers of deploy/runtime sample a bit at least 16 times, so a faster rate cannot be made from the clock.
_SAMPLES = 16


@dataclass(frozen=True)
class Uart:
    """The UART that a cable reaches; `clock_hz` is what its divider gets after start-up."""

    kind: str
    base: int
    clock_hz: int
    baud: int


@dataclass(frozen=True)
class Project:
    """What other build systems call the board; None where they do not know it."""

    zephyr: str | None = None
    arduino: str | None = None


@dataclass(frozen=True)
class Placement:
    """The memory regions that hold the arena and the weights."""

    arena: str = "ram"
    weights: str = "code"


UNKNOWN_ELSEWHERE = Project()
USUAL_PLACES = Placement()


def read_uart(table: StrictTable) -> Uart:
    """The table `[uart]`."""
    uart = Uart(
        kind=table.choice("kind", UARTS),
        base=table.natural("base"),
        clock_hz=table.positive("clock_hz"),
        baud=table.positive("baud") if table.has("baud") else _BAUD,
    )
    if uart.baud * _SAMPLES > uart.clock_hz:
        table.fail("baud", f"{uart.baud} needs a clock of {uart.baud * _SAMPLES} Hz, and clock_hz is {uart.clock_hz}")
    table.finish(known=("baud",))
    return uart


def read_project(table: StrictTable) -> Project:
    """The table `[project]`."""
    names = {key: table.text(key) for key in ("zephyr", "arduino") if table.has(key)}
    table.finish(known=("zephyr", "arduino"))
    return Project(**names)


def read_placement(table: StrictTable, regions: Sequence[str]) -> Placement:
    """The table `[placement]`; `regions` are the names in `[memory]`."""
    names = {key: table.choice(key, regions) for key in ("arena", "weights") if table.has(key)}
    table.finish(known=("arena", "weights"))
    return Placement(**names)
