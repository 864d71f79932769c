"""A ResNet-20 state dict of random numbers, in NumPy: the network's shapes without its training."""

from __future__ import annotations

import numpy as np

from tvm_wvv.models.resnet20_graph import CLASSES, KERNEL, LOGITS, WIDTHS, convolutions


def random_state(seed: int = 5) -> dict[str, np.ndarray]:
    """Names and shapes as torch writes them; activations keep a size near one through all layers."""
    random = np.random.default_rng(seed)
    state = {
        f"{LOGITS}.weight": random.normal(size=(CLASSES, WIDTHS[-1])),
        f"{LOGITS}.bias": random.normal(size=CLASSES),
    }
    for layer in convolutions():
        name, outputs = layer.name.replace("/", "."), layer.channels_out
        fan_in = KERNEL * KERNEL * layer.channels_in
        norm = name.replace("conv", "bn")
        shape = (outputs, layer.channels_in, KERNEL, KERNEL)
        state |= {
            f"{name}.weight": random.normal(size=shape) / np.sqrt(fan_in),
            f"{norm}.weight": random.uniform(0.7, 1.3, outputs),
            f"{norm}.bias": random.normal(size=outputs) / 4,
            f"{norm}.running_mean": random.normal(size=outputs) / 4,
            f"{norm}.running_var": random.uniform(0.5, 2.0, outputs),
        }
    return state


def random_images(count: int, seed: int = 6) -> np.ndarray:
    """uint8 pixels, both ends of their range among them."""
    images = np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    images[0, :2] = 0
    images[0, -2:] = 255
    return images
