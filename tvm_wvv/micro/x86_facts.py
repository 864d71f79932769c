"""What a shared library of `wvv compile --board x86` says of itself: JSON, within the library and beside it.

Without dates and paths: the same model, options and CPU give the same text. Reading it needs no TVM.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.quant.operators import Affine

MADE_BY = "wvv compile --board x86"
FORMAT = 1  # a change that an older program cannot read raises it


@dataclass(frozen=True)
class LibraryFacts:
    """`features` are the instruction sets that the code may use, by LLVM's names; `mcpu` is the CPU that has them.

    `layers` are rows as `wvv explain --json` has them. `alignment` is that of the arena.
    """

    name: str
    mcpu: str
    vectors: str
    features: tuple[str, ...]
    sha256: str
    options: Mapping[str, Any]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    layers: Sequence[Mapping[str, Any]]
    arena_bytes: int
    workspace_bytes: int
    weight_bytes: int
    alignment: int
    tools: Mapping[str, str]

    @property
    def file_name(self) -> str:
        """Of the shared library."""
        return f"libwvv_{self.name}.so"


def to_json(facts: LibraryFacts) -> str:
    """JSON text."""
    return json.dumps({"made_by": MADE_BY, "format": FORMAT, **asdict(facts)}, indent=2, sort_keys=True) + "\n"


def from_json(text: str) -> LibraryFacts:
    """The value that `to_json` wrote. Anything else raises ValueError, KeyError, TypeError or AttributeError."""
    fields = json.loads(text)
    if (fields.pop("made_by"), fields.pop("format")) != (MADE_BY, FORMAT):
        raise ValueError(f"is not of {MADE_BY}, format {FORMAT}")
    fields |= {key: tuple(_info(one) for one in fields[key]) for key in ("inputs", "outputs")}
    return LibraryFacts(**{**fields, "features": tuple(fields["features"])})


def _info(fields: dict[str, Any]) -> TensorInfo:
    affine = fields["affine"]
    whole = None if affine is None else Affine(**affine)
    return TensorInfo(fields["name"], tuple(fields["shape"]), fields["dtype"], whole)
