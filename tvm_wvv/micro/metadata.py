"""`metadata.json` of an archive: microTVM's Model Library Format, version 7, and under `wvv` what our commands need.

Takes:  a lowered model, its C files, what it was made for and with, and the digests of the archive's other members.
Gives:  JSON text without dates, so that the same model gives the same bytes; and the same values back from it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.aot import Peak
from tvm_wvv.micro.emit_c import Emitted
from tvm_wvv.passes.lowered import OWN, LayerReport, Lowered
from tvm_wvv.quant.operators import Affine

LIBRARY_FORMAT = 7
FORMAT = 2  # of what stands under `wvv`; a change that an older program cannot read raises it
_CPU = 1  # DLPack's number of the device type
# Readers of the format expect a date. A real one would make each archive differ from the last.
_NO_DATE = "1970-01-01 00:00:00Z"
_LICENSES = (
    "generated C and deploy/runtime: Apache-2.0, as tvm_wvv itself",
    "model and weights: whatever the model's author says; compiling changes nothing about it",
)
_FOREIGN_LICENSE = "codegen/host/src/third_party: CMSIS-NN and CMSIS-Core, Apache-2.0, Arm Limited and contributors"
THIRD_PARTY = "codegen/host/src/third_party/"


@dataclass(frozen=True)
class Build:
    """What a model's C is meant to be built with: flags of GCC, and the versions of the tools that made it, by name.

    `target` is TVM's word for code and core. Nothing in it may differ between two machines.
    """

    target: str = "c"
    flags: tuple[str, ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Metadata:
    """What the JSON says about a model besides its files; `digests` are SHA-256 by the member's path."""

    name: str
    board: str
    options: Mapping[str, Any]
    build: Build
    licenses: tuple[str, ...]
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

    @property
    def io_bytes(self) -> int:
        """Of all inputs and outputs."""
        return sum(tensor_bytes(info) for info in (*self.inputs, *self.outputs))


def describe(
    emitted: Emitted,
    lowered: Lowered,
    board: str,
    options: Mapping[str, Any],
    build: Build,
    digests: Mapping[str, str],
) -> Metadata:
    """The metadata of a model that was just compiled."""
    foreign = any(name.startswith(THIRD_PARTY) for name in digests)
    return Metadata(
        lowered.name,
        board,
        options,
        build,
        (*_LICENSES, _FOREIGN_LICENSE) if foreign else _LICENSES,
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
    own["licenses"] = tuple(own["licenses"])
    own["build"] = Build(**{**own["build"], "flags": tuple(own["build"]["flags"])})
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
        "io_size_bytes": metadata.io_bytes,
        "workspace_size_bytes": metadata.arena_bytes,
        **ports,
    }
    kernels = [
        {"function_name": name, "workspace": [{"device": _CPU, "workspace_size_bytes": size}]}
        for name, size in metadata.kernel_workspace.items()
    ]
    functions = {"main": [main], "operator_functions": kernels}
    return {
        "model_name": metadata.name,
        "export_datetime": _NO_DATE,
        "executors": ["aot"],
        "style": "full-model",
        "target": [metadata.build.target],
        # Version 7 has the functions one level down; archives of earlier versions of wvv had them here.
        "memory": {"functions": functions, **functions},
        "external_dependencies": _dependencies(metadata),
    }


def _dependencies(metadata: Metadata) -> list[dict[str, str]]:
    """Libraries that the sources call. microTVM's own runtime, which stood here, is not needed."""
    libraries = sorted({layer.backend for layer in metadata.layers} - {OWN})
    return [
        {
            "short_name": name.lower(),
            "url": f"./{THIRD_PARTY.rstrip('/')}",
            "url_type": "mlf_path",
            "version_spec": f"=={version}",
        }
        for name, _, version in (library.partition(" ") for library in libraries)
    ]


def tensor_bytes(info: TensorInfo) -> int:
    """Size of an input or output."""
    return math.prod(info.shape) * np.dtype(info.dtype).itemsize


def _info(fields: dict[str, Any]) -> TensorInfo:
    affine = fields["affine"]
    whole = None if affine is None else Affine(**affine)
    return TensorInfo(fields["name"], tuple(fields["shape"]), fields["dtype"], whole)
