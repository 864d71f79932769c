"""What a linked image's own instructions say of the stack: how far each function lowers it, and whom it calls.

Takes:  the text of `objdump -d --no-show-raw-insn` on a Cortex-M image.
Gives:  one `Frame` a function.  The compiler's figures know neither naked functions nor libraries; these do.
A frame is the sum of all pushes of a function, whichever branch they are on, so it is never too small.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

INDIRECT = "__indirect_call"
"""Stands for whatever a pointer may lead to, by the name that GCC's call graph has for it."""


@dataclass(frozen=True)
class Frame:
    """`bytes` is None where a register is subtracted from the stack pointer, so that no one can tell."""

    bytes: int | None
    calls: frozenset[str]


_FUNCTION = re.compile(r"^[0-9a-f]+ <(?P<name>.+)>:$")
_INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\s+(?P<op>\S+)\s*(?P<rest>[^@;]*)")
_TARGET = re.compile(r"<(?P<name>[^+>]+)(?P<inside>\+0x[0-9a-f]+)?>")
_LIST = re.compile(r"\{(?P<registers>.+?)\}")
_LOWERED = re.compile(r"\[sp, #-(?P<bytes>\d+)\]!")
_IMMEDIATE = re.compile(r"^sp, (?:sp, )?#(?P<bytes>\d+)")


def frames(text: str) -> dict[str, Frame]:
    """Every function of an image by its name."""
    made = {}
    for name, instructions in _functions(text):
        sizes = [_lowers(op, rest) for op, rest in instructions]
        known = [size for size in sizes if size is not None]
        calls = frozenset(called for op, rest in instructions for called in _calls(op, rest) if called != name)
        made[name] = Frame(sum(known) if len(known) == len(sizes) else None, calls)
    return made


def _functions(text: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    name, instructions = "", list[tuple[str, str]]()
    for line in text.splitlines():
        if head := _FUNCTION.match(line):
            if name:
                yield name, instructions
            name, instructions = head["name"], []
        elif found := _INSTRUCTION.match(line):
            instructions.append((found["op"], found["rest"].strip()))
    if name:
        yield name, instructions


def _lowers(op: str, rest: str) -> int | None:
    """Bytes by which one instruction lowers the stack pointer."""
    stem = op.split(".")[0]
    if stem in ("push", "vpush"):
        return _registers(rest)
    if stem in ("stmdb", "vstmdb") and rest.startswith("sp!"):
        return _registers(rest)
    if lowered := _LOWERED.search(rest):
        return int(lowered["bytes"])
    if stem in ("sub", "subs", "subw") and rest.startswith("sp,"):
        immediate = _IMMEDIATE.match(rest)
        return int(immediate["bytes"]) if immediate else None
    return 0


def _registers(rest: str) -> int:
    """Bytes of a list such as `{r4-r6, lr}` or `{d8-d9}`."""
    found = _LIST.search(rest)
    assert found, f"a list of registers is missing in {rest!r}"
    total = 0
    for part in found["registers"].split(","):
        first, _, last = part.strip().partition("-")
        count = 1 if not last else int(last[1:]) - int(first[1:]) + 1
        total += count * (8 if first.startswith("d") else 4)
    return total


def _calls(op: str, rest: str) -> Iterator[str]:
    """Functions that an instruction may go to: by a call, by a jump out of its own function, or by a pointer."""
    stem = op.split(".")[0]
    if stem == "blx" or (stem == "bx" and rest != "lr"):
        yield INDIRECT if "<" not in rest else _name(rest)
    elif re.fullmatch(r"bl|b([a-z]{2})?", stem) and _leaves(rest):
        yield _name(rest)


def _leaves(rest: str) -> bool:
    """Whether a branch goes to the start of a function; one into the middle stays in its own."""
    found = _TARGET.search(rest)
    return found is not None and not found["inside"]


def _name(rest: str) -> str:
    found = _TARGET.search(rest)
    assert found, f"a branch without a target: {rest!r}"
    return found["name"]
