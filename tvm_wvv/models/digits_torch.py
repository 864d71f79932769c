"""The float half of the digits network, in torch: build it from the plain graph, train it, fold it, measure its ranges.

What leaves this file is NumPy: folded weights and activation ranges under the layers' names.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tvm_wvv.data.labelled import LabelledImages
from tvm_wvv.models.digits_graph import BODY, CLASSES, INPUT, INPUT_SHAPE, LOGITS, Add, Conv, same_padding
from tvm_wvv.models.digits_quantize import Range, Weights

_BATCH = 64
_PEAK_RATE = 0.01
_DECAY = 1e-3
_SMOOTHING = 0.1
_GREATEST_TURN = 0.2  # radians
_GREATEST_ZOOM = 0.12
_GREATEST_SHIFT = 0.15  # of half the image


class Network(nn.Module):
    """The body's convolutions with batch normalization, and the classifier, keyed by position in BODY."""

    def __init__(self) -> None:
        super().__init__()
        convs = [layer for layer in BODY if isinstance(layer, Conv)]
        # Module names may not hold the dots and slashes of layer names, so the two are kept side by side.
        self.names = [layer.name for layer in convs]
        self.convs = nn.ModuleList(
            nn.Conv2d(c.channels_in, c.channels_out, c.kernel, c.stride, bias=False) for c in convs
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(layer.channels_out) for layer in convs)
        self.classifier = nn.Linear(convs[-1].channels_out, CLASSES)

    def activations(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Every layer's output, and the logits, for NCHW images of pixel / 255."""
        values = {INPUT: images}
        for layer in BODY:
            if isinstance(layer, Add):
                values[layer.name] = functional.relu(values[layer.left] + values[layer.right])
            else:
                values[layer.name] = self._convolve(layer, values[layer.source])
        values[LOGITS] = self.classifier(values[BODY[-1].name].mean(dim=(2, 3)))
        return values

    def _convolve(self, layer: Conv, x: torch.Tensor) -> torch.Tensor:
        at = self.names.index(layer.name)
        before, after = same_padding(x.shape[2], layer.kernel, layer.stride)
        y = self.norms[at](self.convs[at](functional.pad(x, (before, after, before, after))))
        return functional.relu(y) if layer.relu else y

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.activations(images)[LOGITS]


def train(data: LabelledImages, epochs: int, seed: int, report: Callable[[str], None]) -> Network:
    """A trained network in evaluation mode; the same arguments give the same weights on one kind of processor."""
    # More threads would split the sums differently from machine to machine.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    network, labels = Network(), torch.from_numpy(data.labels)
    images = _nchw(data.images)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_PEAK_RATE, weight_decay=_DECAY)
    steps = epochs * (len(data) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _PEAK_RATE, total_steps=steps, pct_start=0.2)
    for epoch in range(epochs):
        total = 0.0
        # The last, short batch is left out: another one is short each time.
        for chosen in torch.randperm(len(data))[: len(data) // _BATCH * _BATCH].split(_BATCH):
            optimizer.zero_grad()
            logits = network(_distorted(images[chosen]))
            loss = functional.cross_entropy(logits, labels[chosen], label_smoothing=_SMOOTHING)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        report(f"epoch {epoch + 1}/{epochs}: loss {total / len(data):.4f}")
    return network.eval()


def _distorted(images: torch.Tensor) -> torch.Tensor:
    """Each image turned, scaled and shifted a little, as hands do."""
    turn, zoom, down, right = (torch.rand(4, len(images)) * 2 - 1).unbind()
    angle, scale = turn * _GREATEST_TURN, 1 + zoom * _GREATEST_ZOOM
    cos, sin = angle.cos() * scale, angle.sin() * scale
    rows = [torch.stack([cos, -sin, right * _GREATEST_SHIFT], 1), torch.stack([sin, cos, down * _GREATEST_SHIFT], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def _nchw(images: np.ndarray) -> torch.Tensor:
    assert images.shape[1:] == INPUT_SHAPE, f"images are {images.shape[1:]}, the network takes {INPUT_SHAPE}"
    return torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / 255)


def predict(network: Network, images: np.ndarray) -> np.ndarray:
    """The class of each image."""
    with torch.no_grad():
        return network(_nchw(images)).argmax(dim=1).numpy()


def activation_ranges(network: Network, images: np.ndarray) -> dict[str, Range]:
    """Least and greatest value of each layer and the logits over these images."""
    with torch.no_grad():
        values = network.activations(_nchw(images))
    return {name: (value.min().item(), value.max().item()) for name, value in values.items() if name != INPUT}


def folded(network: Network) -> dict[str, Weights]:
    """Weights with batch normalization folded in, OHWI, under their layers' names."""
    parts = {name: _fold(c, n) for name, c, n in zip(network.names, network.convs, network.norms, strict=True)}
    classifier = network.classifier
    return {**parts, LOGITS: Weights(_double(classifier.weight), _double(classifier.bias))}


def _fold(conv: nn.Module, norm: nn.Module) -> Weights:
    assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None, "the body's norms keep running means"
    assert norm.running_var is not None, "the body's norms keep running variances"
    gain = _double(norm.weight) / np.sqrt(_double(norm.running_var) + norm.eps)
    assert isinstance(conv, nn.Conv2d), "the body holds convolutions"
    weight = _double(conv.weight) * gain[:, None, None, None]
    return Weights(weight.transpose(0, 2, 3, 1), _double(norm.bias) - _double(norm.running_mean) * gain)


def _double(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy().astype(np.float64)
