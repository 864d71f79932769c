"""The files of a firmware project, from a compiled network, a board and a template. Nothing here writes to a disk.

Gives every file's bytes by its path in the project. They depend on the archive, the board's folder and deploy/ alone:
two projects of the same are equal. Refuses a template that the board or the network has no place in.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2

from tvm_wvv.errors import WvvError
from tvm_wvv.micro import toolchain
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.network import Network
from tvm_wvv.micro.project import BOARDS_FOLDER, CHECK_INPUT, CHECK_OUTPUT, PROJECT_FILE, TEMPLATES, Project, to_json
from tvm_wvv.micro.project_facts import template_facts
from tvm_wvv.micro.serial_model import SERIAL_MODEL, firmware_id, with_serial
from tvm_wvv.resources import deploy_dir

Files = dict[str, bytes]
_INCLUDED = re.compile(r'^#include "(\w+\.c)"$', re.MULTILINE)
_HOST_EXAMPLE = ("main.c", "host_io.c", "include/wvv_io.h", "include/wvv_measure.h", "include/wvv_status.h")
# Where the time comes from on systems that have their own; both templates count microseconds.
_CLOCKS = {"zephyr": "Zephyr k_cycle_get_32, 1000000 Hz", "arduino": "Arduino micros, 1000000 Hz"}


@dataclass(frozen=True)
class Recipe:
    """All that goes into a project; `check` is the bytes of a few examples' inputs, and of the outputs they give."""

    network: Network
    sha256: str
    board: Board
    template: str
    check: tuple[bytes, bytes]


def check_template(template: str, board: Board, network: Network) -> None:
    """Refuse what cannot be made, before any long work."""
    if template not in TEMPLATES:
        raise WvvError(f"--template {template}: unknown; choose one of {', '.join(TEMPLATES)}")
    if template in ("zephyr", "arduino") and getattr(board.project, template) is None:
        raise WvvError(
            f"{board.name}: its board.toml names no {template} board ([project] {template} = ...); "
            f"add it, or take --template baremetal"
        )
    if template == "arduino" and network.library is not None:
        raise WvvError(
            f"{network.name}: calls {network.library}, whose folders an Arduino library cannot hold; "
            f"compile with --direct own, or take another template"
        )


def project_files(recipe: Recipe) -> Files:
    """Every file of the project."""
    layout = {"baremetal": _baremetal, "library": _library, "zephyr": _zephyr, "arduino": _arduino}[recipe.template]
    files = {**layout(recipe), **_rendered(recipe)}
    files[CHECK_INPUT], files[CHECK_OUTPUT] = recipe.check
    files[PROJECT_FILE] = to_json(project_of(recipe)).encode()
    return dict(sorted(files.items()))


def project_of(recipe: Recipe) -> Project:
    """What the project's own file says."""
    network = recipe.network
    names = (recipe.template, recipe.board.name, network.name, recipe.sha256, firmware_id(network.files))
    return Project(*names, network.inputs, network.outputs, network.library)


def _baremetal(recipe: Recipe) -> Files:
    board = recipe.board
    sources = {name for console in toolchain.consoles(board) for name in toolchain.runtime_sources(board, console)}
    runtime = _runtime([*_with_included(sources), "sections.ld", *_headers(recipe.network)], "runtime")
    serial = _serial_model(recipe, "model") if board.uart else {}
    place = f"{BOARDS_FOLDER}/{board.name}"
    folder = {f"{place}/{path.name}": path.read_bytes() for path in board.folder.iterdir() if path.is_file()}
    return {**_model(recipe, "model"), **serial, **runtime, **folder, f"{place}/memory.ld": _memory(board)}


def _library(recipe: Recipe) -> Files:
    example = {f"example/{Path(name).name}": data for name, data in _runtime(_HOST_EXAMPLE, "").items()}
    interface = _runtime(["include/wvv_model.h"], "")
    return {**_model(recipe, "model"), **interface, **example, **_board_file(recipe.board)}


