"""One report a layer: what it computes, by which algorithm, why not by Winograd, and its work. Changes nothing."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from tvm import IRModule, relax
from tvm.ir import Constant

from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.choose import Choice, Refusal
from tvm_wvv.passes.lowered import OWN, LayerReport
from tvm_wvv.quant.operators import Conv2d, DepthwiseConv2d, FullyConnected

# Of a layer: the library that was asked for it, and its kernel there or the reason why it has none.
Backends = Mapping[str, tuple[str, Kernel | str]]


def report_layers(
    integer: IRModule,
    decisions: Mapping[str, Choice | Refusal],
    weight_bytes: Mapping[str, int],
    backends: Backends,
) -> tuple[LayerReport, ...]:
    """Reports in the order of computation, for a module after `fuse_qdq`."""
    bindings = [binding for block in integer["main"].body.blocks for binding in block.bindings]
    calls = [binding.value for binding in bindings if integer_ops.is_integer_op(binding.value)]
    return tuple(_report(call, decisions, weight_bytes, backends) for call in calls)


def constant_bytes(lowered: IRModule) -> dict[str, int]:
    """Bytes of constants that each layer's kernels take, by layer name."""
    layers = lowered["main"].attrs["layers"]
    total: dict[str, int] = defaultdict(int)
    for block in lowered["main"].body.blocks:
        for binding in block.bindings:
            if isinstance(binding.value, relax.Call) and binding.var.name in layers:
                total[str(layers[binding.var.name])] += sum(_bytes(arg) for arg in _arguments(binding.value))
    return dict(total)


def macs(call: relax.Call) -> int:
    """Multiply-accumulates of direct computation; 0 for operators that have none."""
    op, shape = integer_ops.read(call), integer_ops.shape_of(call)
    if isinstance(op, Conv2d | FullyConnected):
        return math.prod(shape) * math.prod(integer_ops.shape_of(call.args[1])[1:])
    if isinstance(op, DepthwiseConv2d):
        return math.prod(shape) * math.prod(integer_ops.shape_of(call.args[1])[1:3])
    return 0


def _report(
    call: relax.Call,
    decisions: Mapping[str, Choice | Refusal],
    weight_bytes: Mapping[str, int],
    backends: Backends,
) -> LayerReport:
    name, work = integer_ops.layer_of(call), macs(call)
    algorithm, reason, multiplications = "direct", None, work
    match decisions.get(name):
        case Choice() as choice:
            algorithm, multiplications, reason = str(choice.variant), choice.multiplications, choice.reason
        case Refusal() as refusal:
            reason = refusal.reason
    library, offloaded = backends.get(name, (OWN, None))
    kept = offloaded if isinstance(offloaded, str) else None
    return LayerReport(
        name=name,
        op=integer_ops.read(call).op,
        algorithm=algorithm,
        reason=reason,
        macs=work,
        multiplications=multiplications,
        weight_bytes=weight_bytes.get(name, 0),
        output_shape=integer_ops.shape_of(call),
        backend=library if kept is None else OWN,
        backend_reason=kept,
    )


def _arguments(call: relax.Call) -> list[relax.Expr]:
    """The tensors of a `call_tir`, whose arguments are a tuple, or of any other call."""
    if call.op.name == "relax.call_tir":
        return list(call.args[1].fields)
    return list(call.args)


def _bytes(expr: relax.Expr) -> int:
    return expr.value.numpy().nbytes if isinstance(expr, Constant) else 0
