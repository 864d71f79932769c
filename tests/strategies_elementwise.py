"""Random single-operator models without weights: elementwise, pooling, mean, softmax, shape (see `strategies`)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from strategies import (
    ACTIVATIONS,
    Draw,
    Shape,
    SingleOp,
    activation_tensor,
    affines,
    images,
    kernels,
    output_shape,
    seeds,
    single,
    windows,
    zero_points,
)

from tvm_wvv.frontends.tflite_write import Tensor
from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.fixed_point import to_float32
from tvm_wvv.quant.parameters import activation_clamp

shapes = st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple)


@st.composite
def related(draw: Draw, source: ops.Affine) -> ops.Affine:
    """A quantization whose scale lies within a few octaves of `source`, often its very own."""
    if draw(st.integers(0, 3)) == 0:
        return source
    return ops.Affine(to_float32(source.scale * 2.0 ** draw(st.floats(-4, 4))), draw(zero_points))


@st.composite
def binary_models(draw: Draw) -> SingleOp:
    """ADD or MUL: equal shapes, or one operand with axes of 1 or fewer axes; the second may be a constant."""
    kind = draw(st.sampled_from(("ADD", "MUL")))
    full = draw(shapes)
    partial = tuple(draw(st.sampled_from((1, n))) for n in full)[draw(st.integers(0, len(full) - 1)) :]
    left, right = draw(st.sampled_from(((full, full), (full, partial), (partial, full))))
    lhs = draw(affines)
    rhs = draw(related(lhs))
    product = ops.Affine(to_float32(lhs.scale * rhs.scale * 100), 0) if kind == "MUL" else lhs
    output, activation = draw(related(product)), draw(st.sampled_from(ACTIVATIONS))
    constants: tuple[np.ndarray, ...] = ()
    if draw(st.booleans()):
        constants = (np.random.default_rng(draw(seeds)).integers(-128, 128, right, dtype=np.int8),)
    second = Tensor("rhs", right, "int8", constants[0] if constants else None, (rhs.scale,), (rhs.zero_point,))
    tensors = [activation_tensor("lhs", left, lhs), second, activation_tensor("output", full, output)]
    model = single(kind, tensors, ("lhs", "rhs"), activation=activation)
    clamp = activation_clamp(activation, output)
    value = ops.Add(lhs, rhs, output, clamp) if kind == "ADD" else ops.Mul(lhs, rhs, output, clamp)
    return SingleOp(model, value, (left,) if constants else (left, right), constants)


@st.composite
def requantize_models(draw: Draw) -> SingleOp:
    """QUANTIZE from int8 to int8."""
    source, shape = draw(affines), draw(shapes)
    output = draw(related(source))
    return SingleOp(_unary("QUANTIZE", shape, source, shape, output), ops.Requantize(source, output), (shape,))


@st.composite
def quantize_models(draw: Draw) -> SingleOp:
    """QUANTIZE from float32."""
    shape, output = draw(shapes), draw(affines)
    tensors = [Tensor("input", shape, "float32"), activation_tensor("output", shape, output)]
    return SingleOp(single("QUANTIZE", tensors, ("input",)), ops.Quantize(output), (shape,))


@st.composite
def dequantize_models(draw: Draw) -> SingleOp:
    """DEQUANTIZE to float32."""
    shape, source = draw(shapes), draw(affines)
    tensors = [activation_tensor("input", shape, source), Tensor("output", shape, "float32")]
    return SingleOp(single("DEQUANTIZE", tensors, ("input",)), ops.Dequantize(source), (shape,))


@st.composite
def relu_models(draw: Draw) -> SingleOp:
    """RELU, RELU6 and RELU_N1_TO_1 with a quantization of their own."""
    kind, source, shape = draw(st.sampled_from(ACTIVATIONS[1:])), draw(affines), draw(shapes)
    output = draw(related(source))
    op = ops.Relu(source, output, activation_clamp(kind, output))
    return SingleOp(_unary(kind, shape, source, shape, output), op, (shape,))


@st.composite
def clip_models(draw: Draw) -> SingleOp:
    """MINIMUM or MAXIMUM against a constant scalar."""
    least, affine, shape = draw(st.booleans()), draw(affines), draw(shapes)
    bound = draw(st.integers(-128, 127))
    constant = Tensor("bound", (1,), "int8", np.array([bound], np.int8), (affine.scale,), (affine.zero_point,))
    tensors = [activation_tensor("input", shape, affine), constant, activation_tensor("output", shape, affine)]
    model = single("MAXIMUM" if least else "MINIMUM", tensors, ("input", "bound"))
    return SingleOp(model, ops.Clip((bound, 127) if least else (-128, bound)), (shape,))


@st.composite
def pool_models(draw: Draw) -> SingleOp:
    """AVERAGE_POOL_2D or MAX_POOL_2D."""
    kind = draw(st.sampled_from(("AVERAGE_POOL_2D", "MAX_POOL_2D")))
    image, affine = draw(images()), draw(affines)
    size, padding = draw(kernels(image[1:3])), draw(st.sampled_from(("SAME", "VALID")))
    window, activation = draw(windows(image[1:3], size, padding, dilated=False)), draw(st.sampled_from(ACTIVATIONS))
    options = {"padding": padding, "strides": window.strides, "filter": size, "activation": activation}
    model = _unary(kind, image, affine, output_shape(image, size, window, image[3]), affine, **options)
    clamp = activation_clamp(activation, affine)
    value = ops.AveragePool(size, window, clamp) if kind == "AVERAGE_POOL_2D" else ops.MaxPool(size, window, clamp)
    return SingleOp(model, value, (image,))


@st.composite
def mean_models(draw: Draw) -> SingleOp:
    """MEAN over any axes, with the same or another quantization of the output."""
    shape, source, keep = draw(shapes), draw(affines), draw(st.booleans())
    axes = tuple(sorted(draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))))
    output = draw(related(source))
    kept = [(1,) if axis in axes and keep else () if axis in axes else (n,) for axis, n in enumerate(shape)]
    result = activation_tensor("output", sum(kept, ()), output)
    axis_tensor = Tensor("axes", (len(axes),), "int32", np.array(axes, np.int32))
    tensors = [activation_tensor("input", shape, source), axis_tensor, result]
    model = single("MEAN", tensors, ("input", "axes"), keep_dims=keep)
    return SingleOp(model, ops.Mean(source, output, axes, keep), (shape,))


@st.composite
def softmax_models(draw: Draw) -> SingleOp:
    """SOFTMAX with gentle and with steep inputs."""
    source, shape, beta = draw(affines), draw(shapes), draw(st.sampled_from((1.0, 0.5, 2.0, to_float32(0.1), 10.0)))
    output = ops.Affine(1 / 256, -128)
    model = _unary("SOFTMAX", shape, source, shape, output, beta=beta)
    return SingleOp(model, ops.Softmax(source, output, beta), (shape,))


@st.composite
def pad_models(draw: Draw) -> SingleOp:
    """PAD writes the zero point, PADV2 a value of its own."""
    shape, affine = draw(shapes), draw(affines)
    widths = tuple(draw(st.tuples(st.integers(0, 3), st.integers(0, 3))) for _ in shape)
    value = draw(st.one_of(st.none(), st.integers(-128, 127)))
    result = activation_tensor("output", tuple(n + sum(w) for n, w in zip(shape, widths, strict=True)), affine)
    margins = Tensor("widths", (len(shape), 2), "int32", np.array(widths, np.int32))
    tensors = [activation_tensor("input", shape, affine), margins]
    if value is None:
        model = single("PAD", [*tensors, result], ("input", "widths"))
        return SingleOp(model, ops.Pad(widths, affine.zero_point), (shape,))
    constant = Tensor("value", (1,), "int8", np.array([value], np.int8), (affine.scale,), (affine.zero_point,))
    model = single("PADV2", [*tensors, constant, result], ("input", "widths", "value"))
    return SingleOp(model, ops.Pad(widths, value), (shape,))


@st.composite
def reshape_models(draw: Draw) -> SingleOp:
    """RESHAPE to a permutation of the axes' lengths, or flat."""
    shape, affine = draw(shapes), draw(affines)
    target = draw(st.one_of(st.permutations(shape).map(tuple), st.just((int(np.prod(shape)),))))
    wanted = Tensor("shape", (len(target),), "int32", np.array(target, np.int32))
    tensors = [activation_tensor("input", shape, affine), wanted, activation_tensor("output", target, affine)]
    model = single("RESHAPE", tensors, ("input", "shape"), new_shape=target)
    return SingleOp(model, ops.Reshape(target), (shape,))


