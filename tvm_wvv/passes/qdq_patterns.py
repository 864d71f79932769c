"""The QDQ forms that frontends give, as dataflow patterns, one named form for each integer operator.

A form is an int8 result computed in float: dequantize the operands, apply the operator, quantize. At the network's
float rim, `quantize` alone is one, and `dequantize` alone. Forms hold their inner patterns by name, so that a reader
takes the parts it needs from a match; an operand's part is the call that takes it in (its first argument is the
operand). Larger forms come first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tvm.relax.dpl import DFPattern, is_const, is_op, wildcard


@dataclass(frozen=True)
class Form:
    """`kind` is the operator's name, `root` the pattern of the whole, `parts` the inner patterns by name."""

    kind: str
    root: DFPattern
    parts: Mapping[str, DFPattern]


def _dequantize(name: str, parts: dict[str, DFPattern]) -> DFPattern:
    """An int8 operand, taken into float; the part bears its name."""
    parts[name] = is_op("relax.dequantize")(wildcard(), is_const(), is_const())
    return parts[name]


def _quantize(value: DFPattern, parts: dict[str, DFPattern]) -> DFPattern:
    parts["output"] = is_op("relax.quantize")(value, is_const(), is_const())
    return parts["output"]


def _clip(value: DFPattern, parts: dict[str, DFPattern], name: str) -> DFPattern:
    parts[name] = is_op("relax.clip")(value, wildcard(), wildcard())
    return parts[name]


def _activated(value: DFPattern, activation: str, parts: dict[str, DFPattern]) -> DFPattern:
    """The float value as it is, or under a fused relu or clip."""
    if activation == "relu":
        parts["relu"] = is_op("relax.nn.relu")(value)
        return parts["relu"]
    return _clip(value, parts, "float_clip") if activation == "clip" else value


def _finished(kind: str, value: DFPattern, parts: dict[str, DFPattern], activation: str, clipped: bool) -> Form:
    quantized = _quantize(_activated(value, activation, parts), parts)
    return Form(kind, _clip(quantized, parts, "clip") if clipped else quantized, parts)


def _weighted(kind: str, operator: str, activation: str, clipped: bool, biased: bool) -> Form:
    """conv2d or matmul over dequantized weights, which may be reshaped after dequantization."""
    parts: dict[str, DFPattern] = {}
    data = _dequantize("data", parts)
    weights = _dequantize("weights", parts)
    parts["operator"] = is_op(operator)(data, weights | is_op("relax.reshape")(weights, wildcard()))
    value = is_op("relax.add")(parts["operator"], _dequantize("bias", parts)) if biased else parts["operator"]
    return _finished(kind, value, parts, activation, clipped)


def _binary(kind: str, operator: str, activation: str) -> Form:
    parts: dict[str, DFPattern] = {}
    value = is_op(operator)(_dequantize("lhs", parts), _dequantize("rhs", parts))
    return _finished(kind, value, parts, activation, clipped=False)


def _unary(kind: str, operator: str) -> Form:
    parts: dict[str, DFPattern] = {}
    parts["operator"] = is_op(operator)(_dequantize("data", parts))
    return _finished(kind, parts["operator"], parts, "none", clipped=False)


def _softmax(scaled: bool) -> Form:
    parts: dict[str, DFPattern] = {}
    real = _dequantize("data", parts)
    if scaled:
        parts["beta"] = is_const()
        real = is_op("relax.multiply")(real, parts["beta"])
    return _finished("softmax", is_op("relax.nn.softmax")(real), parts, "none", clipped=False)


def _activation(activation: str) -> Form:
    parts: dict[str, DFPattern] = {}
    real = _dequantize("data", parts)
    return _finished("relu" if activation != "none" else "requantize", real, parts, activation, clipped=False)


def _average_pool(clipped: bool) -> Form:
    """TFLite averages the quantized values themselves: astype, pool in int32, astype."""
    parts: dict[str, DFPattern] = {"data": is_op("relax.astype")(wildcard())}
    parts["operator"] = is_op("relax.nn.avg_pool2d")(parts["data"])
    pooled = is_op("relax.astype")(parts["operator"])
    return Form("average_pool", _clip(pooled, parts, "clip") if clipped else pooled, parts)


def _direct(kind: str, operator: str, clipped: bool = False, second: bool = False) -> Form:
    """An operator on the int8 values themselves."""
    taker = is_op(operator)(wildcard(), wildcard()) if second else is_op(operator)(wildcard())
    parts: dict[str, DFPattern] = {"operator": taker, "data": taker}
    return Form(kind, _clip(parts["operator"], parts, "clip") if clipped else parts["operator"], parts)


def _concat(clipped: bool) -> Form:
    parts: dict[str, DFPattern] = {}
    # The number of operands varies, so the tuple is read by hand: only the frame is a pattern.
    parts["operator"] = is_op("relax.concat")(wildcard())
    return _finished("concat", parts["operator"], parts, "none", clipped)


def _clip_form() -> Form:
    parts: dict[str, DFPattern] = {}
    parts["data"] = _clip(wildcard(), parts, "clip")
    return Form("clip", parts["data"], parts)


def _quantize_form() -> Form:
    parts: dict[str, DFPattern] = {}
    return Form("quantize", _quantize(wildcard(), parts), parts)


def _dequantize_form() -> Form:
    parts: dict[str, DFPattern] = {}
    return Form("dequantize", _dequantize("data", parts), parts)


_ACTIVATIONS = ("none", "relu", "clip")

FORMS: tuple[Form, ...] = (
    *(
        _weighted(kind, operator, activation, clipped, biased)
        for kind, operator in (("conv2d", "relax.nn.conv2d"), ("fully_connected", "relax.matmul"))
        for clipped in (True, False)
        for biased in (True, False)
        for activation in _ACTIVATIONS
    ),
    *(
        _binary(kind, operator, activation)
        for kind, operator in (("add", "relax.add"), ("mul", "relax.multiply"))
        for activation in _ACTIVATIONS
    ),
    _softmax(scaled=True),
    _softmax(scaled=False),
    _unary("mean", "relax.mean"),
    *(_concat(clipped) for clipped in (True, False)),
    *(_average_pool(clipped) for clipped in (True, False)),
    *(_direct("max_pool", "relax.nn.max_pool2d", clipped) for clipped in (True, False)),
    _direct("pad", "relax.nn.pad"),
    _direct("reshape", "relax.reshape", second=True),
    *(_activation(activation) for activation in ("relu", "clip", "none")),
    _clip_form(),
    _quantize_form(),
)
# Of a float32 result: only this, and only where it is an operator of the model, not a part of a form above.
FLOAT_FORMS: tuple[Form, ...] = (_dequantize_form(),)
