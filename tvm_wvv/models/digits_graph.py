"""The digits network as plain data: what training builds in torch, and quantization writes as int8 TFLite.

A residual network on 16x16x1 pixels: a 3x3 stem, three residual blocks (the second halves the image and doubles the
channels, with a 1x1 shortcut), mean over 8x8, a fully connected layer. A layer's name is its output tensor's name.
"""

from __future__ import annotations

from dataclasses import dataclass

CLASSES = 10
INPUT = "image"
INPUT_SHAPE = (16, 16, 1)  # h, w, channels
FEATURE_SIDE = 8  # the pool takes the mean over all of an 8x8 image


@dataclass(frozen=True)
class Conv:
    """A square SAME convolution with batch normalization folded into weights and bias."""

    name: str
    source: str
    channels_in: int
    channels_out: int
    kernel: int = 3
    stride: int = 1
    relu: bool = True


@dataclass(frozen=True)
class Add:
    """The sum of two layers, then ReLU."""

    name: str
    left: str
    right: str


Layer = Conv | Add

BODY: tuple[Layer, ...] = (
    Conv("stem/conv", INPUT, 1, 16),
    Conv("block1/conv1", "stem/conv", 16, 16),
    Conv("block1/conv2", "block1/conv1", 16, 16, relu=False),
    Add("block1/add", "block1/conv2", "stem/conv"),
    Conv("block2/conv1", "block1/add", 16, 32, stride=2),
    Conv("block2/conv2", "block2/conv1", 32, 32, relu=False),
    Conv("block2/shortcut", "block1/add", 16, 32, kernel=1, stride=2, relu=False),
    Add("block2/add", "block2/conv2", "block2/shortcut"),
    Conv("block3/conv1", "block2/add", 32, 32),
    Conv("block3/conv2", "block3/conv1", 32, 32, relu=False),
    Add("block3/add", "block3/conv2", "block2/add"),
)

# After the body: average pool, reshape to a vector, fully connected, softmax.
POOL, VECTOR, LOGITS, PROBABILITIES = "pool", "pool/vector", "logits", "probabilities"


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """TFLite's SAME padding of one axis, (before, after): the odd entry goes behind, unlike torch's `padding=1`."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2
