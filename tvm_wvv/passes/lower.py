"""Replace integer operators and Winograd stages by calls of TensorIR kernels.

Before:  `wvv.*` operators, int8 between layers (float32 at the rim where the model has it).
After:   one flat list of `call_tir`, weights prepared offline, kernels scheduled for the target. A reshape stays
         `relax.reshape`: it moves no byte. The attribute `layers` of `main` says which layer a variable belongs to.
On Cortex-M the stages of one Winograd layer become one kernel, so that only strips of tile rows are ever held.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import tvm
from tvm import IRModule, relax

from tvm_wvv.kernels.dispatch import kernel_of
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.dsp_kernels import dsp_kernel
from tvm_wvv.passes.mve_kernels import mve_kernel
from tvm_wvv.passes.options import Target
from tvm_wvv.passes.stage_kernels import merged_kernel, stage_kernel
from tvm_wvv.passes.stages import STAGES
from tvm_wvv.passes.tuned import DEFAULT, Decision
from tvm_wvv.passes.x86_kernels import x86_kernel
from tvm_wvv.quant.operators import Reshape
from tvm_wvv.schedules import cortex_m, winograd, x86

_NONE: Mapping[str, Kernel | str] = {}
_AS_ESTIMATED: Mapping[str, Decision] = {}
Shape = tuple[int, ...]
Constants = Sequence[Sequence[np.ndarray]]
Maker = Callable[..., Kernel | None]
# Of kernels without microkernels.
_SCHEDULES = {
    "cortex_m": cortex_m.schedule,
    "cortex_m_dsp": cortex_m.schedule,
    "cortex_m_mve": cortex_m.schedule,
    "x86": x86.schedule,
}
# By name; the first maker that has a kernel gives it, and TensorIR alone has one for everything.
_MICROKERNELS: dict[str, dict[str, Maker]] = {
    "cortex_m_dsp": {"dsp": dsp_kernel},
    "cortex_m_mve": {"mve": mve_kernel, "dsp": dsp_kernel},
}


@tvm.transform.module_pass(opt_level=0, name="LowerIntegerOps")
class LowerIntegerOps:
    """For one target. `offloaded` holds, by layer name, kernels that replace our own, or reasons why none does.

    `mcpu` names an x86 CPU, on which `threads` share the work; `main` gets both as its attributes. `tuned` says how
    layers' kernels are cut, by layer name.
    """

    def __init__(
        self,
        target: Target,
        offloaded: Mapping[str, Kernel | str] = _NONE,
        mcpu: str = "",
        tuned: Mapping[str, Decision] = _AS_ESTIMATED,
        threads: int = 1,
    ) -> None:
        self.tuned, self.threads = tuned, threads if target == "x86" else 1
        self.target, self.mcpu = target, x86.resolve(mcpu) if target == "x86" else ""
        self.offloaded = {name: one for name, one in offloaded.items() if isinstance(one, Kernel)}

    def transform_module(self, mod: IRModule, _ctx: tvm.transform.PassContext) -> IRModule:
        """The module of kernel calls."""
        return _Lowering(self.target, mod["main"], self.offloaded, self.mcpu, self.tuned, self.threads).module()


class _Lowering:
    """One walk over `main`, from variables of the integer graph to variables of kernel calls."""

    def __init__(
        self,
        target: Target,
        main: relax.Function,
        offloaded: Mapping[str, Kernel],
        mcpu: str,
        tuned: Mapping[str, Decision],
        threads: int,
    ) -> None:
        self.tuned, self.threads = tuned, threads
        self.main, self.target, self.offloaded, self.mcpu = main, target, offloaded, mcpu
        vectors = x86.vectors_of(mcpu)
        shared = None if vectors is None else replace(vectors, threads=threads)
        own: dict[str, Maker] = {} if shared is None else {"x86": partial(x86_kernel, shared)}
        self.makers = own or _MICROKERNELS.get(target, {})
        self.builder = relax.BlockBuilder()
        self.new: dict[relax.Expr, relax.Expr] = {param: param for param in main.params}
        self.layers: dict[str, str] = {}

    def module(self) -> IRModule:
        bindings = [binding for block in self.main.body.blocks for binding in block.bindings]
        with self.builder.function("main", list(self.main.params)):
            with self.builder.dataflow():
                for group in _groups(bindings, merge=bool(self.makers) or self.target != "x86"):
                    for part in self._parts(group):
                        self._lower(part)
                result = self.builder.emit_output(self._mapped(self.main.body.body))
            self.builder.emit_func_output(result)
        module = self.builder.get()
        attributes = {"layers": self.layers, "mcpu": self.mcpu, "threads": self.threads}
        module["main"] = module["main"].with_attrs(attributes)
        return module

    def _parts(self, group: Sequence[relax.Binding]) -> Iterable[Sequence[relax.Binding]]:
        """The group itself where one kernel computes it; on x86 stages without a kernel for all stay by themselves."""
        if self.target != "x86" or len(group) == 1 or self._made(group) is not None:
            return [group]
        return [[binding] for binding in group]

    def _lower(self, group: Sequence[relax.Binding]) -> None:
        last = group[-1]
        if not integer_ops.is_integer_op(last.value):
            self.new[last.var] = self._mapped(last.value)
            return
        node, layer = integer_ops.read(last.value), integer_ops.layer_of(last.value)
        if isinstance(node, Reshape):
            call = relax.op.reshape(self._mapped(last.value.args[0]), list(node.shape))
        else:
            call = self._call(group, layer)
        variable = self.builder.emit(call, name_hint=last.var.name)
        self.layers[variable.name] = layer
        self.new[last.var] = variable

    def _call(self, group: Sequence[relax.Binding], layer: str) -> relax.Call:
        """The kernel call of one operator or of one merged group of stages."""
        # A call of a library has nothing to schedule.
        kernel = self.offloaded.get(layer) or self._kernel(group)
        func = kernel.func.with_attr("wvv.kernel", kernel.name)
        function = self.builder.add_func(func, kernel.name)
        data = [self._mapped(arg) for arg in integer_ops.split_args(group[0].value)[0]]
        constants = [relax.const(array, str(array.dtype)) for array in kernel.constants]
        return relax.call_tir(function, [*data, *constants], out_ty=group[-1].var.ty)

    def _kernel(self, group: Sequence[relax.Binding]) -> Kernel:
        """The scheduled kernel: of microkernels where the target has them, else of TensorIR alone."""
        made = self._made(group)
        if made is not None:
            return made
        nodes, shapes, constants, dtype = _read(group)
        kernel = _plain_kernel(nodes, shapes, constants, dtype)
        # Only Winograd stages come in groups, and only for Cortex-M.
        schedule = winograd.schedule if len(group) > 1 else _SCHEDULES[self.target]
        return replace(kernel, func=schedule(kernel.func, dict(self._decision(group).blocking)))

    def _made(self, group: Sequence[relax.Binding]) -> Kernel | None:
        nodes, shapes, constants, _ = _read(group)
        decision = self._decision(group)
        asked = [maker for name, maker in self.makers.items() if decision.kernel in ("", name)]
        kernels = (maker(nodes, shapes, constants, dict(decision.blocking)) for maker in asked)
        return next((kernel for kernel in kernels if kernel is not None), None)

    def _decision(self, group: Sequence[relax.Binding]) -> Decision:
        value = group[-1].value
        if not integer_ops.is_integer_op(value):
            return DEFAULT
        return self.tuned.get(integer_ops.layer_of(value), DEFAULT)

    def _mapped(self, expr: relax.Expr) -> relax.Expr:
        if isinstance(expr, relax.Tuple):
            return relax.Tuple([self._mapped(field) for field in expr.fields])
        return self.new.get(expr, expr) if isinstance(expr, relax.Var) else expr


def _groups(bindings: Sequence[relax.Binding], merge: bool) -> Iterator[list[relax.Binding]]:
    """Each binding by itself; with `merge`, the stages of one layer together."""

    def key(numbered: tuple[int, relax.Binding]) -> object:
        number, binding = numbered
        staged = merge and integer_ops.is_integer_op(binding.value) and _is_stage(binding.value)
        return integer_ops.layer_of(binding.value) if staged else number

    for _, group in groupby(enumerate(bindings), key):
        yield [binding for _, binding in group]


def _is_stage(call: relax.Call) -> bool:
    return isinstance(integer_ops.read(call), STAGES)


def _read(group: Sequence[relax.Binding]) -> tuple[list[Any], list[list[Shape]], list[list[np.ndarray]], str]:
    """Of each operator what it is, its inputs' shapes and its constants; and the first one's element type."""
    calls = [binding.value for binding in group]
    nodes = [integer_ops.read(call) for call in calls]
    arguments = [integer_ops.split_args(call) for call in calls]
    shapes = [[integer_ops.shape_of(arg) for arg in data] for data, _ in arguments]
    constants = [[arg.value.numpy() for arg in rest] for _, rest in arguments]
    return nodes, shapes, constants, str(arguments[0][0][0].ty.dtype)


def _plain_kernel(nodes: Sequence[Any], shapes: Sequence[list[Shape]], constants: Constants, dtype: str) -> Kernel:
    if not isinstance(nodes[0], STAGES):
        return kernel_of(nodes[0], shapes[0], constants[0])
    if len(nodes) == 1:
        return stage_kernel(nodes[0], shapes[0][0], dtype, constants[0])
    return merged_kernel(nodes, shapes[0][0], constants)


def identifier(name: str) -> str:
    """A C identifier near a layer's name."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII)
