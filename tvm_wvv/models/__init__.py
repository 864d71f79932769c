"""Networks that come with the package, each named by a word wherever a command takes a MODEL."""

from __future__ import annotations

from pathlib import Path

WORDS = ("digits",)


def packaged(word: str) -> Path | None:
    """The `.tflite` file that a word names, None for any other text."""
    return Path(__file__).with_name(f"{word}.tflite") if word in WORDS else None
