"""Replace QDQ forms by integer operators.

Before:  dequantize -> float operator -> quantize [-> clip], NHWC data, constant weights; a lone quantize of a float
         input, a lone dequantize for a float output.
After:   one `wvv.*` operator a layer, int8 in and out, with plain attributes, weights and bias as its last arguments;
         float32 only into `wvv.quantize` and out of `wvv.dequantize`.
Refused: a float operator that feeds an int8 result or an output and has no integer form: a WvvError that names it.
"""

from __future__ import annotations

from collections.abc import Sequence

import tvm
from tvm import IRModule, relax
from tvm.ir import Constant

from tvm_wvv.errors import WvvError
from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.qdq_patterns import FLOAT_FORMS, FORMS, Form
from tvm_wvv.passes.qdq_reader import Match, Reading, Values, read

_QDQ = ("relax.quantize", "relax.dequantize")


@tvm.transform.module_pass(opt_level=0, name="FuseQdq")
class FuseQdq:
    """`main` alone: a quantized network is one dataflow block."""

    def transform_module(self, mod: IRModule, _ctx: tvm.transform.PassContext) -> IRModule:
        """The module with `main` in integer operators."""
        main = _rebuilt(mod["main"])
        return relax.transform.DeadCodeElimination()(IRModule({"main": main}))


def _rebuilt(main: relax.Function) -> relax.Function:
    values = relax.analysis.get_var2val(main)
    names = {str(variable): str(tensor) for variable, tensor in main.attrs["layers"].items()}
    builder = relax.BlockBuilder()
    with builder.function("main", list(main.params)):
        with builder.dataflow():
            new = {param: param for param in main.params}
            for block in main.body.blocks:
                for binding in block.bindings:
                    _rebind(builder, binding, values, new, names)
            result = builder.emit_output(_result(main.body.body, values, new))
        builder.emit_func_output(result)
    return builder.get()["main"]


def _rebind(
    builder: relax.BlockBuilder,
    binding: relax.Binding,
    values: Values,
    new: dict[relax.Var, relax.Expr],
    names: dict[str, str],
) -> None:
    """Give `binding.var` its integer form in `new`, if it has one."""
    if isinstance(binding.value, relax.Var):
        if binding.value in new:
            new[binding.var] = new[binding.value]
        return
    layer = names.get(binding.var.name, binding.var.name)
    # A dequantize that bears no layer's name is a part of some layer's form.
    forms = FORMS if _dtype(binding.value) == "int8" else FLOAT_FORMS if binding.var.name in names else ()
    reading = _reading(binding.value, values, layer, forms)
    if reading is None or not all(_known(expr, new) for expr in reading.data):
        return
    data = [new.get(expr, expr) if isinstance(expr, relax.Var) else expr for expr in reading.data]
    constants = [relax.const(array, str(array.dtype)) for array in reading.constants]
    call = integer_ops.call(reading.operator, [*data, *constants], layer)
    new[binding.var] = builder.emit(call, name_hint=binding.var.name)


def _dtype(expr: relax.Expr) -> str:
    return str(getattr(expr.ty, "dtype", ""))


def _reading(expr: relax.Expr, values: Values, layer: str, forms: Sequence[Form]) -> Reading | None:
    if not isinstance(expr, relax.Call):
        return None
    for form in forms:
        match = Match(form, expr, values)
        if match.fits:
            try:
                return read(match)
            except WvvError as error:
                raise WvvError(f"layer '{layer}': {error}") from error
    return None


def _known(expr: relax.Expr, new: dict[relax.Var, relax.Expr]) -> bool:
    return expr in new if isinstance(expr, relax.Var) else isinstance(expr, Constant)


def _result(body: relax.Expr, values: Values, new: dict[relax.Var, relax.Expr]) -> relax.Expr:
    expr = body if body in new else values.get(body, body)
    if isinstance(expr, relax.Tuple):
        return relax.Tuple([_result(field, values, new) for field in expr.fields])
    if expr not in new:
        raise WvvError(f"no integer form for {_culprit(body, values, new)}; is the network int8 throughout?")
    return new[expr]


def _culprit(var: relax.Var, values: Values, new: dict[relax.Var, relax.Expr]) -> str:
    """The float operator nearest to the operands that have integer forms, walking back from `var`."""
    found, expr = str(var.name), values.get(var)
    while expr is not None:
        if isinstance(expr, relax.Call) and expr.op.name not in _QDQ:
            found = f"{expr.op.name} before '{var.name}'"
        operands = [expr] if isinstance(expr, relax.Var) else expr.args
        unknown = [arg for arg in operands if isinstance(arg, relax.Var) and arg not in new]
        expr = values.get(unknown[0]) if unknown else None
    return found
