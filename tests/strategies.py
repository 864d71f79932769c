"""Random single-operator models: the same operator as a `.tflite` file, as an operator value and as constants.

Every strategy draws a `SingleOp`, so oracle, kernels and whole flow can be fed the same models. Structure comes from
hypothesis (and shrinks); the bytes of weights and inputs come from a drawn seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model
from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.fixed_point import to_float32
from tvm_wvv.quant.parameters import activation_clamp
from tvm_wvv.reference.apply import apply

Shape = tuple[int, ...]
Draw = st.DrawFn
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")

seeds = st.integers(0, 2**32 - 1)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
zero_points = st.one_of(st.sampled_from((-128, 127, 0, -1)), st.integers(-128, 127))
scales = st.floats(-9, 1).map(lambda exponent: to_float32(2.0**exponent))
affines = st.builds(ops.Affine, scales, zero_points)


@dataclass(frozen=True)
class SingleOp:
    """`inputs` are the shapes of what is fed at run time; `constants` as `apply` takes them, or the second operand."""

    model: bytes = field(repr=False)
    op: ops.Operator
    inputs: tuple[Shape, ...]
    constants: tuple[np.ndarray, ...] = ()

    def oracle(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """What the NumPy oracle gives for one sample."""
        if isinstance(self.op, ops.Add | ops.Mul | ops.Clip):
            return apply(self.op, (*inputs, *self.constants))
        return apply(self.op, inputs, self.constants)

    def samples(self, seed: int, count: int = 4) -> tuple[np.ndarray, ...]:
        """`count` samples for each input: all least, all greatest, then random bytes with both ends among them."""
        rng = np.random.default_rng(seed)
        if isinstance(self.op, ops.Quantize):
            return tuple(real_block(rng, (count, *shape), self.op.output) for shape in self.inputs)
        return tuple(_sample_block(rng, shape, count) for shape in self.inputs)


def _sample_block(rng: np.random.Generator, shape: Shape, count: int) -> np.ndarray:
    block = rng.integers(-128, 128, (count, *shape), dtype=np.int8)
    block[0], block[1:2] = -128, 127
    block.reshape(count, -1)[2:, 0] = -128
    return block


def real_block(rng: np.random.Generator, shape: Shape, affine: ops.Affine) -> np.ndarray:
    """float32 numbers around a quantization's range, most of them on a half or beside it, first the greatest ones.

    Their quotients by the scale fit int32: beyond, TFLite's kernel is undefined C++.
    """
    halves = rng.integers(-600, 600, shape) / 2 - affine.zero_point
    block = (halves * affine.scale).astype(np.float32)
    beside = rng.integers(0, 4, shape)
    block = np.where(beside == 1, np.nextafter(block, np.float32(np.inf)), block)
    block = np.where(beside == 2, np.nextafter(block, np.float32(-np.inf)), block)
    flat = block.reshape(-1)
    extremes = np.array([2.0**30, -(2.0**30), -0.0, 1e-45], np.float32)
    extremes[:2] *= np.float32(affine.scale)
    flat[: len(extremes)] = extremes[: flat.size]
    return block


def activation_tensor(name: str, shape: Shape, affine: ops.Affine) -> Tensor:
    """An int8 tensor that is computed or fed."""
    return Tensor(name, shape, "int8", None, (affine.scale,), (affine.zero_point,))


def weight_tensor(data: np.ndarray, scales: tuple[float, ...], axis: int) -> Tensor:
    """int8 weights with zero points of 0, per tensor or along `axis`."""
    return Tensor("weights", data.shape, "int8", data, scales, (0,) * len(scales), axis)


def single(kind: str, tensors: Sequence[Tensor], names: Sequence[str | None], **options: object) -> bytes:
    """A model of one operator whose fed inputs are the tensors without data; the last tensor is the output."""
    fed = [one.name for one in tensors[:-1] if one.data is None]
    output = tensors[-1].name
    return write_model(tensors, [Operator(kind, tuple(names), (output,), options)], fed, [output])


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """TFLite's SAME: the output covers ceil(size / stride) positions, an odd margin has its extra row at the end."""
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


