"""From a matched QDQ form to an integer operator, its operands and constants: the sole reader of QDQ attributes.

Filters leave as OHWI (depthwise 1HWC), dense weights as (outputs, inputs), biases as int32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from tvm import relax
from tvm.ir import Constant

from tvm_wvv.errors import WvvError
from tvm_wvv.passes.qdq_patterns import Form
from tvm_wvv.quant.operators import (
    INT8_RANGE,
    Add,
    Affine,
    AveragePool,
    Clip,
    Concat,
    Conv2d,
    DepthwiseConv2d,
    Dequantize,
    FullyConnected,
    MaxPool,
    Mean,
    Mul,
    Operator,
    Pad,
    Pair,
    Quantize,
    Relu,
    Requantize,
    Reshape,
    Softmax,
    Window,
)
from tvm_wvv.quant.parameters import activation_clamp

Values = Mapping[relax.Var, relax.Expr]


@dataclass(frozen=True)
class Reading:
    """`data` are the operands as they stand in the QDQ module, `constants` what travels beside the operator."""

    operator: Operator
    data: tuple[relax.Expr, ...]
    constants: tuple[np.ndarray, ...] = ()


Reader = Callable[["Match"], Reading]


class Match:
    """A form that fits an expression, and its parts by name."""

    def __init__(self, form: Form, expr: relax.Expr, values: Values) -> None:
        self.form, self.values = form, values
        found = form.root.extract_matched_expr(expr, values)
        self.fits = found is not None
        self.parts = {name: found[pattern] for name, pattern in form.parts.items() if pattern in found} if found else {}

    def call(self, part: str) -> relax.Call:
        """A part as the call that computes it."""
        expr = self.parts[part]
        return self.values.get(expr, expr) if isinstance(expr, relax.Var) else expr

    def operand(self, part: str) -> relax.Expr:
        """The int8 expression that a part takes in."""
        return self.call(part).args[0]

    def affine(self, part: str) -> Affine:
        """Scale and zero point of a per-tensor quantize or dequantize."""
        call = self.call(part)
        scale, zero_point = _array(call.args[1]), _array(call.args[2])
        if scale.size != 1:
            raise WvvError(f"an activation has {scale.size} scales, need one")
        return Affine(float(scale.reshape(-1)[0]), int(zero_point.reshape(-1)[0]))

    def scales(self, part: str) -> tuple[float, ...]:
        """Scales of dequantized weights: one, or one for each output channel."""
        return tuple(float(s) for s in _array(self.call(part).args[1]).reshape(-1))

    def clamp(self) -> Pair:
        """Bounds of the int8 result from a clip of int8 values and from a fused relu or clip of float ones."""
        low, high = INT8_RANGE
        if "relu" in self.parts:
            low, high = activation_clamp("RELU", self.affine("output"))
        if "float_clip" in self.parts:
            low, high = activation_clamp(_clip_kind(_bounds(self.call("float_clip"))), self.affine("output"))
        if "clip" in self.parts:
            bottom, top = _bounds(self.call("clip"))
            low, high = max(low, int(bottom)), min(high, int(top))
        return low, high

    def window(self) -> Window:
        """Strides, dilation and padding of a convolution or pool."""
        attrs = self.call("operator").attrs
        padding = tuple(int(p) for p in attrs.padding)
        top, left, bottom, right = {1: padding * 4, 2: padding * 2, 4: padding}[len(padding)]
        return Window(_pair(attrs.strides), _pair(attrs.dilation), (top, left, bottom, right))

    def constant(self, part: str) -> np.ndarray:
        """An operand whose value is known: a constant, or one transposed or reshaped."""
        return _folded(self.operand(part), self.values)


def read(match: Match) -> Reading:
    """The integer operator that a match stands for."""
    return _READERS[match.form.kind](match)


def _conv2d(m: Match) -> Reading:
    attrs = m.call("operator").attrs
    weights, bias = m.constant("weights"), m.constant("bias") if "bias" in m.parts else None
    kernel_shape = [int(extent) for extent in m.call("operator").args[1].ty.shape]
    common = (m.affine("data"), m.affine("output"), m.scales("weights"), m.window())
    if attrs.kernel_layout == "HWOI":
        height, width, outputs, _ = kernel_shape
        filters = np.ascontiguousarray(weights.reshape(1, height, width, outputs))
        multiplier = outputs // int(attrs.groups)
        return _weighted(m, DepthwiseConv2d(*common, multiplier, m.clamp()), filters, bias, outputs)
    if attrs.kernel_layout != "HWIO" or int(attrs.groups) != 1:
        raise WvvError(f"convolution with layout {attrs.kernel_layout} and {attrs.groups} groups is not supported")
    filters = np.ascontiguousarray(weights.reshape(kernel_shape).transpose(3, 0, 1, 2))
    return _weighted(m, Conv2d(*common, m.clamp()), filters, bias, kernel_shape[3])


def _fully_connected(m: Match) -> Reading:
    weights, bias = m.constant("weights"), m.constant("bias") if "bias" in m.parts else None
    op = FullyConnected(m.affine("data"), m.affine("output"), m.scales("weights"), m.clamp())
    return _weighted(m, op, np.ascontiguousarray(weights.T), bias, weights.shape[1])


def _weighted(m: Match, op: Operator, weights: np.ndarray, bias: np.ndarray | None, outputs: int) -> Reading:
    full_bias = np.zeros(outputs, np.int32) if bias is None else bias.astype(np.int32).reshape(outputs)
    return Reading(op, (m.operand("data"),), (weights, full_bias))


def _binary(cls: type[Add] | type[Mul]) -> Reader:
    def reader(m: Match) -> Reading:
        op = cls(m.affine("lhs"), m.affine("rhs"), m.affine("output"), m.clamp())
        return Reading(op, (m.operand("lhs"), m.operand("rhs")))

    return reader


def _softmax(m: Match) -> Reading:
    beta = float(_array(m.parts["beta"])) if "beta" in m.parts else 1.0
    return Reading(Softmax(m.affine("data"), m.affine("output"), beta), (m.operand("data"),))


def _mean(m: Match) -> Reading:
    attrs, rank = m.call("operator").attrs, len(m.operand("data").ty.shape)
    axes = tuple(sorted({int(axis) % rank for axis in attrs.axis}))
    op = Mean(m.affine("data"), m.affine("output"), axes, bool(attrs.keepdims))
    return Reading(op, (m.operand("data"),))


def _pool(cls: type[AveragePool] | type[MaxPool]) -> Reader:
    def reader(m: Match) -> Reading:
        op = cls(_pair(m.call("operator").attrs.pool_size), m.window(), m.clamp())
        return Reading(op, (m.operand("data"),))

    return reader


def _pad(m: Match) -> Reading:
    attrs = m.call("operator").attrs
    flat = [int(width) for width in attrs.pad_width]
    widths = tuple(zip(flat[::2], flat[1::2], strict=True))
    return Reading(Pad(widths, int(attrs.pad_value)), (m.operand("data"),))


def _reshape(m: Match) -> Reading:
    shape = tuple(int(extent) for extent in m.call("operator").ty.shape)
    return Reading(Reshape(shape), (m.operand("data"),))


def _concat(m: Match) -> Reading:
    call = m.call("operator")
    fields = m.values.get(call.args[0], call.args[0]) if isinstance(call.args[0], relax.Var) else call.args[0]
    target, data = m.affine("output"), []
    for field in fields:
        source = m.values.get(field, field) if isinstance(field, relax.Var) else field
        affine = Affine(float(_array(source.args[1])), int(_array(source.args[2])))
        if affine != target:
            raise WvvError(f"concatenation of {affine} into {target}: int8 operands need one quantization for all")
        data.append(source.args[0])
    rank = len(call.ty.shape)
    return Reading(Concat(int(call.attrs.axis) % rank, m.clamp()), tuple(data))


def _relu(m: Match) -> Reading:
    return Reading(Relu(m.affine("data"), m.affine("output"), m.clamp()), (m.operand("data"),))


def _requantize(m: Match) -> Reading:
    return Reading(Requantize(m.affine("data"), m.affine("output")), (m.operand("data"),))


def _quantize(m: Match) -> Reading:
    return Reading(Quantize(m.affine("output")), (m.operand("output"),))


def _dequantize(m: Match) -> Reading:
    return Reading(Dequantize(m.affine("data")), (m.operand("data"),))


def _clip(m: Match) -> Reading:
    return Reading(Clip(m.clamp()), (m.operand("data"),))


_READERS: dict[str, Reader] = {
    "conv2d": _conv2d,
    "fully_connected": _fully_connected,
    "add": _binary(Add),
    "mul": _binary(Mul),
    "softmax": _softmax,
    "mean": _mean,
    "concat": _concat,
    "average_pool": _pool(AveragePool),
    "max_pool": _pool(MaxPool),
    "pad": _pad,
    "reshape": _reshape,
    "relu": _relu,
    "requantize": _requantize,
    "quantize": _quantize,
    "dequantize": _dequantize,
    "clip": _clip,
}


def _array(expr: relax.Expr) -> np.ndarray:
    return expr.value.numpy()


def _folded(expr: relax.Expr, values: Values) -> np.ndarray:
    expr = values.get(expr, expr) if isinstance(expr, relax.Var) else expr
    if isinstance(expr, Constant):
        return _array(expr)
    if isinstance(expr, relax.Call) and expr.op.name == "relax.permute_dims":
        return _folded(expr.args[0], values).transpose([int(axis) for axis in expr.attrs.axes])
    if isinstance(expr, relax.Call) and expr.op.name == "relax.reshape":
        return _folded(expr.args[0], values).reshape([int(extent) for extent in expr.ty.shape])
    raise WvvError("weights or bias are computed by the network, need constants")


def _bounds(call: relax.Call) -> tuple[float, float]:
    return _number(call.args[1]), _number(call.args[2])


def _number(expr: relax.Expr) -> float:
    return float(getattr(expr, "value", expr))


def _clip_kind(bounds: tuple[float, float]) -> str:
    known = {(0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1"}
    if bounds not in known:
        raise WvvError(f"a fused clip to {bounds} is not supported; known: {', '.join(map(str, known))}")
    return known[bounds]


def _pair(values: object) -> Pair:
    first, second = (int(v) for v in values)  # type: ignore[attr-defined]
    return first, second
