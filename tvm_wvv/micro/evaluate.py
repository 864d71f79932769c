"""Accuracy of a network on labelled images, and its fidelity to the reference kernels."""

from __future__ import annotations

from collections.abc import Sequence

from tvm_wvv.data import images
from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.progress import Progress
from tvm_wvv.micro.runners import OnReference
from tvm_wvv.micro.session import Session
from tvm_wvv.report.score import Score, score


def evaluate(session: Session, board: str, data: str, limit: int | None, progress: Progress) -> Score:
    """Run the images that `data` names through the network on `board` and through the reference kernels."""
    found = images.load(data, limit)  # first, because a wrong name is found out sooner than the network is compiled
    runner = session.runner(board)
    info = _the_one(runner.inputs, "input", "an image")
    _the_one(runner.outputs, "output", "a score for each class")
    if info.affine is None:
        raise WvvError(f"input {info.name}: is not quantized, need an int8 input for images")
    samples = images.to_input(found.images, info.shape, info.affine.scale, info.affine.zero_point)
    inputs = (samples.reshape(len(found), *info.shape),)
    (outputs,) = runner.run(inputs, progress)
    if isinstance(runner, OnReference):
        return score(outputs, found.labels, outputs)
    reference = session.reference()
    golden = None if reference is None else reference.run(inputs, progress)[0]
    return score(outputs, found.labels, golden)


def _the_one(infos: Sequence[TensorInfo], kind: str, what: str) -> TensorInfo:
    if len(infos) != 1:
        raise WvvError(f"the model has {len(infos)} {kind}s, eval needs one with {what}")
    return infos[0]