@st.composite
def windows(
    draw: Draw, size: Shape, kernel: ops.Pair, padding: str, strided: bool = True, dilated: bool = True
) -> ops.Window:
    """A window that fits an image of `size`: without padding, its dilation is such that it lies inside."""
    strides, dilation = draw(pairs) if strided else (1, 1), draw(pairs) if dilated else (1, 1)
    if padding == "VALID":
        room = [(n - 1) // max(k - 1, 1) for n, k in zip(size, kernel, strict=True)]
        return ops.Window(strides, (min(dilation[0], room[0]), min(dilation[1], room[1])))
    ends = [same_padding(*axis) for axis in zip(size, kernel, strides, dilation, strict=True)]
    (top, bottom), (left, right) = ends
    return ops.Window(strides, dilation, (top, left, bottom, right))


@st.composite
def images(draw: Draw, largest: int = 11, channels: int = 5) -> Shape:
    """NHWC shapes from (1, 3, 3, 1) on, most of them neither square nor even."""
    height, width = draw(st.integers(3, largest)), draw(st.integers(3, largest))
    return draw(st.integers(1, 2)), height, width, draw(st.integers(1, channels))


@st.composite
def kernels(draw: Draw, size: Shape) -> ops.Pair:
    """Kernel sizes up to 5 that fit into an image of `size`."""
    return draw(st.integers(1, min(5, size[0]))), draw(st.integers(1, min(5, size[1])))


def output_shape(image: Shape, kernel: ops.Pair, window: ops.Window, channels: int) -> Shape:
    """NHWC shape of what a window gives."""
    top, left, bottom, right = window.padding
    padded = image[1] + top + bottom, image[2] + left + right
    axes = zip(padded, kernel, window.strides, window.dilation, strict=True)
    height, width = ((n - (k - 1) * d - 1) // s + 1 for n, k, s, d in axes)
    return image[0], height, width, channels


@st.composite
def layers(draw: Draw, rng: np.random.Generator, data: np.ndarray, outputs: int, axis: int, biased: bool) -> tuple:
    """(input, output, weight scales, bias or None, tensors of weights and bias, activation) of a layer with weights.

    The output scale lets the sums of random inputs fill the int8 range once or a few times, so that both rounding and
    clamping show. Without `biased` the bias may be missing.
    """
    source = draw(affines)
    base, channels = draw(scales), outputs if draw(st.booleans()) else 1
    weights = tuple(to_float32(base * factor) for factor in rng.uniform(0.3, 1.7, channels))
    taps = data.size / outputs
    spread = 40 * taps**0.5 * 2.0 ** draw(st.floats(-3, 3))
    output = ops.Affine(to_float32(source.scale * base * spread), draw(zero_points))
    bias = rng.integers(-20000, 20000, outputs, dtype=np.int32) if biased or draw(st.booleans()) else None
    tensors = [weight_tensor(data, weights, axis if channels > 1 else 0)]
    if bias is not None:
        bias_scales = tuple(to_float32(source.scale * one) for one in weights)
        tensors.append(Tensor("bias", bias.shape, "int32", bias, bias_scales, (0,) * len(bias_scales)))
    return source, output, weights, bias, tensors, draw(st.sampled_from(ACTIVATIONS))


@st.composite
def conv_models(draw: Draw, kernel: ops.Pair | None = None, dense: bool = False, grouped: bool = False) -> SingleOp:
    """CONV_2D: any stride, dilation, padding, weight scales, activation; `grouped` draws groups as well.

    A `dense` one has neither stride nor dilation. There is always a bias: TFLite's int8 kernel refuses a convolution
    without one.
    """
    rng = np.random.default_rng(draw(seeds))
    image, groups = draw(images()), draw(st.integers(1, 3)) if grouped else 1
    size = kernel or draw(kernels(image[1:3]))
    outputs = groups * draw(st.integers(1, 4))
    data = rng.integers(-128, 128, (outputs, *size, image[3]), dtype=np.int8)
    image = (*image[:3], image[3] * groups)
    source, output, weights, bias, tensors, activation = draw(layers(rng, data, outputs, 0, biased=True))
    padding = draw(st.sampled_from(("SAME", "VALID")))
    window = draw(windows(image[1:3], size, padding, strided=not dense, dilated=not dense))
    op = ops.Conv2d(source, output, weights, window, activation_clamp(activation, output))
    result = activation_tensor("output", output_shape(image, size, window, outputs), output)
    model = single(
        "CONV_2D", [activation_tensor("input", image, source), *tensors, result], _names(bias), padding=padding,
        strides=window.strides, dilation=window.dilation, activation=activation,
    )  # fmt: skip
    return SingleOp(model, op, (image,), (data, bias))


@st.composite
def depthwise_models(draw: Draw) -> SingleOp:
    """DEPTHWISE_CONV_2D with multipliers 1 to 3."""
    rng = np.random.default_rng(draw(seeds))
    image, multiplier = draw(images()), draw(st.integers(1, 3))
    size, outputs = draw(kernels(image[1:3])), image[3] * multiplier
    data = rng.integers(-128, 128, (1, *size, outputs), dtype=np.int8)
    source, output, weights, bias, tensors, activation = draw(layers(rng, data, outputs, 3, biased=False))
    padding = draw(st.sampled_from(("SAME", "VALID")))
    window = draw(windows(image[1:3], size, padding))
    op = ops.DepthwiseConv2d(source, output, weights, window, multiplier, activation_clamp(activation, output))
    result = activation_tensor("output", output_shape(image, size, window, outputs), output)
    model = single(
        "DEPTHWISE_CONV_2D", [activation_tensor("input", image, source), *tensors, result], _names(bias),
        padding=padding, strides=window.strides, dilation=window.dilation, activation=activation,
        depth_multiplier=multiplier,
    )  # fmt: skip
    return SingleOp(model, op, (image,), (data,) if bias is None else (data, bias))


@st.composite
def dense_models(draw: Draw) -> SingleOp:
    """FULLY_CONNECTED on rows or on whole images."""
    rng = np.random.default_rng(draw(seeds))
    image, outputs = draw(images(5)), draw(st.integers(1, 7))
    shape = image if draw(st.booleans()) else (image[0], int(np.prod(image[1:])))
    data = rng.integers(-128, 128, (outputs, int(np.prod(shape[1:]))), dtype=np.int8)
    source, output, weights, bias, tensors, activation = draw(layers(rng, data, outputs, 0, biased=False))
    op = ops.FullyConnected(source, output, weights, activation_clamp(activation, output))
    result = activation_tensor("output", (shape[0], outputs), output)
    fed = activation_tensor("input", shape, source)
    model = single("FULLY_CONNECTED", [fed, *tensors, result], _names(bias, keep=True), activation=activation)
    return SingleOp(model, op, (shape,), (data,) if bias is None else (data, bias))


def _names(bias: np.ndarray | None, keep: bool = False) -> tuple[str | None, ...]:
    # A dense layer without bias keeps an empty third place; a convolution has only two inputs then.
    if bias is None:
        return ("input", "weights", None) if keep else ("input", "weights")
    return "input", "weights", "bias"
