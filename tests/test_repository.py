"""Rules that hold for every file of the repository, and that no linter checks."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT, require_tool

FILE_LINES = 400
FUNCTION_LINES = 60
# Where one person's machine keeps things; nothing that is shared may depend on it.
MACHINE_PATH = re.compile(rb"/(?:home|root|Users|mnt|work)/(?:[a-z_.]+)/|/tmp/\w+/")
# Modules outside `qat` that import torch as they are imported, themselves or through one another.
TRAINING = {"digits_torch.py", *(f"resnet20_{what}.py" for what in ("torch", "exact", "export", "train", "step"))}
COMMAND = re.compile(r"^(?:\$ )?(?:wvv|python -m tvm_wvv) (micro [a-z]+|[a-z]+)", re.MULTILINE)
MAKE = re.compile(r"\bmake ([a-z]+)")


@cache
def _tracked() -> tuple[Path, ...]:
    """Every file that git has or would take."""
    listed = subprocess.run(
        [require_tool("git"), "ls-files", "-coz", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return tuple(ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file())


def _python(folder: str = "") -> list[Path]:
    return [path for path in _tracked() if path.suffix == ".py" and path.is_relative_to(ROOT / folder)]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _places(nodes: list[tuple[Path, int]]) -> list[str]:
    return [f"{path.relative_to(ROOT)}:{line}" for path, line in nodes]


def _readme_blocks() -> str:
    """The text of README's fenced blocks."""
    return "\n".join((ROOT / "README.md").read_text(encoding="utf-8").split("```")[1::2])


def test_every_module_says_what_it_is() -> None:
    modules = _python()
    assert modules
    assert [str(path.relative_to(ROOT)) for path in modules if not ast.get_docstring(_tree(path))] == []


def test_no_path_of_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in _tracked()
        for match in MACHINE_PATH.finditer(path.read_bytes())
    ]
    assert found == []


def test_python_files_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in _python()}
    assert _places([(path, lines) for path, lines in lengths.items() if lines > FILE_LINES]) == []


def test_functions_are_short() -> None:
    functions = [
        (path, node)
        for path in _python()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    too_long = [(path, f.lineno) for path, f in functions if (f.end_lineno or 0) - f.lineno >= FUNCTION_LINES]
    assert _places(too_long) == []


def test_asserts_in_the_package_say_what_was_proved() -> None:
    bare = [
        (path, node.lineno)
        for path in _python("tvm_wvv")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Assert) and node.msg is None
    ]
    assert _places(bare) == []


def test_no_module_named_for_nothing() -> None:
    assert [path.name for path in _python() if path.stem in {"utils", "util", "helpers", "misc", "common"}] == []


def test_package_imports_without_torch() -> None:
    """Every module but those that train is imported in one interpreter where `import torch` fails."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in _python("tvm_wvv")
        if "qat" not in path.parts and path.name not in TRAINING
    ]
    program = f"import sys, importlib\nsys.modules['torch'] = None\nfor m in {modules!r}: importlib.import_module(m)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


def test_importing_the_package_loads_neither_tvm_nor_numpy() -> None:
    program = "import sys, tvm_wvv; print(sorted({'tvm', 'numpy', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_readme_shows_the_test_command_that_ci_runs() -> None:
    assert "make test" in _readme_blocks()
    assert "make demo" in _readme_blocks()
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == "make test"


def test_readme_names_only_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(MAKE.findall(_readme_blocks())) - targets == set()


def test_readme_names_only_commands_that_exist() -> None:
    named = set(COMMAND.findall(_readme_blocks()))
    assert named, "README shows no command"
    for words in sorted(named):
        _help(words)


def _help(words: str) -> None:
    command = [sys.executable, "-m", "tvm_wvv", *words.split(), "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.fail(f"README shows `wvv {words}`, and `--help` says: {done.stderr.strip()}")
