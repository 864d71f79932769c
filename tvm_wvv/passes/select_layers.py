"""A part of a lowered network that returns every layer: some of its layers, and what these need, as a network.

The kernels are the very same, so a network whose outputs overfill a board can be looked at part by part.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tvm import IRModule, relax

from tvm_wvv.passes.lowered import Lowered


def select_layers(lowered: Lowered, names: Collection[str]) -> Lowered:
    """Only the outputs of these names, and no call, input or report that none of them needs."""
    main = lowered.module["main"]
    *calls, result = (binding for block in main.body.blocks for binding in block.bindings)
    fields = zip(result.value.fields, lowered.outputs, strict=True)
    chosen = [(field, info) for field, info in fields if info.name in names]
    assert chosen, f"none of {sorted(names)} is an output of {lowered.name}"
    needed, kept = _needed([field for field, _ in chosen], calls)
    inputs = [(p, info) for p, info in zip(main.params, lowered.inputs, strict=True) if p in needed]
    layers = {str(main.attrs["layers"][binding.var.name]) for binding in kept}
    module = _module(lowered.module, [p for p, _ in inputs], kept, [field for field, _ in chosen])
    return replace(
        lowered,
        module=module,
        layers=tuple(layer for layer in lowered.layers if layer.name in layers),
        inputs=tuple(info for _, info in inputs),
        outputs=tuple(info for _, info in chosen),
    )


def _needed(results: list[relax.Var], calls: list[relax.VarBinding]) -> tuple[set[relax.Var], list[relax.VarBinding]]:
    """All variables that the results come from, and the bindings among `calls` that make them."""
    needed, kept = set(results), []
    for binding in reversed(calls):
        if binding.var in needed:
            needed |= set(relax.analysis.free_vars(binding.value))
            kept.append(binding)
    return needed, kept[::-1]


def _module(
    whole: IRModule, params: list[relax.Var], calls: list[relax.VarBinding], results: list[relax.Var]
) -> IRModule:
    builder = relax.BlockBuilder()
    with builder.function("main", params):
        with builder.dataflow():
            for binding in calls:
                builder.emit_normalized(binding)
            output = builder.emit_output(relax.Tuple(results))
        builder.emit_func_output(output)
    module = IRModule(dict(whole.functions_items()))
    module.update_func(module.get_global_var("main"), builder.get()["main"].with_attr(dict(whole["main"].attrs)))
    return module
