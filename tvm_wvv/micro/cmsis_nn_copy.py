"""A copy of CMSIS-NN on this machine: where it is, which version, and the sources behind each function.

Takes the folder that a user names, else `CMSIS_NN_PATH`, else the copy in the installed package `bakenn`.
Gives texts: nothing of it is imported or changed. Refuses a folder that is no copy, and says how to get one.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tvm_wvv.errors import WvvError

VARIABLE = "CMSIS_NN_PATH"
_PACKAGE = "bakenn"
_VENDOR = Path("backend", "cmsis_nn", "vendor")
_HOW = (
    f"pip install {_PACKAGE}==1.0.0 brings version 4.0.0; or clone https://github.com/ARM-software/CMSIS-NN and name "
    f"its folder by --cmsis-nn DIR or {VARIABLE}"
)
# The library's own files say 0.0.0 in every release; the revision of arm_nnfunctions.h tells releases apart.
_RELEASES = {"11.2.0": "4.0.0", "11.3.0": "4.1.0", "12.4.0": "5.0.0", "16.0.0": "6.0.0", "18.0.0": "7.0.0"}
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_FUNCTION = re.compile(r"^(?!static\b)[A-Za-z_][\w \t*]*?\b(arm_\w+)\s*\([^;{}()]*\)\s*\{", re.MULTILINE)
_NAME = re.compile(r"\barm_\w+")


@dataclass(frozen=True)
class LibraryCopy:
    """Texts by their path below a common folder; `defines` has for each source file its functions."""

    version: str
    headers: Mapping[str, str]
    notices: Mapping[str, str]
    sources: Mapping[str, str]
    defines: Mapping[str, frozenset[str]]

    @property
    def functions(self) -> frozenset[str]:
        """Every function that has a source here; headers declare more than some copies carry."""
        return frozenset().union(*self.defines.values())

    @property
    def sum_arguments(self) -> int:
        """How many arguments `arm_vector_sum_s8` takes, 0 where there is none: its form changed between versions."""
        for text in self.headers.values():
            found = re.search(r"\barm_vector_sum_s8\(([^)]*)\)\s*;", _COMMENT.sub("", text))
            if found and "arm_vector_sum_s8" in self.functions:
                return found[1].count(",") + 1
        return 0

    def sources_of(self, functions: Iterable[str]) -> dict[str, str]:
        """The source files that define these functions and all that they call, by name in order."""
        homes = {name: path for path, names in self.defines.items() for name in names}
        wanted, seen = {homes[name] for name in functions if name in homes}, set[str]()
        while wanted - seen:
            path = min(wanted - seen)
            seen.add(path)
            wanted |= {homes[name] for name in _names(self.sources[path]) if name in homes}
        return {path: self.sources[path] for path in sorted(seen)}


def find_copy(named: str | None) -> LibraryCopy:
    """The copy that counts here."""
    if named is not None:
        return _copy(Path(named), f"--cmsis-nn {named}")
    if variable := os.environ.get(VARIABLE):
        return _copy(Path(variable), f"{VARIABLE}={variable}")
    if (packaged := packaged_folder()) is not None:
        return _copy(packaged, f"package {_PACKAGE}")
    raise WvvError(f"CMSIS-NN: no copy found; {_HOW}")


def packaged_folder() -> Path | None:
    """The copy that an installed package carries."""
    spec = importlib.util.find_spec(_PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    copies = [Path(folder) / _VENDOR / "cmsis_nn" for folder in folders]
    return next((copy for copy in copies if copy.is_dir()), None)


@cache
def _copy(folder: Path, named: str) -> LibraryCopy:
    """Reads a folder as a checkout of CMSIS-NN has it, with `Include` and `Source`."""
    functions = folder / "Include" / "arm_nnfunctions.h"
    if not functions.is_file() or not (folder / "Source").is_dir():
        raise WvvError(f"{named}: holds no Include/arm_nnfunctions.h with a Source beside it; {_HOW}")
    headers = _texts(folder.glob("Include/**/*.h"), folder, "cmsis_nn")
    if "cmsis_compiler.h" in "".join(re.findall(r"#include.*", headers["cmsis_nn/Include/arm_nn_math_types.h"])):
        headers |= _core_headers(folder, named)
    sources = _texts(folder.glob("Source/**/*.c"), folder, "cmsis_nn")
    return LibraryCopy(
        version=_version(headers["cmsis_nn/Include/arm_nnfunctions.h"]),
        headers=headers,
        # What the licence asks to travel with the sources, and what a distributor says of changes.
        notices=_texts([*folder.glob("LICENSE*"), *folder.glob("NOTICE*"), *folder.glob("*PROVENANCE*")], folder,
                       "cmsis_nn"),
        sources=sources,
        defines={path: frozenset(_FUNCTION.findall(_COMMENT.sub("", text))) for path, text in sources.items()},
    )  # fmt: skip


def _core_headers(folder: Path, named: str) -> dict[str, str]:
    """Until version 4.0 the library needs CMSIS-Core, which lies beside it in a package or in CMSIS 5."""
    for core in (folder.parent / "cmsis_core", folder.parent / "Core"):
        if (core / "Include" / "cmsis_compiler.h").is_file():
            return _texts([*core.glob("Include/cmsis_*.h"), *core.glob("LICENSE*")], core, "cmsis_core")
    raise WvvError(f"{named}: needs cmsis_compiler.h of CMSIS-Core, not found beside it; take version 4.1 or newer")


def _version(header: str) -> str:
    revision = re.search(r"\$Revision:\s*V?\.?([\d.]+)", header)
    if revision is None:
        return "unknown"
    return _RELEASES.get(revision[1], f"unreleased (arm_nnfunctions.h {revision[1]})")


def _texts(paths: Iterable[Path], folder: Path, under: str) -> dict[str, str]:
    try:
        return {
            f"{under}/{path.relative_to(folder).as_posix()}": path.read_text(encoding="utf-8")
            for path in sorted(paths)
            if path.is_file()
        }
    except (OSError, UnicodeDecodeError) as error:
        raise WvvError(f"{folder}: cannot be read: {error}") from error


@cache
def _names(source: str) -> Collection[str]:
    return frozenset(_NAME.findall(_COMMENT.sub("", source)))
