"""One kernel (PrimFunc with buffer parameters) to one plain C function on raw pointers.

Takes:  a kernel as `te.create_prim_func` makes it, scheduled or not; shapes constant; the last parameter is the output.
        An attribute `wvv.headers` names the headers that declare the microkernels it calls; `wvv.kernel` marks one of
        our own, above which a comment names the equations of docs/numerics.md by block.
Gives:  C11 text that needs no TVM, no heap and no alignment beyond 16 bytes, and the bytes of scratch it must be given.
"""

from __future__ import annotations

from dataclasses import dataclass

import tvm
from tvm import s_tir, tirx

from tvm_wvv.kernels.equations import citation
from tvm_wvv.micro.bare_pointers import bare_pointers
from tvm_wvv.micro.c_text import Text, mentions, take
from tvm_wvv.micro.split_reductions import split_reductions
from tvm_wvv.micro.statements import walk

_TARGET = tvm.target.Target({"kind": "c"})

# Blocks to loops: what TVM's own pipeline does first, without the passes for GPU threads and asynchronous copies.
TO_LOOPS = (
    s_tir.transform.CanonicalizeLoop(),
    s_tir.transform.LowerInitBlock(),
    s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
    s_tir.transform.ConvertBlocksToOpaque(),
    s_tir.transform.CompactBufferAllocation(),
    s_tir.transform.LowerMatchBuffer(),
    tirx.transform.StmtSimplify(),
    s_tir.transform.LowerOpaqueBlock(),
)

# The same for a kernel that calls C: compaction sees the one address that is passed, not what is done with it.
WHOLE_BUFFERS = tuple(one for one in TO_LOOPS if "CompactBufferAllocation" not in str(one.info.name))


def from_loops(*, vectors: bool) -> tuple[tvm.ir.transform.Pass, ...]:
    """Loops to what a code generator takes, with or without vectors.

    MakePackedAPI and AnnotateEntryFunc stay out: they would wrap the kernel for TVM's runtime. So does StorageRewrite:
    the workspace has been packed by then.
    """
    return (
        tirx.transform.FlattenBuffer(),
        tirx.transform.NarrowDataType(32),
        s_tir.transform.LoopPartition(),
        tirx.transform.VectorizeLoop(vectors),
        tirx.transform.UnrollLoop(),
        tirx.transform.StmtSimplify(),
        tirx.transform.RemoveNoOp(),
        s_tir.transform.RewriteUnsafeSelect(),
        tirx.transform.CommonSubexprElim(),
        tirx.transform.LowerIntrin(),
    )


# What a floating-point kernel may use of <math.h>.
_MATH = frozenset(
    [
        f"{name}{kind}"
        for name in (
            "exp",
            "log",
            "sqrt",
            "tanh",
            "pow",
            "floor",
            "ceil",
            "round",
            "nearbyint",
            "trunc",
            "fabs",
            "fmax",
            "fmin",
            "erf",
            "sin",
            "cos",
        )
        for kind in ("", "f")
    ]
    + ["INFINITY", "NAN"]
)


@dataclass(frozen=True)
class BareKernel:
    """A C function without its name: `parameters` are (element type, name), the output the last before workspace.

    `headers` are spelled as after `#include`; `comment` is a line above the definition, or empty.
    """

    parameters: tuple[tuple[str, str], ...]
    body: str
    workspace_bytes: int
    headers: tuple[str, ...]
    comment: str = ""

    def signature(self, name: str, *, restrict: bool) -> str:
        """`restrict` promises the C compiler that no two arguments overlap; not true of a call that works in place."""
        qualifier = "restrict " if restrict else ""
        output = len(self.parameters) - (2 if self.workspace_bytes else 1)
        arguments = (
            f"{'const ' if place < output else ''}{kind}* {qualifier}{parameter}"
            for place, (kind, parameter) in enumerate(self.parameters)
        )
        return f"void {name}({', '.join(arguments)})"

    def definition(self, name: str, *, restrict: bool) -> str:
        """The whole function."""
        return f"{self.comment}{self.signature(name, restrict=restrict)} {{\n{self.body}}}\n"


def build(func: tirx.PrimFunc) -> BareKernel:
    """Generate C for one kernel."""
    bare = bare_pointers(run(loop_passes(func), split_reductions(func)))
    lowered = run(from_loops(vectors=False), bare.func.with_attr("target", _TARGET))
    module = tvm.get_global_func("target.build.c")(tvm.IRModule({"kernel": lowered}), _TARGET)
    text = take(module.inspect_source())
    body, headers = _silence_unused(text), _includes(func, text)
    return BareKernel(text.parameters, body, bare.workspace_bytes, headers, _comment(func))


def loop_passes(func: tirx.PrimFunc) -> tuple[tvm.ir.transform.Pass, ...]:
    """From blocks to loops: what suits `func`."""
    return WHOLE_BUFFERS if "wvv.headers" in (func.attrs or {}) else TO_LOOPS


def _comment(func: tirx.PrimFunc) -> str:
    """The equations that the kernel's blocks compute; a function from elsewhere may call its blocks what it likes."""
    blocks = [stmt.name_hint for stmt in walk(func.body) if isinstance(stmt, s_tir.SBlock)]
    cited = citation(blocks) if "wvv.kernel" in func.attrs else None
    return f"/* tvm_wvv docs/numerics.md: {cited} */\n" if cited else ""


def _includes(func: tirx.PrimFunc, text: Text) -> tuple[str, ...]:
    """Headers as `#include` spells them. TVM's own prototypes are not kept: they would bar inlining, with `void*`."""
    own = tuple(f'"{header}"' for header in func.attrs.get("wvv.headers", ()))
    unknown = [name for name in text.calls if name not in _MATH]
    assert own or not unknown, f"a kernel calls {unknown} but `wvv.headers` names no header that declares it"
    return (*(["<math.h>"] if any(mentions(text.body, name) for name in _MATH) else []), *own)


def run(passes: tuple[tvm.ir.transform.Pass, ...], func: tirx.PrimFunc) -> tirx.PrimFunc:
    """One function through some passes."""
    module = tvm.IRModule({"kernel": func.with_attr("global_symbol", "kernel")})
    return tvm.ir.transform.Sequential(list(passes))(module)["kernel"]


def _silence_unused(text: Text) -> str:
    """A kernel may not need every parameter (a shift that is 0 everywhere); -Wextra wants to hear that."""
    unused = (name for _, name in text.parameters if not mentions(text.body, name))
    return "".join(f"  (void){name};\n" for name in unused) + text.body
