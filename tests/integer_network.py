"""Run a module of integer operators with the NumPy oracle, layer by layer: what the passes mean, without kernels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from tvm import IRModule, relax

from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.choose import Choice, Refusal
from tvm_wvv.passes.stages import STAGES
from tvm_wvv.quant.operators import Conv2d
from tvm_wvv.quant.winograd_parameters import WinogradIntegers
from tvm_wvv.reference.apply import apply
from tvm_wvv.reference.winograd_quantized import winograd_conv2d


def run_layers(
    module: IRModule, inputs: Mapping[str, np.ndarray], decisions: Mapping[str, Choice | Refusal] | None = None
) -> dict[str, np.ndarray]:
    """The output of each layer by its name, in order, for a module after `fuse_qdq`.

    A layer for which `decisions` chose arithmetic that rounds is computed stage by stage as its oracle has it.
    """
    main = module["main"]
    values = {param: inputs[param.name] for param in main.params}
    layers: dict[str, np.ndarray] = {}
    for block in main.body.blocks:
        for binding in block.bindings:
            if isinstance(binding.value, relax.Var):
                values[binding.var] = values[binding.value]
                continue
            split = integer_ops.split_args(binding.value)
            args = [values[a] if isinstance(a, relax.Var) else a.value.numpy() for a in binding.value.args]
            data = len(split[0])
            node = integer_ops.read(binding.value)
            assert not isinstance(node, STAGES), "Winograd stages have an oracle of their own"
            layer = integer_ops.layer_of(binding.value)
            match (decisions or {}).get(layer):
                case Choice(integers=WinogradIntegers() as integers, variant=variant) if isinstance(node, Conv2d):
                    result = winograd_conv2d(args[0], node, variant.algorithm, integers)
                case _:
                    result = apply(node, args[:data], args[data:])
            values[binding.var] = layers[layer] = result
    return layers
