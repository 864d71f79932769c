"""Trained arms of one network as plain figures, read from the folders that `wvv train` leaves; and what they promise.

An arm is one way to quantize the network; all arms start from the same float weights and see the same images.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvm_wvv.errors import WvvError
from tvm_wvv.models.resnet20_folder import DIRECT, LOG, RESULT
from tvm_wvv.report.multiplications import NetworkShape, saving
from tvm_wvv.transforms.catalog import variant

EXACT = "f4c:exact"


@dataclass(frozen=True)
class Arm:
    """`scheme` and `settings` are those of `qat.layers` and `qat.train`, as `result.json` holds them.

    `untrained` and `trained` are top-1 in percent by test set, `exact` that of a direct arm compiled by `EXACT`. `log`
    has the loss by step.
    """

    name: str
    spec: str
    scheme: Mapping[str, Any]
    settings: Mapping[str, Any]
    steps: int
    untrained: Mapping[str, float]
    trained: Mapping[str, float]
    log: Sequence[Mapping[str, Any]] = ()
    exact: Mapping[str, float] | None = None
    flex: bool = False

    @property
    def winograd(self) -> bool:
        """Whether any layer is trained through a Winograd form."""
        return self.spec != DIRECT

    @property
    def title(self) -> str:
        """What is told apart in tables and figures."""
        if not self.winograd:
            return "direct int8"
        scales = {"tensor": "per tensor", "tap": "per tap", "tap_channel": "per tap and channel"}
        parts = [f"{self.spec} {scales[self.scheme['granularity']]}"]
        parts += ["flex"] if self.flex else []
        parts += [f"{self.scheme['u_bits']}-bit U and V"] if self.scheme["u_bits"] < 8 else []
        parts += ["powers of two"] if self.scheme["power_of_two"] else []
        return ", ".join(parts)

    @property
    def options(self) -> str:
        """Those of `wvv train` that make this arm."""
        parts = [f"--arm {self.spec}"]
        if self.winograd:
            parts.append(f"--granularity {self.scheme['granularity']}")
        parts += ["--flex"] if self.flex else []
        parts += [f"--operand-bits {self.scheme['u_bits']}"] if self.scheme["u_bits"] < 8 else []
        parts += ["--power-of-two"] if self.scheme["power_of_two"] else []
        return " ".join(parts)

    def saving(self, network: NetworkShape) -> float:
        """How many times fewer multiplications than direct the whole network has."""
        return saving(network, variant(self.spec).algorithm) if self.winograd else 1.0


def read_arm(folder: Path, accuracy: Mapping[str, Mapping[str, float]]) -> Arm:
    """The arm in `folder`; `accuracy` has `untrained` and `trained`."""
    found = _json(folder / RESULT)
    try:
        spec, *flex = found["arm"].split()
        return Arm(
            folder.name, spec, found["scheme"], found["settings"], found["steps"],
            accuracy["untrained"], accuracy["trained"], read_log(folder / LOG), accuracy.get("exact"),
            bool(flex),
        )  # fmt: skip
    except KeyError as error:
        raise WvvError(f"{folder / RESULT}: has no {error}: not written by wvv train") from error


def read_log(path: Path) -> tuple[dict[str, Any], ...]:
    """The lines of training's log; a last line cut off by a kill is left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise WvvError(f"{path}: cannot be read: {error.strerror or error}") from error
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            if number < len(lines):
                raise WvvError(f"{path}: line {number} is no JSON object") from error
    return tuple(found)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WvvError(f"{path}: cannot be read: {error}") from error