def _zephyr(recipe: Recipe) -> Files:
    runtime = _runtime((*toolchain.SERIAL_PROTOCOL, *toolchain.SERIAL_HEADERS), "runtime")
    return {**_model(recipe, "model"), **_serial_model(recipe, "model"), **runtime, **_board_file(recipe.board)}


def _arduino(recipe: Recipe) -> Files:
    """Flat, since `src` is the only folder in which Arduino looks for headers."""
    protocol = _runtime((*toolchain.SERIAL_PROTOCOL, *toolchain.SERIAL_HEADERS), "")
    runtime = {f"src/{Path(name).name}": data for name, data in protocol.items()}
    sources = {**runtime, **_model(recipe, "src"), **_serial_model(recipe, "src")}
    # Arduino's boards choose the flags, so each file says itself what its arithmetic needs.
    flagged = {name: _ARDUINO_FLAGS + data if name.endswith(".c") else data for name, data in sources.items()}
    return {**flagged, **_board_file(recipe.board)}


_ARDUINO_FLAGS = b"""/* Tensors of every type share one arena; sums are rounded and added in the order written. */
#pragma GCC optimize("O3", "no-strict-aliasing", "no-tree-reassoc", "fp-contract=off")
"""


def _model(recipe: Recipe, place: str) -> Files:
    return {f"{place}/{name}": text.encode() for name, text in recipe.network.files.items()}


def _serial_model(recipe: Recipe, place: str) -> Files:
    network = recipe.network
    ports = (recipe.board, network.name, network.inputs, network.outputs)
    files = with_serial(network.files, *ports, clock=_CLOCKS.get(recipe.template))
    return {f"{place}/{SERIAL_MODEL}": files[SERIAL_MODEL].encode()}


def _with_included(sources: Collection[str]) -> set[str]:
    """The sources, and those which they include: a driver may be a variant of another."""
    folder = deploy_dir() / "runtime"
    found = {name for source in sources for name in _INCLUDED.findall((folder / source).read_text(encoding="utf-8"))}
    return {*sources, *(_with_included(found) if found else ())}


def _headers(network: Network) -> list[str]:
    """The runtime's headers but for those that the network brings along."""
    folder = deploy_dir() / "runtime"
    headers = sorted([*folder.glob("*.h"), *folder.glob("include/*.h")])
    return [header.relative_to(folder).as_posix() for header in headers if header.name not in network.files]


def _runtime(names: Sequence[str], place: str) -> Files:
    folder = deploy_dir() / "runtime"
    return {f"{place}/{name}" if place else name: (folder / name).read_bytes() for name in names}


def _memory(board: Board) -> bytes:
    return toolchain.memory_script(board).encode("ascii")


def _board_file(board: Board) -> Files:
    """What `wvv micro run` asks a board for; start-up and linker script are another system's here."""
    return {f"{BOARDS_FOLDER}/{board.name}/board.toml": (board.folder / "board.toml").read_bytes()}


def _rendered(recipe: Recipe) -> Files:
    """The template's own files: those named *.j2 filled in, all others as they are."""
    folder = deploy_dir() / "templates" / recipe.template
    facts = template_facts(recipe.network, recipe.board, recipe.sha256, len(recipe.check[1]))
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            continue
        inside = path.relative_to(folder).as_posix()
        name = _named(inside.removesuffix(".j2"), recipe)
        files[name] = render(f"{recipe.template}/{inside}", facts) if path.suffix == ".j2" else path.read_bytes()
    return files


def _named(path: str, recipe: Recipe) -> str:
    places = {
        "__model__": recipe.network.name,
        "__board__": recipe.board.name,
        "__zephyr__": (recipe.board.project.zephyr or "").replace("/", "_"),
    }
    for place, name in places.items():
        path = path.replace(place, name)
    return path


def render(template: str, facts: Mapping[str, object]) -> bytes:
    """A file of deploy/templates, filled in."""
    return _environment().get_template(template).render(facts).encode()


@cache
def _environment() -> jinja2.Environment:
    # A fact that is missing is our mistake and must not become an empty word in somebody's Makefile.
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(deploy_dir() / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
