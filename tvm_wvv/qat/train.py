"""The training loop: a quantized network learns from labels and from the float network it came from.

Everything random follows from (seed, epoch, step), and a checkpoint holds all else that a step depends on: training
that was killed and resumed ends in the same weights as an unbroken run, on the same machine, where its length is given
in epochs. A length in minutes follows the clock.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tvm_wvv.errors import WvvError
from tvm_wvv.qat.batches import Pictures, batch, order
from tvm_wvv.qat.checkpoint import NAME, load_checkpoint, save_checkpoint

Log = Callable[[dict[str, Any]], None]
_LOOK_EVERY = 50  # steps between two looks at the loss: each one waits for the device
_WARM_UP = 0.03  # of the whole training
_GRAPH_AFTER = 3  # eager steps before a step is recorded as a CUDA graph


@dataclass(frozen=True)
class Settings:
    """One of `epochs` and `minutes` is 0. `scale_rate` is the rate of scales, in octaves. `taught` is the share of the
    loss that the float network's answers have; `temperature` softens them.
    """

    epochs: int = 0
    minutes: float = 0.0
    batch: int = 256
    rate: float = 1e-3
    scale_rate: float = 3e-3
    seed: int = 0
    taught: float = 0.7
    temperature: float = 2.0


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """Training ended early, as asked, behind step `args[0]`; the checkpoint is of that step."""


@dataclass(frozen=True)
class Watch:
    """What goes on beside training. `step` gets the share that is done and the number of the step after each one;
    `measure` is asked every `every` epochs, and what it gives is logged; `stopping` says whether to end here.
    """

    step: Callable[[float, int], None] = lambda _done, _step: None
    stopping: Callable[[], bool] = lambda: False
    every: int = 0
    measure: Callable[[], Any] = lambda: None


@dataclass
class _Clock:
    """Where training stands: the next step, and the seconds spent before and in this process."""

    step: int
    spent_s: float
    started: float

    def elapsed_s(self) -> float:
        return self.spent_s + time.monotonic() - self.started


def train(
    network: nn.Module,
    teacher: nn.Module,
    data: Pictures,
    settings: Settings,
    folder: Path,
    log: Log,
    about: Mapping[str, Any] | None = None,
    save_s: float = 60,
    recorded: bool = True,
    watch: Watch | None = None,
) -> int:
    """Train in place and give the number of steps; goes on from the checkpoint in `folder` where there is one.

    `about` says what is trained; a checkpoint that was made of something else is refused. Stopped is raised where
    `watch` asks for it, behind a step and a checkpoint.
    """
    watch = watch or Watch()
    described = {**(about or {}), **asdict(settings)}
    optimizer = _optimizer(network, settings)
    clock = _Clock(0, 0.0, time.monotonic())
    kept = load_checkpoint(folder, described)
    if kept is not None:
        _restore(network, optimizer, kept, folder)
        clock.step, clock.spent_s = kept["step"], kept["spent_s"]
    per_epoch = len(data) // settings.batch
    if per_epoch == 0:
        raise WvvError(f"{len(data)} images are less than one batch of {settings.batch}: take a smaller --batch")
    step = _Step(network, teacher, optimizer, settings, recorded)
    saved = time.monotonic()

    def keep() -> None:
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
        save_checkpoint(folder, {**state, "step": clock.step, "spent_s": clock.elapsed_s(), "settings": described})

    loss = None
    for chosen, epoch, number in _batches(len(data), per_epoch, settings, clock.step):
        done = _progress(settings, clock, per_epoch)
        if done >= 1:
            break
        _set_rates(optimizer, _rate_at(done))
        loss = step(*batch(data, chosen, settings.seed, epoch, number))
        clock.step += 1
        watch.step(min(1.0, _progress(settings, clock, per_epoch)), clock.step)
        if clock.step % _LOOK_EVERY == 0:
            _check(loss, clock.step, folder)
            log({"step": clock.step, "epoch": round(clock.step / per_epoch, 3), "loss": round(loss.item(), 5),
                 "rate": _rate_at(done) * settings.rate, "seconds": round(clock.elapsed_s(), 1)})  # fmt: skip
        if watch.stopping() or time.monotonic() - saved > save_s:
            _check(loss, clock.step, folder)
            keep()
            saved = time.monotonic()
        if watch.stopping():
            raise Stopped(clock.step)
        if watch.every and clock.step % (watch.every * per_epoch) == 0:
            log({"step": clock.step, "epoch": clock.step // per_epoch, "tests": watch.measure()})
    if loss is not None:
        _check(loss, clock.step, folder)
    keep()
    return clock.step


def _restore(network: nn.Module, optimizer: torch.optim.Optimizer, kept: Mapping[str, Any], folder: Path) -> None:
    try:
        network.load_state_dict(kept["network"])
        optimizer.load_state_dict(kept["optimizer"])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WvvError(f"{folder / NAME}: of another network ({reason}): take another -o") from error
    for group in optimizer.param_groups:
        # Loaded on the CPU, a rate would be a constant of the recorded graph.
        group["lr"] = group["lr"].to(group["params"][0].device)


def _batches(count: int, per_epoch: int, settings: Settings, first: int) -> Iterator[tuple[Tensor, int, int]]:
    """(images, epoch, step of the epoch) without end, from step `first` on; the short batch at the end is left out."""
    epoch, skipped = divmod(first, per_epoch)
    while True:
        parts = order(count, settings.seed, epoch)[: per_epoch * settings.batch].split(settings.batch)
        for number in range(skipped, per_epoch):
            yield parts[number], epoch, number
        epoch, skipped = epoch + 1, 0


def _progress(settings: Settings, clock: _Clock, per_epoch: int) -> float:
    """The share of training that is done."""
    if settings.epochs:
        return clock.step / (settings.epochs * per_epoch)
    return clock.elapsed_s() / (60 * settings.minutes)


def _rate_at(done: float) -> float:
    """Rising for a moment, then half a cosine down to zero."""
    return min(1.0, done / _WARM_UP + 0.01) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def _optimizer(network: nn.Module, settings: Settings) -> torch.optim.Adam:
    scales = {id(one) for name, one in network.named_parameters() if name.endswith("log2")}
    learned = [one for one in network.parameters() if one.requires_grad]
    device = learned[0].device
    groups = [
        {"params": [one for one in learned if id(one) not in scales], "lr": torch.tensor(0.0), "peak": settings.rate},
        {"params": [one for one in learned if id(one) in scales], "lr": torch.tensor(0.0), "peak": settings.scale_rate},
    ]
    # A rate that is a tensor on the device can change within a recorded graph.
    groups = [{**group, "lr": group["lr"].to(device)} for group in groups if group["params"]]
    return torch.optim.Adam(groups, capturable=device.type == "cuda", foreach=device.type == "cuda")


def _set_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    for group in optimizer.param_groups:
        group["lr"].fill_(group["peak"] * factor)


def _check(loss: Tensor, step: int, folder: Path) -> None:
    if not math.isfinite(loss.item()):
        raise WvvError(
            f"step {step}: the loss is {loss.item()}; the last checkpoint in {folder} is from before: lower --rate"
        )


class _Step:
    """One step of the optimizer; on a GPU recorded once and replayed, since launching its kernels takes longer than
    running them.
    """

    def __init__(
        self,
        network: nn.Module,
        teacher: nn.Module,
        optimizer: torch.optim.Optimizer,
        settings: Settings,
        recorded: bool,
    ) -> None:
        self._network, self._teacher, self._optimizer, self._settings = network, teacher.eval(), optimizer, settings
        self._graph: torch.cuda.CUDAGraph | None = None
        self._recorded, self._count = recorded, 0

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        if images.device.type != "cuda" or not self._recorded:
            return self._eager(images, labels)
        if self._graph is None and self._count < _GRAPH_AFTER:
            self._count += 1
            return self._aside(images, labels)
        if self._graph is None:
            return self._record(images, labels)
        self._images.copy_(images)
        self._labels.copy_(labels)
        self._graph.replay()
        return self._loss

    def _eager(self, images: Tensor, labels: Tensor) -> Tensor:
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._loss_of(images, labels)
        loss.backward()
        self._optimizer.step()
        return loss.detach()

    def _aside(self, images: Tensor, labels: Tensor) -> Tensor:
        """On a stream of its own, as recording asks of the steps before it."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            loss = self._eager(images, labels)
        torch.cuda.current_stream().wait_stream(stream)
        return loss

    def _record(self, images: Tensor, labels: Tensor) -> Tensor:
        self._images, self._labels = images.clone(memory_format=torch.preserve_format), labels.clone()
        self._optimizer.zero_grad(set_to_none=True)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._loss = self._loss_of(self._images, self._labels)
            self._loss.backward()
            self._optimizer.step()
        # Recording runs nothing.
        self._graph.replay()
        return self._loss

    def _loss_of(self, images: Tensor, labels: Tensor) -> Tensor:
        logits, heat, taught = self._network(images), self._settings.temperature, self._settings.taught
        with torch.no_grad():
            wanted = functional.softmax(self._teacher(images) / heat, dim=1)
        by_label = functional.cross_entropy(logits, labels)
        by_teacher = functional.kl_div(functional.log_softmax(logits / heat, dim=1), wanted, reduction="batchmean")
        return (1 - taught) * by_label + taught * heat**2 * by_teacher


def stepper(network: nn.Module, teacher: nn.Module, settings: Settings) -> Callable[[Tensor, Tensor], Tensor]:
    """A step of training at the full rate, from images and labels to the loss, for who wants to measure it."""
    optimizer = _optimizer(network, settings)
    _set_rates(optimizer, 1.0)
    return _Step(network, teacher, optimizer, settings, recorded=False)


@torch.no_grad()
def classes(network: nn.Module, data: Pictures, batch_size: int = 500) -> Tensor:
    """The class of each image."""
    parts = data.images.split(batch_size)
    return torch.cat([network(data.real(part)).argmax(1) for part in parts])