@st.composite
def concat_models(draw: Draw) -> SingleOp:
    """CONCATENATION of one to four operands of unequal length along one axis."""
    shape, affine = draw(shapes), draw(affines)
    axis = draw(st.integers(0, len(shape) - 1))
    lengths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    parts = [(*shape[:axis], n, *shape[axis + 1 :]) for n in lengths]
    tensors = [activation_tensor(f"part{i}", part, affine) for i, part in enumerate(parts)]
    result = activation_tensor("output", (*shape[:axis], sum(lengths), *shape[axis + 1 :]), affine)
    model = single("CONCATENATION", [*tensors, result], [one.name for one in tensors], axis=axis)
    return SingleOp(model, ops.Concat(axis), tuple(parts))


def _unary(kind: str, shape: Shape, source: ops.Affine, into: Shape, output: ops.Affine, **options: object) -> bytes:
    tensors = [activation_tensor("input", shape, source), activation_tensor("output", into, output)]
    return single(kind, tensors, ("input",), **options)


EVERY_OPERATOR_WITHOUT_WEIGHTS = {
    "binary": binary_models(),
    "requantize": requantize_models(),
    "quantize": quantize_models(),
    "dequantize": dequantize_models(),
    "relu": relu_models(),
    "clip": clip_models(),
    "pool": pool_models(),
    "mean": mean_models(),
    "softmax": softmax_models(),
    "pad": pad_models(),
    "reshape": reshape_models(),
    "concat": concat_models(),
}
