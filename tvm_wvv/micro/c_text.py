"""Take one kernel's parameters and body out of the C text that TVM's code generator wrote.

TVM's text serves its runtime: it includes TVM's headers, exports symbols and opens C++ linkage. A microcontroller has
none of these, so only what stands between the braces is kept, and the signature is written anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DEFINITION = re.compile(r"^TVM_DLL void (?P<name>\w+)\((?P<parameters>[^)]*)\) \{\n(?P<body>.*?)^\}\n", re.M | re.S)
# TVM declares each function that the kernel calls, with `void*` for every pointer, and the kernel itself.
_DECLARATION = re.compile(r"^TVM_DLL \w+ (?P<name>\w+)\(.*\);$", re.M)


@dataclass(frozen=True)
class Text:
    """`parameters` are (element type, name) in order; `calls` are the functions that the body needs to be declared."""

    parameters: tuple[tuple[str, str], ...]
    body: str
    calls: tuple[str, ...]


def take(source: str) -> Text:
    """The single kernel of `source`."""
    found = _DEFINITION.search(source)
    assert found is not None, "TVM's C text holds no definition in the known form"
    declared = [match["name"] for match in _DECLARATION.finditer(source)]
    parameters = tuple(_parameter(p) for p in found["parameters"].split(", "))
    return Text(parameters, found["body"], tuple(name for name in declared if name != found["name"]))


def mentions(body: str, name: str) -> bool:
    """Whether a C text uses a name."""
    return re.search(rf"\b{re.escape(name)}\b", body) is not None


def _parameter(text: str) -> tuple[str, str]:
    pointer, _, name = text.rpartition(" ")
    assert pointer.endswith("*"), f"parameter {text!r} is not a pointer"
    return pointer[:-1], name
