"""The deepest that the stack of an image can get, and the calls that lead there.

Takes:  GCC's call graphs (`-fcallgraph-info=su`, one text an object), the image's disassembly, and the functions whose
        addresses are taken, which a call by pointer may reach.
Gives:  the `Depth` below a function.  A function takes the larger of what GCC and its instructions say, and may call
        whatever either of them names: GCC knows each frame exactly but neither naked functions nor libraries.
Refuses nothing: recursion, or a frame whose size depends on data, makes the depth unknown and is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from tvm_wvv.micro.disassembly import INDIRECT, Frame

_NODE = re.compile(r'^node: \{ title: "(?P<title>[^"]+)" label: "[^"]*\\n(?P<bytes>\d+) bytes \((?P<kind>[^)]+)\)')
_EDGE = re.compile(r'^edge: \{ sourcename: "(?P<source>[^"]+)" targetname: "(?P<target>[^"]+)"')

# Who calls through a pointer in deploy/runtime, and what the pointers there can hold. Without it every such call might
# lead back to its caller. A caller that is not named here may reach any function whose address is taken, and so may one
# whose patterns match none.
POINTERS = (
    # The model's run, in main.c, measure.c and serial_main.c.
    (r"main|count_run|run_once|wvv_measure_run", r"run|run_nothing|tvmgen_\w+"),
    (r"wvv_mve_f4_output", r"four_(positive_)?outputs"),
    (r"wvv_serial_feed", r"(wvv_)?command_\w+"),  # the table of commands in serial_protocol.c
    # A command's way to the device: the fields of struct wvv_serial_device. A clone keeps its function's name in front.
    (r"wvv_put_[\w.]+", r"put"),
    (r"wvv_serial_[\w.]+|(wvv_)?command_[\w.]+", r"put|microseconds|run_once|wvv_stack_used|wvv_restart"),
)


@dataclass(frozen=True)
class Depth:
    """`bytes` is None where no bound exists; `obstacle` then says which function stands in the way."""

    bytes: int | None
    path: tuple[tuple[str, int], ...]
    obstacle: str | None = None


def merge(graphs: Iterable[str], disassembled: Mapping[str, Frame]) -> dict[str, Frame]:
    """One frame for each function of the image, from both sources."""
    merged = dict(disassembled)
    for title, frame in _gcc_frames(graphs).items():
        if title not in merged:
            continue  # inlined everywhere, or dropped by the linker
        known = merged[title]
        sizes = (frame.bytes, known.bytes)
        larger = None if None in sizes else max(size for size in sizes if size is not None)
        # GCC sees every call by pointer in C; what looks like one in a naked function is its return.
        merged[title] = Frame(larger, known.calls - {INDIRECT} | frame.calls)
    return merged


def depth_below(frames: Mapping[str, Frame], root: str, pointed_at: Set[str]) -> Depth:
    """The deepest path of calls from `root`, its own frame included."""
    return _depth(root, frames, frozenset(pointed_at), {}, ())


def _gcc_frames(graphs: Iterable[str]) -> dict[str, Frame]:
    """Static functions of one name in several files are taken together: the larger frame, all calls."""
    sizes: dict[str, int | None] = {}
    calls: dict[str, set[str]] = {}
    for graph in graphs:
        for line in graph.splitlines():
            if node := _NODE.match(line):
                name = _symbol(node["title"])
                bounded = node["kind"] in ("static", "dynamic,bounded")
                before = sizes.get(name, 0)
                sizes[name] = max(before, int(node["bytes"])) if bounded and before is not None else None
            elif edge := _EDGE.match(line):
                calls.setdefault(_symbol(edge["source"]), set()).add(_symbol(edge["target"]))
    return {name: Frame(size, frozenset(calls.get(name, ()))) for name, size in sizes.items()}


def _symbol(title: str) -> str:
    """GCC calls a static function `file:name`."""
    return title.rpartition(":")[2]


def _depth(
    name: str, frames: Mapping[str, Frame], pointed_at: frozenset[str], known: dict[str, Depth], above: tuple[str, ...]
) -> Depth:
    if name in above:
        return Depth(None, (), f"{name} calls itself")
    if name not in known:
        frame = frames.get(name, Frame(0, frozenset()))
        called = frame.calls - {INDIRECT} | (_reached(name, pointed_at) if INDIRECT in frame.calls else frozenset())
        below = [_depth(each, frames, pointed_at, known, (*above, name)) for each in sorted(called)]
        known[name] = _on_top(name, frame, below)
    return known[name]


def _reached(caller: str, pointed_at: frozenset[str]) -> frozenset[str]:
    """What a call by pointer in `caller` may lead to: what POINTERS says of it, else any function with an address."""
    patterns = [reached for callers, reached in POINTERS if re.fullmatch(callers, caller)]
    return frozenset(one for one in pointed_at if any(re.fullmatch(p, one) for p in patterns)) or pointed_at


def _on_top(name: str, frame: Frame, below: list[Depth]) -> Depth:
    obstacle = next((one.obstacle for one in below if one.obstacle), None)
    if obstacle is None and frame.bytes is None:
        obstacle = f"{name} has a frame whose size depends on data"
    if obstacle is not None or frame.bytes is None:
        return Depth(None, (), obstacle)
    deepest = max(below, key=lambda one: one.bytes or 0, default=Depth(0, ()))
    return Depth(frame.bytes + (deepest.bytes or 0), ((name, frame.bytes), *deepest.path))
