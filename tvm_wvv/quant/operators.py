"""The integer operators of the graph as plain values: what a composite's attributes say, without its tensors.

Tensors are NHWC and int8, but for the float32 input of `Quantize` and output of `Dequantize` at the rim of a network; a
real number is ``scale * (q - zero_point)``. Scales hold float32 values exactly.
Constant tensors (filters OHWI, depthwise filters 1HWC, dense weights OI, biases int32) travel beside these values.
Each class carries `op`, the operator's name in reports and JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

Pair = tuple[int, int]
INT8_RANGE: Pair = (-128, 127)


@dataclass(frozen=True)
class Affine:
    """Quantization of one tensor: real = scale * (q - zero_point) (numerics.md, N1)."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class Window:
    """How a kernel window walks over the input. `padding` is (top, left, bottom, right); pairs are (h, w)."""

    strides: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True)
class Conv2d:
    """int8 convolution; `weight_scales` has one entry, or one for each output channel."""

    op: ClassVar[str] = "conv2d"
    input: Affine
    output: Affine
    weight_scales: tuple[float, ...]
    window: Window
    clamp: Pair = INT8_RANGE


@dataclass(frozen=True)
class DepthwiseConv2d:
    """Each input channel gives `multiplier` output channels; filters are (1, kh, kw, channels * multiplier)."""

    op: ClassVar[str] = "depthwise_conv2d"
    input: Affine
    output: Affine
    weight_scales: tuple[float, ...]
    window: Window
    multiplier: int
    clamp: Pair = INT8_RANGE


@dataclass(frozen=True)
class FullyConnected:
    """Rows of the input times (outputs, inputs) weights; the input is read as (-1, inputs)."""

    op: ClassVar[str] = "fully_connected"
    input: Affine
    output: Affine
    weight_scales: tuple[float, ...]
    clamp: Pair = INT8_RANGE


@dataclass(frozen=True)
class Add:
    """Elementwise sum with broadcasting, each operand brought to a common scale first."""

    op: ClassVar[str] = "add"
    lhs: Affine
    rhs: Affine
    output: Affine
    clamp: Pair = INT8_RANGE


@dataclass(frozen=True)
class Mul:
    """Elementwise product with broadcasting."""

    op: ClassVar[str] = "mul"
    lhs: Affine
    rhs: Affine
    output: Affine
    clamp: Pair = INT8_RANGE


@dataclass(frozen=True)
class AveragePool:
    """Mean over the part of each window that lies inside the input; the quantization stays as it is."""

    op: ClassVar[str] = "average_pool"
    size: Pair
    window: Window
    clamp: Pair = INT8_RANGE


@dataclass(frozen=True)
class MaxPool:
    """Greatest value of each window; padding never wins."""

    op: ClassVar[str] = "max_pool"
    size: Pair
    window: Window
    clamp: Pair = INT8_RANGE


@dataclass(frozen=True)
class Mean:
    """Mean over `axes` (non-negative, ascending)."""

    op: ClassVar[str] = "mean"
    input: Affine
    output: Affine
    axes: tuple[int, ...]
    keep_dims: bool


@dataclass(frozen=True)
class Pad:
    """`widths` holds (before, after) of each axis; `value` is the int8 value written there."""

    op: ClassVar[str] = "pad"
    widths: tuple[Pair, ...]
    value: int


@dataclass(frozen=True)
class Reshape:
    """The same bytes under another shape."""

    op: ClassVar[str] = "reshape"
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Concat:
    """Operands of one quantization laid one after the other along `axis` (non-negative)."""

    op: ClassVar[str] = "concat"
    axis: int
    clamp: Pair = INT8_RANGE


@dataclass(frozen=True)
class Softmax:
    """Over the last axis. The int8 output has scale 1/256 and zero point -128."""

    op: ClassVar[str] = "softmax"
    input: Affine
    output: Affine
    beta: float = 1.0


@dataclass(frozen=True)
class Requantize:
    """One int8 quantization to another (TFLite QUANTIZE of an int8 tensor)."""

    op: ClassVar[str] = "requantize"
    input: Affine
    output: Affine


@dataclass(frozen=True)
class Quantize:
    """float32 to int8: x / scale in float32, rounded with halves away from zero, moved by the zero point, clamped.

    Where the quotient does not fit int32 the reference's C++ is undefined, and on x86 both ends become one. Here such a
    number clamps by its sign, as it does on an Arm, and a NaN becomes -128.
    """

    op: ClassVar[str] = "quantize"
    output: Affine


@dataclass(frozen=True)
class Dequantize:
    """int8 to float32: scale * (q - zero_point), one rounding (numerics.md, N25)."""

    op: ClassVar[str] = "dequantize"
    input: Affine


@dataclass(frozen=True)
class Relu:
    """A stand-alone RELU, RELU6 or RELU_N1_TO_1: requantize, then clamp."""

    op: ClassVar[str] = "relu"
    input: Affine
    output: Affine
    clamp: Pair


@dataclass(frozen=True)
class Clip:
    """Clamp without change of quantization (MINIMUM and MAXIMUM against a constant)."""

    op: ClassVar[str] = "clip"
    clamp: Pair


Operator = (
    Conv2d | DepthwiseConv2d | FullyConnected | Add | Mul | AveragePool | MaxPool | Mean
    | Pad | Reshape | Concat | Softmax | Requantize | Quantize | Dequantize | Relu | Clip
)
