"""How figures look in a table: grouped digits, KiB, two decimals, `-` for what is unknown."""

from __future__ import annotations

UNKNOWN = "-"
_KIB = 1024


def count(value: int | None) -> str:
    """`1,234,567`."""
    return UNKNOWN if value is None else f"{value:,}"


def kib(value: int | None) -> str:
    """Bytes as `12.3 KiB`."""
    return UNKNOWN if value is None else f"{value / _KIB:.1f} KiB"


def two_decimals(value: float | None, suffix: str = "") -> str:
    """`2.25`, with what is put behind it."""
    return UNKNOWN if value is None else f"{value:.2f}{suffix}"


def percent(share: float | None) -> str:
    """A share of 1 as `87.87 %`."""
    return UNKNOWN if share is None else f"{100 * share:.2f} %"
