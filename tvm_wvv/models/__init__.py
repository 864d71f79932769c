"""Networks that come with the package, each named by a word wherever a command takes a MODEL."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent
WORDS = ("digits", "resnet20")


def packaged(word: str) -> Path | None:
    """The `.tflite` file that a word names, None for any other text."""
    return _HERE / f"{word}.tflite" if word in WORDS else None


def packaged_recipe(word: str) -> Path | None:
    """The recipe that a network was trained with, None where a word names none, or no network."""
    path = _HERE / f"{word}.recipe.json"
    return path if word in WORDS and path.is_file() else None
