"""From an operator to a call of CMSIS-NN, or the reason why there is none: a decision on plain data.

CMSIS-NN follows TFLite's reference kernels, so where a function exists it gives the same bytes: the multipliers are
those of `quant.parameters`, each channel with its own. Filters keep TFLite's order.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from tvm_wvv.kernels.kernel import Shape
from tvm_wvv.kernels.library_call import LibraryCall, Shim
from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.parameters import add_parameters, conv_multipliers, dense_multipliers, mul_multiplier
from tvm_wvv.quant.requantize import per_channel
from tvm_wvv.quant.softmax import softmax_parameters

SHIM = Shim("wvv_cmsis_nn_", "wvv_cmsis_nn.h")

# What the source file of each operator in deploy/cmsis_nn calls.
FUNCTIONS: dict[str, tuple[str, ...]] = {
    "conv2d": ("arm_convolve_wrapper_s8", "arm_convolve_wrapper_s8_get_buffer_size"),
    "depthwise_conv2d": ("arm_depthwise_conv_wrapper_s8", "arm_depthwise_conv_wrapper_s8_get_buffer_size"),
    "fully_connected": ("arm_fully_connected_s8", "arm_fully_connected_s8_get_buffer_size"),
    "average_pool": ("arm_avgpool_s8", "arm_avgpool_s8_get_buffer_size"),
    "max_pool": ("arm_max_pool_s8",),
    "add": ("arm_elementwise_add_s8",),
    "mul": ("arm_elementwise_mul_s8",),
    "softmax": ("arm_softmax_s8",),
    "pad": ("arm_pad_s8",),
    "concat": ("arm_concatenation_s8_x",),
}
_AXES = 4  # of a tensor of the library
_MOST = 2**16 - 1  # that its concatenation counts to


def library_call(
    op: ops.Operator, shapes: Sequence[Shape], output: Shape, constants: Sequence[np.ndarray], known: Collection[str]
) -> LibraryCall | str:
    """The call for `op` on inputs of `shapes`; `known` are the functions that the library has.

    A str is the reason why there is none.
    """
    if op.op not in FUNCTIONS:
        return f"CMSIS-NN is called for {', '.join(FUNCTIONS)}"
    missing = [name for name in FUNCTIONS[op.op] if name not in known]
    if missing:
        return f"this copy of CMSIS-NN has no {missing[0]}"
    match op:
        case ops.Conv2d() | ops.DepthwiseConv2d():
            return _convolution(op, shapes[0], output, constants)
        case ops.FullyConnected():
            return _dense(op, shapes[0], output, constants)
        case ops.AveragePool() | ops.MaxPool():
            return _pool(op, shapes[0], output)
        case ops.Add() | ops.Mul():
            return _elementwise(op, shapes, output)
        case ops.Softmax():
            return _softmax(op, shapes[0], output)
        case ops.Pad():
            return _pad(op, shapes[0], output)
        case ops.Concat():
            return _concat(op, shapes, output)
    raise TypeError(f"{type(op).__name__} is in the table of functions, but nothing makes its call")


def _convolution(
    op: ops.Conv2d | ops.DepthwiseConv2d, x: Shape, output: Shape, constants: Sequence[np.ndarray]
) -> LibraryCall | str:
    weights = constants[0]
    if isinstance(op, ops.Conv2d) and weights.shape[3] != x[3]:
        return f"{x[3] // weights.shape[3]} groups, CMSIS-NN's convolution has 1"
    own = conv_multipliers(op)
    mantissas, shifts = per_channel(own if len(own) > 1 else own * output[3])
    multiplier = op.multiplier if isinstance(op, ops.DepthwiseConv2d) else 1
    parameters = (
        *_window(x, output, weights.shape[1:3], op.window, op.clamp), *op.window.dilation,
        -op.input.zero_point, op.output.zero_point, multiplier,
    )  # fmt: skip
    named = {"weights": weights, "bias": _bias(constants, output[3]), "mantissas": mantissas, "shifts": shifts}
    return LibraryCall(op.op, (x,), output, parameters, tuple(named.items()))


def _dense(op: ops.FullyConnected, x: Shape, output: Shape, constants: Sequence[np.ndarray]) -> LibraryCall | str:
    if len(op.weight_scales) > 1:
        return "weights have a scale for each output, arm_fully_connected_s8 takes one"
    outputs, inputs = constants[0].shape
    (own,) = dense_multipliers(op)
    parameters = (
        math.prod(x) // inputs, inputs, outputs, -op.input.zero_point, op.output.zero_point, own.mantissa, own.shift,
        *op.clamp,
    )  # fmt: skip
    named = {"weights": constants[0], "bias": _bias(constants, outputs)}
    return LibraryCall(op.op, (x,), output, parameters, tuple(named.items()))


def _pool(op: ops.AveragePool | ops.MaxPool, x: Shape, output: Shape) -> LibraryCall | str:
    if x[0] != 1:
        # Version 4 reads no batch, later ones do.
        return f"batch of {x[0]}, need 1"
    if op.window.dilation != (1, 1):
        return f"dilation is {op.window.dilation}, need (1, 1)"
    return LibraryCall(op.op, (x,), output, _window(x, output, op.size, op.window, op.clamp))


def _elementwise(op: ops.Add | ops.Mul, shapes: Sequence[Shape], output: Shape) -> LibraryCall | str:
    if any(shape != output for shape in shapes):
        return f"operands of {' and '.join(map(str, shapes))}, need one shape"
    if isinstance(op, ops.Add):
        use = add_parameters(op)
        sides, left, result = (use.lhs, use.rhs), use.left_shift, use.output
        (lhs, rhs) = ((one.mantissa, one.shift) for one in sides)
    else:
        lhs, rhs, left, result = (0, 0), (0, 0), 0, mul_multiplier(op)
    parameters = (
        math.prod(output), -op.lhs.zero_point, *lhs, -op.rhs.zero_point, *rhs, left,
        op.output.zero_point, result.mantissa, result.shift, *op.clamp,
    )  # fmt: skip
    return LibraryCall(op.op, tuple(shapes), output, parameters)


def _softmax(op: ops.Softmax, x: Shape, output: Shape) -> LibraryCall:
    use = softmax_parameters(op)
    parameters = (math.prod(x[:-1]), x[-1], use.scale.mantissa, use.scale.shift, use.least)
    return LibraryCall(op.op, (x,), output, parameters)


def _pad(op: ops.Pad, x: Shape, output: Shape) -> LibraryCall | str:
    if len(x) > _AXES:
        return f"{len(x)} axes, arm_pad_s8 has {_AXES}"
    more = _AXES - len(x)
    before, after = ([0] * more + [width[side] for width in op.widths] for side in (0, 1))
    return LibraryCall(op.op, (x,), output, (op.value, *([1] * more), *x, *before, *after))


def _concat(op: ops.Concat, shapes: Sequence[Shape], output: Shape) -> LibraryCall | str:
    if len(shapes) != 2:
        return f"{len(shapes)} operands, the call takes 2"
    if op.clamp != ops.INT8_RANGE:
        return "a fused activation, CMSIS-NN's concatenation has none"
    rows, (lhs, rhs) = math.prod(output[: op.axis]), (math.prod(shape[op.axis :]) for shape in shapes)
    if max(rows, lhs + rhs) > _MOST:
        return f"{max(rows, lhs + rhs)} bytes or rows, arm_concatenation_s8_x counts to {_MOST}"
    return LibraryCall(op.op, tuple(shapes), output, (rows, lhs, rhs))


def _window(x: Shape, output: Shape, kernel: Sequence[int], window: ops.Window, clamp: ops.Pair) -> tuple[int, ...]:
    """The fields of `struct wvv_cmsis_nn_window`."""
    return (*x, *output[1:], *kernel, *window.strides, *window.padding[:2], *clamp)


def _bias(constants: Sequence[np.ndarray], outputs: int) -> np.ndarray:
    return constants[1] if len(constants) > 1 else np.zeros(outputs, np.int32)
