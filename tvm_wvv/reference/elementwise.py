"""Operators that meet one element of each operand; shapes broadcast as NumPy's do.

add, mul, requantize, quantize, dequantize, relu, clip.
"""

from __future__ import annotations

import numpy as np

from tvm_wvv.quant.operators import INT8_RANGE, Add, Clip, Dequantize, Mul, Quantize, Relu, Requantize
from tvm_wvv.quant.parameters import add_parameters, mul_multiplier, relu_multiplier, requantize_multiplier
from tvm_wvv.quant.requantize import requantize_by
from tvm_wvv.reference.finish import Float32Array, Int8Array, centred, finish


def add(lhs: Int8Array, rhs: Int8Array, op: Add) -> Int8Array:
    """Both operands are raised, brought to the common scale one by one, summed, and brought to the output's
    (numerics.md, N21).
    """
    use = add_parameters(op)
    left = requantize_by(centred(lhs, op.lhs) << use.left_shift, use.lhs)
    right = requantize_by(centred(rhs, op.rhs) << use.left_shift, use.rhs)
    return finish(requantize_by(left + right, use.output), op.output.zero_point, op.clamp)


def mul(lhs: Int8Array, rhs: Int8Array, op: Mul) -> Int8Array:
    """The product of the centred values, requantized once."""
    product = centred(lhs, op.lhs) * centred(rhs, op.rhs)
    return finish(requantize_by(product, mul_multiplier(op)), op.output.zero_point, op.clamp)


def requantize_tensor(x: Int8Array, op: Requantize) -> Int8Array:
    """The same real numbers in another int8 quantization."""
    return finish(requantize_by(centred(x, op.input), requantize_multiplier(op)), op.output.zero_point, INT8_RANGE)


def quantize(x: Float32Array, op: Quantize) -> Int8Array:
    """Rounded in double, which holds a float32 and its half exactly; out of range clamps, a NaN gives -128
    (numerics.md, N25).
    """
    with np.errstate(over="ignore"):
        quotient = (x / np.float32(op.output.scale)).astype(np.float64)
    rounded = np.copysign(np.floor(np.abs(quotient) + 0.5), quotient) + op.output.zero_point
    return np.where(np.isnan(rounded), INT8_RANGE[0], np.clip(rounded, *INT8_RANGE)).astype(np.int8)


def dequantize(x: Int8Array, op: Dequantize) -> Float32Array:
    """The real number as the nearest float32."""
    # The product is exact in double: 24 bits by 9.
    with np.errstate(over="ignore"):
        return (op.input.scale * centred(x, op.input)).astype(np.float32)


def relu(x: Int8Array, op: Relu) -> Int8Array:
    """Requantized, then clamped to the activation's bounds."""
    return finish(requantize_by(centred(x, op.input), relu_multiplier(op)), op.output.zero_point, op.clamp)


def clip(x: Int8Array, op: Clip) -> Int8Array:
    """Held within the clamp; the quantization stays."""
    return np.clip(x, *op.clamp).astype(np.int8)
