"""Make the network return the output of every layer, in order of computation, for comparison with the reference.

With `alone`, every layer reads what the caller gives as the outputs of the layers before it, so that no layer sees
another's error: `main` takes a further input for each layer, in the same order.
"""

from __future__ import annotations

import tvm
from tvm import IRModule, relax

from tvm_wvv.passes import integer_ops


@tvm.transform.module_pass(opt_level=0, name="ExposeLayers")
class ExposeLayers:
    """Runs after `fuse_qdq`: one binding a layer."""

    def __init__(self, alone: bool = False) -> None:
        self.alone = alone

    def transform_module(self, mod: IRModule, _ctx: tvm.transform.PassContext) -> IRModule:
        """`main` with a tuple of all layers' outputs."""
        main, builder = mod["main"], relax.BlockBuilder()
        bindings = [binding for block in main.body.blocks for binding in block.bindings]
        layers = [binding for binding in bindings if integer_ops.is_integer_op(binding.value)]
        # No layer's variable has a colon in its name.
        given = {one.var: relax.Var(f"given:{one.var.name}", one.var.ty) for one in layers if self.alone}
        with builder.function("main", [*main.params, *given.values()]):
            with builder.dataflow():
                for one in layers:
                    call = builder.normalize(_reading(one.value, given))
                    builder.emit_normalized(relax.VarBinding(one.var, call))
                result = builder.emit_output(relax.Tuple([one.var for one in layers]))
            builder.emit_func_output(result)
        return builder.get()


def _reading(call: relax.Call, given: dict[relax.Var, relax.Var]) -> relax.Call:
    """The call with the variables of `given` in place of those they stand for."""
    if not given:
        return call
    args = [given.get(arg, arg) if isinstance(arg, relax.Var) else arg for arg in call.args]
    return relax.Call(call.op, args, call.attrs)
