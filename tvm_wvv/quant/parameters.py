"""From an operator value to the integers its kernel needs: the one place where scales become multipliers
(numerics.md, N16).

TFLite prepares each operator with its own mixture of float32 and double arithmetic, and the last bit of a mantissa
shows in the output. Every function names the rule it follows; all of them were checked against the reference kernels.
Standard library only, so that kernels, oracle and tests share it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm_wvv.errors import WvvError
from tvm_wvv.quant.fixed_point import Multiplier, quantize_multiplier, round_half_away, to_float32
from tvm_wvv.quant.operators import (
    INT8_RANGE,
    Add,
    Affine,
    Conv2d,
    DepthwiseConv2d,
    FullyConnected,
    Mean,
    Mul,
    Pair,
    Relu,
    Requantize,
)

# Bits by which an addition raises both operands, so that bringing them to one scale loses nothing of weight.
ADD_LEFT_SHIFT = 20

# Kernels shift a 32-bit value left before they multiply: from 31 places on, C leaves the result undefined.
_MAX_SHIFT = 30

# Real bounds of the fused activations; None leaves the int8 bound.
_ACTIVATION_BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


@dataclass(frozen=True)
class AddParameters:
    """sum = requantize(l << left_shift, lhs) + requantize(r << left_shift, rhs); out = requantize(sum, output).

    `l` and `r` have their zero points taken off already. Multipliers lie below one: no shift is positive.
    """

    left_shift: int
    lhs: Multiplier
    rhs: Multiplier
    output: Multiplier


def activation_clamp(kind: str, affine: Affine) -> Pair:
    """The int8 bounds of a fused or stand-alone activation on a tensor with this quantization (numerics.md, N20)."""
    if kind not in _ACTIVATION_BOUNDS:
        raise WvvError(f"activation {kind} is not supported; known: {', '.join(_ACTIVATION_BOUNDS)}")
    low, high = _ACTIVATION_BOUNDS[kind]
    bottom = INT8_RANGE[0] if low is None else max(INT8_RANGE[0], _quantized(low, affine))
    return bottom, INT8_RANGE[1] if high is None else min(INT8_RANGE[1], _quantized(high, affine))


def _quantized(real: float, affine: Affine) -> int:
    # The quotient is a float32, not a double: 6 / scale can fall on a half in one and beside it in the other.
    return affine.zero_point + round_half_away(to_float32(real / affine.scale))


def conv_multipliers(op: Conv2d | DepthwiseConv2d) -> tuple[Multiplier, ...]:
    """One multiplier for each weight scale: input * weight / output, all in double."""
    return _weight_multipliers(op)


def dense_multipliers(op: FullyConnected) -> tuple[Multiplier, ...]:
    """As for a convolution where scales are per channel; with one scale the product input * weight is a float32."""
    if len(op.weight_scales) > 1:
        return _weight_multipliers(op)
    product = to_float32(op.input.scale * op.weight_scales[0])
    return (_multiplier(product / op.output.scale),)


def _weight_multipliers(op: Conv2d | DepthwiseConv2d | FullyConnected) -> tuple[Multiplier, ...]:
    return tuple(_multiplier(op.input.scale * weight / op.output.scale) for weight in op.weight_scales)


def add_parameters(op: Add) -> AddParameters:
    """The common scale is twice the larger input scale over 2^20; everything in double (numerics.md, N21)."""
    twice_larger = 2.0 * max(op.lhs.scale, op.rhs.scale)
    back = twice_larger / ((1 << ADD_LEFT_SHIFT) * op.output.scale)
    if back >= 1.0:
        larger, limit = twice_larger / 2, 1 << (ADD_LEFT_SHIFT - 1)
        raise WvvError(
            f"add: input scale {larger:g} is {larger / op.output.scale:.0f} times the output scale, "
            f"need less than {limit}; quantize the model again"
        )
    lhs, rhs = (quantize_multiplier(side.scale / twice_larger) for side in (op.lhs, op.rhs))
    return AddParameters(ADD_LEFT_SHIFT, lhs, rhs, quantize_multiplier(back))


def mul_multiplier(op: Mul) -> Multiplier:
    """lhs * rhs / output, where product and quotient are both float32."""
    return _multiplier(to_float32(to_float32(op.lhs.scale * op.rhs.scale) / op.output.scale))


def mean_multiplier(op: Mean, count: int) -> Multiplier:
    """input / output in double, then divided by the `count` averaged elements on the integer mantissa
    (numerics.md, N23).

    The mantissa is raised by floor(log2(count)) bits before a truncating division, so it keeps 30 or 31 bits; it
    applies to the sum of (q - zero_point).
    """
    whole = _multiplier(op.input.scale / op.output.scale)
    # More would raise the mantissa past 64 bits, or the right shift past the 31 places that kernels have.
    raised = min(count.bit_length() - 1, 32, 31 + whole.shift)
    return Multiplier((whole.mantissa << raised) // count, whole.shift - raised)


def requantize_multiplier(op: Requantize) -> Multiplier:
    """input / output in double."""
    return _multiplier(op.input.scale / op.output.scale)


def relu_multiplier(op: Relu) -> Multiplier:
    """input / output in float32, unlike `requantize_multiplier`."""
    return _multiplier(to_float32(op.input.scale / op.output.scale))


def _multiplier(real: float) -> Multiplier:
    multiplier = quantize_multiplier(real)
    if multiplier.shift > _MAX_SHIFT:
        raise WvvError(f"multiplier {real:g} is 2^{_MAX_SHIFT} or more; check the scales of the model's tensors")
    return multiplier
