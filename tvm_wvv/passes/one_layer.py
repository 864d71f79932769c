"""One layer of a network as a network of its own: what a measurement of that layer alone runs.

Takes:  the integer graph, the name of a layer with weights, and how to compute it.
Gives:  a lowered module of one input and one output. Refused: an algorithm that the layer's weights do not allow.
"""

from __future__ import annotations

from typing import Any

from tvm import IRModule, relax

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.choose import Decisions, Refusal, prove
from tvm_wvv.passes.lower import LowerIntegerOps
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.passes.options import Target
from tvm_wvv.passes.pipeline import site_of
from tvm_wvv.passes.report_layers import constant_bytes, report_layers
from tvm_wvv.passes.rewrite_winograd import RewriteWinograd
from tvm_wvv.passes.tuned import DIRECT, Decision
from tvm_wvv.passes.tuned_layers import weighted_layers
from tvm_wvv.transforms.catalog import variant


def lower_layer(integer: IRModule, name: str, decision: Decision, target: Target, mcpu: str = "") -> Lowered:
    """The layer's kernel for `target`."""
    alone, decisions = _alone(integer, name), _decisions(integer, name, decision)
    module, passes = alone, (RewriteWinograd(decisions), LowerIntegerOps(target, mcpu=mcpu, tuned={name: decision}))
    for one in passes:
        apply: Any = one
        module = apply(module)
    call = weighted_layers(alone)[name]
    ports = [TensorInfo(name, integer_ops.shape_of(one), str(one.ty.dtype), None) for one in (call.args[0], call)]
    reports = report_layers(alone, decisions, constant_bytes(module), {})
    return Lowered("layer", module, reports, (ports[0],), (ports[1],), "")


def _alone(integer: IRModule, name: str) -> IRModule:
    call = weighted_layers(integer)[name]
    x, builder = relax.Var("x", call.args[0].ty), relax.BlockBuilder()
    with builder.function("main", [x]):
        with builder.dataflow():
            value = builder.emit(relax.Call(call.op, [x, *call.args[1:]], call.attrs), name_hint="layer")
            result = builder.emit_output(value)
        builder.emit_func_output(result)
    return builder.get()


def _decisions(integer: IRModule, name: str, decision: Decision) -> Decisions:
    if decision.algorithm == DIRECT:
        return {}
    choice = prove(site_of(weighted_layers(integer)[name]), variant(decision.algorithm))
    if isinstance(choice, Refusal):
        raise WvvError(f"{name}: {choice.reason}")
    return {name: choice}
