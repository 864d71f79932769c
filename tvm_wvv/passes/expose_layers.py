"""Make the network return the output of every layer, in order of computation, for comparison with the reference."""

from __future__ import annotations

import tvm
from tvm import IRModule, relax

from tvm_wvv.passes import integer_ops


@tvm.transform.module_pass(opt_level=0, name="ExposeLayers")
class ExposeLayers:
    """Runs after `fuse_qdq`: one binding a layer."""

    def transform_module(self, mod: IRModule, _ctx: tvm.transform.PassContext) -> IRModule:
        """`main` with a tuple of all layers' outputs."""
        main, builder = mod["main"], relax.BlockBuilder()
        outputs = []
        with builder.function("main", list(main.params)):
            with builder.dataflow():
                for block in main.body.blocks:
                    for binding in block.bindings:
                        if integer_ops.is_integer_op(binding.value):
                            builder.emit_normalized(relax.VarBinding(binding.var, binding.value))
                            outputs.append(binding.var)
                result = builder.emit_output(relax.Tuple(outputs))
            builder.emit_func_output(result)
        return builder.get()
