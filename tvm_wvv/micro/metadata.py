"""`metadata.json` of an archive: microTVM's Model Library Format, version 7, and under `wvv` what our commands need.

Takes:  a lowered model, its C files, the board's name, the options and the digests of the archive's other members.
Gives:  JSON text without dates, so that the same model gives the same bytes; and the same values back from it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.aot import Peak
from tvm_wvv.micro.emit_c import Emitted
from tvm_wvv.passes.lowered import LayerReport, Lowered
from tvm_wvv.quant.operators import Affine

LIBRARY_FORMAT = 7
FORMAT = 1  # of what stands under `wvv`; a change that an older program cannot read raises it
_CPU = 1  # DLPack's number of the device type


@dataclass(frozen=True)
class Metadata:
    """What the JSON says about a model besides its files; `digests` are SHA-256 by the member's path."""

    name: str
    board: str
    options: Mapping[str, Any]
    sha256: str
    layers: tuple[LayerReport, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    arena_bytes: int
    workspace_bytes: int
    weight_bytes: int
    peak: Peak
    layer_workspace: tuple[int, ...]
    kernel_workspace: Mapping[str, int]
    digests: Mapping[str, str]


def describe(
    emitted: Emitted, lowered: Lowered, board: str, options: Mapping[str, Any], digests: Mapping[str, str]
) -> Metadata:
    """The metadata of a model that was just compiled."""
    return Metadata(
        lowered.name,
        board,
        options,
        lowered.sha256,
        lowered.layers,
        lowered.inputs,
        lowered.outputs,
        emitted.arena_bytes,
        emitted.workspace_bytes,
        emitted.weight_bytes,
        emitted.peak,
        emitted.layer_workspace,
        emitted.kernel_workspace,
        digests,
    )


def to_json(metadata: Metadata) -> str:
    """JSON text."""
    own = {key: value for key, value in asdict(metadata).items() if key != "name"}
    document = {
        "version": LIBRARY_FORMAT,
        "modules": {metadata.name: _module(metadata)},
        "wvv": {"format": FORMAT, **own},
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def from_json(text: str) -> Metadata:
    """The values that `to_json` wrote. Anything else raises ValueError, KeyError, TypeError or AttributeError."""
    document = json.loads(text)
    (name,) = document["modules"]
    own = dict(document["wvv"])
    if own.pop("format") != FORMAT:
        raise ValueError(f"format is not {FORMAT}")
    own["layers"] = tuple(LayerReport(**{**one, "output_shape": tuple(one["output_shape"])}) for one in own["layers"])
    own["inputs"] = tuple(_info(one) for one in own["inputs"])
    own["outputs"] = tuple(_info(one) for one in own["outputs"])
    own["layer_workspace"] = tuple(own["layer_workspace"])
    own["digests"] = dict(own["digests"])
    return Metadata(**{**own, "name": name, "peak": Peak(**own["peak"])})


def _module(metadata: Metadata) -> dict[str, Any]:
    """microTVM's own fields, as its project generators read them."""
    ports = {
        kind: {info.name: {"dtype": info.dtype, "size": tensor_bytes(info)} for info in infos}
        for kind, infos in (("inputs", metadata.inputs), ("outputs", metadata.outputs))
    }
    main = {
        "device": _CPU,
        "constants_size_bytes": metadata.weight_bytes,
        "io_size_bytes": sum(tensor_bytes(info) for info in (*metadata.inputs, *metadata.outputs)),
        "workspace_size_bytes": metadata.arena_bytes,
        **ports,
    }
    kernels = [
        {"function_name": name, "workspace": [{"device": _CPU, "workspace_size_bytes": size}]}
        for name, size in metadata.kernel_workspace.items()
    ]
    return {
        "model_name": metadata.name,
        "executors": ["aot"],
        "style": "full-model",
        "target": ["c"],
        "memory": {"main": [main], "operator_functions": kernels},
    }


def tensor_bytes(info: TensorInfo) -> int:
    """Size of an input or output."""
    return math.prod(info.shape) * np.dtype(info.dtype).itemsize


def _info(fields: dict[str, Any]) -> TensorInfo:
    affine = fields["affine"]
    whole = None if affine is None else Affine(**affine)
    return TensorInfo(fields["name"], tuple(fields["shape"]), fields["dtype"], whole)
