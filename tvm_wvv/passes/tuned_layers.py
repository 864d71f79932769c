"""What the tuning database says of a network's layers: the algorithm of each convolution, and how kernels are cut.

An algorithm is proved for the layer's own weights before it is taken, as `auto` does with its estimates. The cut of a
kernel is looked up for the algorithm that the layer got in the end, whoever chose that.
"""

from __future__ import annotations

from dataclasses import replace

from tvm import IRModule, ir

from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.choose import Choice, Decisions, Refusal, prove
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.passes.options import Target
from tvm_wvv.passes.tuned import DIRECT, Decision, Tuned, Weighted, reason, signature
from tvm_wvv.quant.operators import Conv2d, DepthwiseConv2d, FullyConnected
from tvm_wvv.schedules import x86
from tvm_wvv.transforms.catalog import variant


def tuned_cpu(target: Target, mcpu: str) -> str:
    """Under which name the database has this target; empty for x86 code that is for any host."""
    return x86.resolve(mcpu) if target == "x86" else target


def measured_choice(site: ConvSite, tuned: Tuned, cpu: str) -> Choice | Refusal | None:
    """What won by measurement, if it is possible with these weights."""
    assert isinstance(site.op, Conv2d), f"{site.op} is no convolution"
    record = tuned.best(cpu, signature(site.op, site.x_shape, site.weights.shape))
    if record is None:
        return None
    if record.decision.algorithm == DIRECT:
        return Refusal(reason(record))
    choice = prove(site, variant(record.decision.algorithm))
    return replace(choice, reason=reason(record)) if isinstance(choice, Choice) else None


def tuned_layers(integer: IRModule, decisions: Decisions, tuned: Tuned, cpu: str) -> dict[str, Decision]:
    """By layer name, for layers whose kernels the database cuts otherwise than they are by default."""
    found = {}
    for name, call in weighted_layers(integer).items():
        choice = decisions.get(name)
        algorithm = str(choice.variant) if isinstance(choice, Choice) else DIRECT
        record = tuned.best(cpu, signature_of(call), algorithm)
        if record is not None and (record.decision.kernel or record.decision.blocking):
            found[name] = record.decision
    return found


def weighted_layers(integer: IRModule) -> dict[str, ir.Call]:
    """The calls of layers that have weights, by name."""
    bindings = [binding for block in integer["main"].body.blocks for binding in block.bindings]
    calls = [binding.value for binding in bindings if integer_ops.is_integer_op(binding.value)]
    weighted = (Conv2d, DepthwiseConv2d, FullyConnected)
    return {integer_ops.layer_of(call): call for call in calls if isinstance(integer_ops.read(call), weighted)}


def signature_of(call: ir.Call) -> str:
    """That of a layer with weights."""
    op: Weighted = integer_ops.read(call)  # type: ignore[assignment]
    return signature(op, integer_ops.shape_of(call.args[0]), integer_ops.shape_of(call.args[1]))
