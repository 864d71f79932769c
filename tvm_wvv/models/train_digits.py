"""Train the packaged digits network and write it as int8 TFLite: `python -m tvm_wvv.models.train_digits`.

Needs torch (`pip install torch`), which compiling and running do not. One seed gives one file on one kind of processor:
a single thread, deterministic kernels, all randomness from the seed (other vector units may sum in another order).
Progress goes to stderr; the held-out images are looked at once, at the end, and choose nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tvm_wvv.data import digits
from tvm_wvv.models import packaged
from tvm_wvv.models.digits_quantize import to_tflite

if TYPE_CHECKING:
    from tvm_wvv.models.digits_torch import Network

_EPOCHS = 60


def build(epochs: int, seed: int) -> bytes:
    """Train on the train split, calibrate on it too, and give the int8 model's bytes."""
    # torch is imported only from here on: the rest of the package runs without it.
    from tvm_wvv.models import digits_torch

    train = digits.load("train")
    network = digits_torch.train(train, epochs, seed, report=_progress)
    _progress(f"float accuracy on the held-out images: {_float_accuracy(network):.2f} %")
    return to_tflite(digits_torch.folded(network), digits_torch.activation_ranges(network, train.images))


def _float_accuracy(network: Network) -> float:
    from tvm_wvv.models import digits_torch

    test = digits.load("test")
    return 100 * float(np.mean(digits_torch.predict(network, test.images) == test.labels))


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """The command: where to write, how long to train, from which seed."""
    parser = argparse.ArgumentParser(prog="python -m tvm_wvv.models.train_digits", description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=packaged("digits"), help="default: the packaged model")
    parser.add_argument("--epochs", type=int, default=_EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    if chosen.epochs < 1:
        parser.error(f"--epochs is {chosen.epochs}, need at least 1")
    # What would fail after the training is said before it.
    if not chosen.output.parent.is_dir():
        parser.error(f"-o {chosen.output}: no folder {chosen.output.parent}; make it first")
    if importlib.util.find_spec("torch") is None:
        parser.error("training needs torch, which is not installed; pip install 'tvm_wvv[train]'")
    model = build(chosen.epochs, chosen.seed)
    chosen.output.write_bytes(model)
    _progress(f"{chosen.output}: {len(model)} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
