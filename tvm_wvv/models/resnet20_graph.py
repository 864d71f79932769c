"""ResNet-20 for CIFAR-10 as plain data: what the float network computes and what quantization writes as int8 TFLite.

He et al. 2015 with option-A shortcuts: a 3x3 stem, three stages of three residual blocks with 16, 32 and 64 channels,
mean over 8x8, a fully connected layer. A layer's name is its output tensor's name, and with dots for slashes the one
that its weights bear in the torch state dict.
"""

from __future__ import annotations

from dataclasses import dataclass

CLASSES = 10
INPUT = "image"
INPUT_SHAPE = (32, 32, 3)  # h, w, channels
FEATURE_SIDE = 8
KERNEL = 3
WIDTHS = (16, 32, 64)
BLOCKS = 3  # in each stage

# What the network was trained on is (pixel / 255 - mean) / deviation.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Conv:
    """A 3x3 convolution with batch normalization folded in, one pixel of zeros on every side, as torch pads.

    With stride 2 this is not TFLite's SAME, which pads an even side behind only.
    """

    name: str
    source: str
    channels_in: int
    channels_out: int
    stride: int = 1
    relu: bool = True


@dataclass(frozen=True)
class Shortcut:
    """Option A: every second pixel, and as many zero channels before as behind. No parameters."""

    name: str
    source: str
    channels_in: int
    channels_out: int

    @property
    def margin(self) -> int:
        """Zero channels on each side."""
        return (self.channels_out - self.channels_in) // 2


@dataclass(frozen=True)
class Add:
    """The sum of two layers, then ReLU."""

    name: str
    left: str
    right: str


Layer = Conv | Shortcut | Add


def _block(name: str, source: str, channels_in: int, channels_out: int) -> tuple[Layer, ...]:
    """One residual block; where the channels double, the image halves."""
    stride = channels_out // channels_in
    first = Conv(f"{name}/conv1", source, channels_in, channels_out, stride)
    second = Conv(f"{name}/conv2", first.name, channels_out, channels_out, relu=False)
    if stride == 1:
        return first, second, Add(f"{name}/add", second.name, source)
    shortcut = Shortcut(f"{name}/shortcut", source, channels_in, channels_out)
    return first, second, shortcut, Add(f"{name}/add", second.name, shortcut.name)


def _body() -> tuple[Layer, ...]:
    layers: list[Layer] = [Conv("conv1", INPUT, INPUT_SHAPE[2], WIDTHS[0])]
    channels = WIDTHS[0]
    for stage, width in enumerate(WIDTHS, start=1):
        for number in range(BLOCKS):
            layers += _block(f"layer{stage}/{number}", layers[-1].name, channels, width)
            channels = width
    return tuple(layers)


BODY = _body()
# After the body: average pool, reshape to a vector, fully connected. Arg-max needs no softmax.
POOL, VECTOR, LOGITS = "pool", "pool/vector", "linear"


def convolutions() -> tuple[Conv, ...]:
    """The nineteen layers with 3x3 weights, in order."""
    return tuple(layer for layer in BODY if isinstance(layer, Conv))
