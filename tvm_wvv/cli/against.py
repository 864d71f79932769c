"""`wvv profile --against cmsis-nn`: what the same network costs where a library computes it.

Every layer is direct there, and those that the library lacks are ours in both. So a ratio is that of two whole layers,
requantization included, on one board and by one compiler.
"""

from __future__ import annotations

from dataclasses import replace

from tvm_wvv.cli.measure import profile
from tvm_wvv.errors import WvvError
from tvm_wvv.micro.cmsis_nn_copy import find_copy
from tvm_wvv.micro.progress import Progress
from tvm_wvv.micro.session import Session
from tvm_wvv.report.figures import Baseline, BaselineLayer, BaselineTotals

NAME = "cmsis-nn"


def check_against(name: str, session: Session) -> None:
    """Refuses, before any long work, what cannot be compared."""
    if name != NAME:
        raise WvvError(f"--against {name}: {name!r} is unknown; supported: {NAME}")
    if session.is_compiled:
        raise WvvError(f"{session.path}: is compiled already, too late for --against {NAME}; name its .tflite instead")
    find_copy(session.options.cmsis_nn)


def baseline(session: Session, board: str, progress: Progress) -> Baseline:
    """Counts of the session's model by CMSIS-NN."""
    options = replace(session.options, winograd="off", layers=(), recipe=None, direct="cmsis-nn")
    counted = profile(replace(session, options=options), board, progress)
    return Baseline(
        name=NAME,
        version=find_copy(options.cmsis_nn).version,
        layers=tuple(BaselineLayer(layer.name, layer.instructions, layer.backend) for layer in counted.layers),
        totals=BaselineTotals(counted.totals.instructions),
    )
