"""Replace each int8 conv2d that `choose` accepts by the stages of its Winograd form.

Before:  `wvv.conv2d(x, weights, bias)` of a layer that has a Choice.
After:   input transform -> tile product -> output transform -> requantize, bit-equal to the direct form; weights are
         transformed here, offline, and the stages bear the layer's name.
Refused: a layer without a Choice stays as it was; `explain` gives its reason.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tvm
from tvm import IRModule, relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.choose import Choice, Refusal
from tvm_wvv.passes.shapes import window_extent
from tvm_wvv.passes.stages import InputTransform, OutputTransform, Stage, TileProduct, WinogradRequantize
from tvm_wvv.quant.operators import Conv2d
from tvm_wvv.reference.winograd import transform_weights

Decisions = Mapping[str, Choice | Refusal]


@tvm.transform.module_pass(opt_level=0, name="RewriteWinograd")
class RewriteWinograd:
    """`decisions` holds what `choose` said of each convolution, by layer name."""

    def __init__(self, decisions: Decisions) -> None:
        self.decisions = decisions

    def transform_module(self, mod: IRModule, _ctx: tvm.transform.PassContext) -> IRModule:
        """The module with the chosen convolutions in stages."""
        rewriter = _Rewriter(self.decisions)
        return IRModule({"main": rewriter.visit_expr(mod["main"])})


@mutator
class _Rewriter(PyExprMutator):
    def __init__(self, decisions: Decisions) -> None:
        super().__init__()
        self.decisions = decisions

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = self.visit_expr_post_order(call)
        if not integer_ops.is_integer_op(call):
            return call
        match self.decisions.get(integer_ops.layer_of(call)):
            case Choice() as choice:
                return self._staged(call, choice)
            case _:
                return call

    def _staged(self, call: relax.Call, choice: Choice) -> relax.Call:
        op, layer = integer_ops.read(call), integer_ops.layer_of(call)
        assert isinstance(op, Conv2d), f"{layer} was chosen for Winograd, but is {op}"
        data, weights, bias = call.args
        value = str(choice.variant)
        u = transform_weights(weights.value.numpy(), choice.variant.algorithm)
        size = window_extent(op.window, choice.variant.algorithm.r, integer_ops.shape_of(data))
        v = self._emit(InputTransform(value, op.input.zero_point, op.window.padding), [data], layer)
        m = self._emit(TileProduct(value), [v, relax.const(np.ascontiguousarray(u), "int16")], layer)
        sums = self._emit(OutputTransform(value, size), [m], layer)
        last = WinogradRequantize(op.input, op.output, op.weight_scales, op.clamp)
        return integer_ops.call(last, [sums, bias], layer)

    def _emit(self, stage: Stage, args: list[relax.Expr], layer: str) -> relax.Expr:
        return self.builder_.emit(integer_ops.call(stage, args, layer), name_hint=f"{layer}/{stage.op}")
