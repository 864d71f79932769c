"""Replace each int8 conv2d that `choose` accepts by the stages of its Winograd form.

Before:  `wvv.conv2d(x, weights, bias)` of a layer that has a Choice.
After:   exact: input transform -> tile product -> output transform -> requantize, bit-equal to the direct form.
         Arithmetic that rounds: input transform -> requantize input -> tile product -> requantize products -> output
         transform -> requantize, bit-equal to `reference.winograd_quantized`. Weights are transformed here, offline,
         and the stages bear the layer's name.
Refused: a layer without a Choice stays as it was; `explain` gives its reason.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tvm
from tvm import IRModule, relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.choose import Choice, Decisions
from tvm_wvv.passes.shapes import window_extent
from tvm_wvv.passes.stages import (
    InputTransform,
    OutputTransform,
    RequantizeInput,
    RequantizeProducts,
    Stage,
    TileProduct,
    WinogradRequantize,
)
from tvm_wvv.quant.operators import Conv2d
from tvm_wvv.quant.requantize import per_channel
from tvm_wvv.quant.winograd_parameters import WinogradIntegers
from tvm_wvv.quant.winograd_ranges import greatest_transformed_input
from tvm_wvv.reference.winograd import transform_weights
from tvm_wvv.transforms.catalog import Variant


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
        if choice.integers is None:
            return self._exact(call, op, choice.variant)
        return self._quantized(call, op, choice.variant, choice.integers)

    def _exact(self, call: relax.Call, op: Conv2d, variant: Variant) -> relax.Call:
        (data, weights, bias), layer, value = call.args, integer_ops.layer_of(call), variant.spelled
        u = transform_weights(weights.value.numpy(), variant.algorithm)
        size = window_extent(op.window, variant.algorithm.r, integer_ops.shape_of(data))
        v = self._emit(InputTransform(value, op.input.zero_point, op.window.padding), [data], layer)
        m = self._emit(TileProduct(value), [v, _constant(u)], layer)
        sums = self._emit(OutputTransform(value, size), [m], layer)
        last = WinogradRequantize(op.input, op.output, op.weight_scales, op.clamp)
        return integer_ops.call(last, [sums, bias], layer)

    def _quantized(self, call: relax.Call, op: Conv2d, variant: Variant, integers: WinogradIntegers) -> relax.Call:
        """Stage after stage; of the two roundings in between, those that the layer needs."""
        current, layer = call.args[0], integer_ops.layer_of(call)
        *stages, last = quantized_stages(op, variant, integers, integer_ops.shape_of(current))
        for stage, constants in stages:
            current = self._emit(stage, [current, *map(_constant, constants)], layer)
        return integer_ops.call(last[0], [current, *map(_constant, last[1])], layer)

    def _emit(self, stage: Stage, args: list[relax.Expr], layer: str) -> relax.Expr:
        return self.builder_.emit(integer_ops.call(stage, args, layer), name_hint=f"{layer}/{stage.op}")


def quantized_stages(
    op: Conv2d, variant: Variant, integers: WinogradIntegers, x_shape: Sequence[int]
) -> list[tuple[Stage, Sequence[np.ndarray]]]:
    """The stages of a layer that rounds in between, in their order, each with its constants."""
    value, algorithm, zero_point = variant.spelled, variant.algorithm, op.input.zero_point
    of_v, of_m = integers.v_multipliers, integers.m_multipliers
    found: list[tuple[Stage, Sequence[np.ndarray]]] = []
    found.append((InputTransform(value, zero_point, op.window.padding, "int32" if of_v else "int16"), ()))
    if of_v is not None:
        bound = greatest_transformed_input(algorithm, zero_point)
        stage = RequantizeInput(value, integers.v_bits, of_v.shift, bound)
        found.append((stage, (of_v.mantissa, integers.v_zero_points)))
    found.append((TileProduct(value), (integers.u, integers.m_offset)))
    if of_m is not None:
        found.append(
            (RequantizeProducts(value, integers.m_bits, of_m.shift, integers.products_bound), (of_m.mantissa,))
        )
    size = window_extent(op.window, algorithm.r, tuple(x_shape))
    found.append((OutputTransform(value, size), (integers.factors,)))
    last = WinogradRequantize(op.input, op.output, op.weight_scales, op.clamp, integers.y_bound)
    return [*found, (last, (integers.bias_y, *per_channel(integers.out_multipliers)))]


def _constant(array: np.ndarray) -> relax.Constant:
    return relax.const(np.ascontiguousarray(array), str(array.dtype))
