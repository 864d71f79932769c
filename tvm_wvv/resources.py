"""Where boards and device sources lie: beside the package in a checkout, inside it in an installed wheel.

Gives a folder that exists, or a WvvError; nobody else in the package knows that there are two places.
"""

from __future__ import annotations

from pathlib import Path

from tvm_wvv.errors import WvvError

_PACKAGE = Path(__file__).resolve().parent


def boards_dir() -> Path:
    """The folder that holds one folder a board."""
    return _find("boards")


def deploy_dir() -> Path:
    """The folder of what goes onto the device: runtime, microkernels, templates."""
    return _find("deploy")


def _find(name: str) -> Path:
    # The wheel's copy first: beside an installed package lie other people's packages, maybe one named `boards`.
    places = (_PACKAGE / "_data" / name, _PACKAGE.parent / name)
    for place in places:
        if place.is_dir():
            return place
    raise WvvError(f"{name}: not found at {places[0]} nor at {places[1]}; install tvm_wvv again (pip install .)")
