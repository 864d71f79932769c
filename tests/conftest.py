"""What tests share: where data and tools are, and the rule for missing ones (skip at home, fail where CI=true)."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("WVV_DATA", ROOT.parent / "shared" / "data"))


def _missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must have it")
    pytest.skip(f"{what} is missing")


def require_tool(name: str) -> str:
    """Path of an executable; without it the test is skipped, or fails where CI=true."""
    found = shutil.which(name)
    if found is None:
        _missing(f"the program {name!r}")
    return str(found)


def require_data(relative: str) -> Path:
    """Path of a file below the data folder; without it the test is skipped, or fails where CI=true."""
    path = DATA / relative
    if not path.exists():
        _missing(f"the data file {path}")
    return path


def require_library() -> None:
    """CMSIS-NN of this machine; without it the test is skipped, or fails where CI=true."""
    if importlib.util.find_spec("bakenn") is None and "CMSIS_NN_PATH" not in os.environ:
        _missing("CMSIS-NN (pip install 'tvm_wvv[cmsis-nn]')")


def require_module(name: str) -> None:
    """A Python package of the extra `test`; without it the test is skipped, or fails where CI=true."""
    if importlib.util.find_spec(name) is None:
        _missing(f"the Python package {name!r}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew; read the diff afterwards")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Mapping[str, str]], None]:
    """Compare files by name with those in a folder of tests/golden, or write them with --update-golden."""

    def check(folder: str, files: Mapping[str, str]) -> None:
        place = ROOT / "tests" / "golden" / folder
        if request.config.getoption("--update-golden"):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            for name, text in files.items():
                (place / name).write_text(text, encoding="utf-8")
        assert sorted(p.name for p in place.iterdir()) == sorted(files), f"{folder}: other files; --update-golden?"
        for name, text in files.items():
            assert (place / name).read_text(encoding="utf-8") == text, f"{folder}/{name} differs; --update-golden?"

    return check
