"""What a training step of ResNet-20 costs on this machine: processor seconds and peak memory, arm by arm.

    python -m tvm_wvv.models.resnet20_step --batch 64 direct:int8 f4:int8 f4c:int8

Weights and images are random, one thread. Arms take turns, each in a process of its own; the median of their steps is
given, and its ratio to the first arm's. Memory is the process's peak beyond what it held before its first step.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

from tvm_wvv.models.digits_quantize import Weights
from tvm_wvv.models.resnet20_graph import CLASSES, INPUT_SHAPE, KERNEL, LOGITS, WIDTHS, convolutions
from tvm_wvv.models.resnet20_torch import Network
from tvm_wvv.models.resnet20_train import FLOAT, Plan, winograd_of
from tvm_wvv.models.resnet20_weights import PIXEL_ZERO
from tvm_wvv.qat import fused
from tvm_wvv.qat.batches import Pictures, batch
from tvm_wvv.qat.layers import Scheme
from tvm_wvv.qat.train import Settings, stepper

_WARM_UP = 2


def main() -> None:
    """One JSON line an arm."""
    parser = argparse.ArgumentParser(description="Cost of a training step of ResNet-20, one thread.")
    parser.add_argument("arms", nargs="*", default=["direct:int8", "f4:int8", "f4c:int8"])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--no-fused", action="store_true")
    given = parser.parse_args()
    found = measured(given.arms, given.batch, given.steps, not given.no_fused)
    for arm, (seconds, megabytes) in zip(given.arms, found, strict=True):
        ratio = seconds / found[0][0]
        print(json.dumps({"arm": arm, "batch": given.batch, "fused": not given.no_fused, "ratio": round(ratio, 2),
                          "seconds": round(seconds, 3), "megabytes": round(megabytes)}))  # fmt: skip


def measured(arms: Sequence[str], size: int, steps: int, ours: bool) -> list[tuple[float, float]]:
    """(median processor seconds of a step, megabytes) of each arm."""
    # Spawned: a forked process has its parent's peak.
    context = multiprocessing.get_context("spawn")
    ends = [context.Pipe() for _ in arms]
    processes = [
        context.Process(target=_serve, args=(end, arm, size, ours), daemon=True)
        for (_, end), arm in zip(ends, arms, strict=True)
    ]
    for process in processes:
        process.start()
    times = [[_ask(mine) for mine, _ in ends] for _ in range(_WARM_UP + steps)][_WARM_UP:]
    last = [_ask(mine) for mine, _ in ends]
    for process in processes:
        process.terminate()
        process.join()
    return [(statistics.median(turn[i][0] for turn in times), last[i][1]) for i in range(len(arms))]


def _ask(end: Connection) -> tuple[float, float]:
    end.send(None)
    answer: tuple[float, float] = end.recv()
    return answer


def _serve(end: Connection, arm: str, size: int, ours: bool) -> None:
    """A step for each message."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images = torch.randint(0, 256, (size, *INPUT_SHAPE), dtype=torch.uint8)
    data = Pictures(images, torch.randint(0, CLASSES, (size,)), PIXEL_ZERO)
    settings = Settings(epochs=1, batch=size)
    weights = _random_weights()
    network, teacher = (Network(weights).to(memory_format=torch.channels_last) for _ in range(2))
    if arm != FLOAT:
        # Few images, so that calibration does not set the peak.
        winograd = winograd_of(Plan(Path(), (), arm, Scheme(), settings, Path()))
        network.quantize(data.real(images[:4]), winograd)
    fused.use(ours)
    step, before, number = stepper(network, teacher, settings), _peak_megabytes(), 0
    while True:
        end.recv()
        started = time.process_time()
        step(*batch(data, torch.arange(size), 0, 0, number))
        end.send((time.process_time() - started, _peak_megabytes() - before))
        number += 1


def _peak_megabytes() -> float:
    # Linux counts kilobytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def _random_weights() -> dict[str, Weights]:
    """Of a size that keeps activations near one."""
    random = np.random.default_rng(0)
    found = {
        layer.name: Weights(
            random.normal(size=(layer.channels_out, KERNEL, KERNEL, layer.channels_in))
            / np.sqrt(KERNEL * KERNEL * layer.channels_in),
            np.zeros(layer.channels_out),
        )
        for layer in convolutions()
    }
    return {**found, LOGITS: Weights(random.normal(size=(CLASSES, WIDTHS[-1])), np.zeros(CLASSES))}


if __name__ == "__main__":
    main()
