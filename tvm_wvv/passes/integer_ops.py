"""The integer operators as Relax operators: `wvv.conv2d(x, weights, bias)` with plain attributes and the layer's name.

`emit` writes one, `read` gives back the operator value. They print as any Relax call does, so that a module after
`fuse_qdq` can be read line by line; types are inferred from the attributes.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from functools import cache

from tvm import ir, relax

from tvm_wvv.passes import stages
from tvm_wvv.passes.shapes import output_shape, stage_dtype, stage_shape
from tvm_wvv.quant import operators
from tvm_wvv.quant.operators import Affine, Operator, Window

LAYER = "layer"
Node = Operator | stages.Stage
_CLASSES: dict[str, type] = {
    f"wvv.{cls.op}": cls for cls in (*typing.get_args(operators.Operator), *typing.get_args(stages.Stage))
}


def call(node: Node, args: Sequence[relax.Expr], layer: str) -> relax.Call:
    """The call of `node` on `args` (data first, then constants), for the layer of this name."""
    attributes = {LAYER: layer, **_flatten(node)}
    return relax.Call(_registered(f"wvv.{node.op}"), list(args), ir.make_node("ir.DictAttrs", **attributes))


def is_integer_op(expr: relax.Expr) -> bool:
    """Whether `expr` is a call of one of these operators."""
    return isinstance(expr, relax.Call) and isinstance(expr.op, ir.Op) and expr.op.name in _CLASSES


def read(expr: relax.Call) -> Node:
    """The operator value of a call: the only reader of these attributes."""
    cls = _CLASSES[expr.op.name]
    hints = typing.get_type_hints(cls)
    return cls(**{f.name: _value(hints[f.name], f.name, expr.attrs) for f in dataclasses.fields(cls)})


def split_args(expr: relax.Call) -> tuple[list[relax.Expr], list[relax.Expr]]:
    """Data operands, and the weights and bias that follow them."""
    node, args = read(expr), list(expr.args)
    if isinstance(node, operators.Conv2d | operators.DepthwiseConv2d | operators.FullyConnected):
        return args[:1], args[1:]
    if isinstance(node, stages.STAGES):
        return args[:1], args[1:]
    return args, []


def layer_of(expr: relax.Call) -> str:
    """The layer that a call belongs to."""
    return str(expr.attrs[LAYER])


def shape_of(expr: relax.Expr) -> tuple[int, ...]:
    """The static shape of an expression."""
    return tuple(int(extent) for extent in expr.ty.shape)


def _flatten(node: Node) -> dict[str, object]:
    """Plain attributes: Affine becomes _scale and _zero_point, a Window its own three fields."""
    flat: dict[str, object] = {}
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if isinstance(value, Affine):
            flat |= {f"{field.name}_scale": value.scale, f"{field.name}_zero_point": value.zero_point}
        elif isinstance(value, Window):
            flat |= {f.name: list(getattr(value, f.name)) for f in dataclasses.fields(Window)}
        else:
            flat[field.name] = _listed(value)
    return flat


def _listed(value: object) -> object:
    return [_listed(v) for v in value] if isinstance(value, tuple) else value


def _tupled(value: object) -> object:
    return tuple(_tupled(v) for v in value) if not isinstance(value, int | float | str | bool) else value  # type: ignore[attr-defined]


def _value(hint: type, name: str, attrs: ir.Attrs) -> object:
    if hint is Affine:
        return Affine(float(attrs[f"{name}_scale"]), int(attrs[f"{name}_zero_point"]))
    if hint is Window:
        fields: dict[str, typing.Any] = {f.name: _tupled(attrs[f.name]) for f in dataclasses.fields(Window)}
        return Window(**fields)
    if hint in (int, float, str, bool):
        return hint(attrs[name])
    return _tupled(attrs[name])


@cache
def _registered(name: str) -> ir.Op:
    """The operator of this name; made known to TVM at its first use, because the registry is one for the process."""
    if name not in ir.Op.list_op_names():
        ir._ffi_api.RegisterOp(name, f"integer operator of tvm_wvv: {_CLASSES[name].__name__}")
        ir.register_op_attr(name, "FInferType", _infer)
        ir.register_op_attr(name, "FPurity", True)
    return ir.Op.get(name)


def _infer(expr: relax.Call, _builder: relax.BlockBuilder) -> relax.TensorType:
    node, shapes = read(expr), [shape_of(arg) for arg in expr.args]
    if isinstance(node, stages.STAGES):
        return relax.TensorType(list(stage_shape(node, shapes)), stage_dtype(node))
    dtype = "float32" if isinstance(node, operators.Dequantize) else "int8"
    return relax.TensorType(list(output_shape(node, shapes)), dtype)
