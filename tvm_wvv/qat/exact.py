"""What a trained network's layers give as integers, to the bit, in torch: for evaluation on whatever device trained.

Tensors are int8 codes held in int64, NHWC. The integers come from `quant`, as those of the kernels do; the formulas are
those of `quant.requantize` and `reference`. Matrix products run in double, where sums below 2^53 are exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tvm_wvv.qat.export import affine, integer_layer, integer_weights
from tvm_wvv.qat.fake_quant import Activation
from tvm_wvv.qat.layers import QuantConv2d, QuantLinear, WinogradConv2d
from tvm_wvv.qat.tiles import image, tiles
from tvm_wvv.quant.fixed_point import Multiplier
from tvm_wvv.quant.operators import INT8_RANGE, Add, Conv2d, FullyConnected
from tvm_wvv.quant.parameters import add_parameters, conv_multipliers, dense_multipliers
from tvm_wvv.quant.requantize import per_channel
from tvm_wvv.quant.winograd_parameters import MultiplierArray

_HALF = 1 << 30


def requantize(acc: Tensor, mantissa: Tensor, shift: Tensor) -> Tensor:
    """`quant.requantize` on int64 that hold int32 values."""
    product = (acc << shift.clamp_min(0)) * mantissa
    high = ((product + _HALF) >> 31).clamp_max((1 << 31) - 1)
    places = (-shift).clamp_min(0)
    half = (1 << places) >> 1
    return (high + half - ((high < 0) & (places > 0)).long()) >> places


def winograd(x: Tensor, layer: WinogradConv2d, output: Activation) -> Tensor:
    """A Winograd layer, stage by stage."""
    made = integer_layer(layer, output)
    found, algorithm = made.integers, made.algorithm
    assert found.v_multipliers is not None and found.m_multipliers is not None, "in int8 every stage is rescaled"
    cells = tiles((x - made.op.input.zero_point).double(), algorithm, layer.sides)
    v = _transformed(algorithm.input_matrix, cells)
    stored = _clipped(_by(v, found.v_multipliers, (-1, 1, 1)), found.v_bits).double()
    sums = torch.bmm(stored, _like(x, found.u).double().transpose(1, 2)).long()
    m = _clipped(_by(sums, found.m_multipliers, (sums.shape[0], 1, -1)), found.m_bits)
    y = _transformed(algorithm.output_matrix, (m * _like(x, found.factors)[:, None, :]).double())
    total = image(y, algorithm, tuple(x.shape), layer.sides) + _like(x, found.bias_y)
    return _finished(total, found.out_multipliers, made.op)


def direct(x: Tensor, layer: QuantConv2d, output: Activation) -> Tensor:
    """A direct convolution."""
    op, weights, bias = integer_weights(layer, output)
    centred = (x - op.input.zero_point).double().permute(0, 3, 1, 2)
    filters = _like(x, weights).double().permute(0, 3, 1, 2)
    sums = functional.conv2d(centred, filters, None, layer.stride, layer.padding).permute(0, 2, 3, 1)
    return _finished(sums.round().long() + _like(x, bias), conv_multipliers(op), op)


def dense(x: Tensor, layer: QuantLinear, output: Activation) -> Tensor:
    """Fully connected, [n, features]."""
    conv, weights, bias = integer_weights(layer, output)
    op = FullyConnected(conv.input, conv.output, conv.weight_scales[:1])
    sums = (x - op.input.zero_point).double() @ _like(x, weights).double().T
    return _finished(sums.long() + _like(x, bias), dense_multipliers(op), op)


def add(lhs: Tensor, rhs: Tensor, at: tuple[Activation, Activation], output: Activation) -> Tensor:
    """The sum of two tensors with these quantizations."""
    op = Add(affine(at[0]), affine(at[1]), affine(output))
    use = add_parameters(op)
    left, right = (
        _scaled((one - side.zero_point) << use.left_shift, (multiplier,))
        for one, side, multiplier in ((lhs, op.lhs, use.lhs), (rhs, op.rhs, use.rhs))
    )
    return _finished(left + right, (use.output,), op)


def mean(x: Tensor) -> Tensor:
    """The mean over height and width [n, c], halves away from zero: an average pool over the whole image."""
    total, count = x.sum((1, 2)), x.shape[1] * x.shape[2]
    return total.sign() * ((total.abs() + count // 2) // count)


def _transformed(matrix: Sequence[Sequence[int]], values: Tensor) -> Tensor:
    """The matrix upon the first axis, exact."""
    product = torch.tensor(matrix, dtype=torch.float64, device=values.device) @ values.flatten(1)
    return product.round().long().unflatten(1, values.shape[1:])


def _by(values: Tensor, multipliers: MultiplierArray, shape: tuple[int, ...]) -> Tensor:
    mantissa = _like(values, multipliers.mantissa).reshape(shape)
    return requantize(values, mantissa, torch.tensor(multipliers.shift, device=values.device))


def _scaled(values: Tensor, multipliers: Sequence[Multiplier]) -> Tensor:
    """One multiplier, or one for each channel."""
    mantissa, shift = per_channel(multipliers)
    return requantize(values, _like(values, mantissa), _like(values, shift))


def _finished(values: Tensor, multipliers: Sequence[Multiplier], op: Conv2d | FullyConnected | Add) -> Tensor:
    return (_scaled(values, multipliers) + op.output.zero_point).clamp(*INT8_RANGE)


def _clipped(values: Tensor, bits: int) -> Tensor:
    return values.clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def _like(x: Tensor, values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.int64)).to(x.device)
