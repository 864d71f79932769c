"""Which kernels an x86 CPU gets, by the name that LLVM knows it under, and how LLVM is told.

No name at all stands for any host, x86 or not: TensorIR alone, which LLVM vectorizes as far as it can. `native` is the
CPU that this runs on.
"""

from __future__ import annotations

import difflib

from tvm import tirx
from tvm.target import Target, codegen

from tvm_wvv.errors import WvvError
from tvm_wvv.kernels.kernel import AS_BY_DEFAULT, Blocking
from tvm_wvv.kernels.x86_vectors import AVX2, AVX512, AVX512_VNNI, AVX_VNNI, SSE2, Vectors
from tvm_wvv.schedules.x86_features import host_cpu

NATIVE = "native"
_TRIPLE = "x86_64-linux-gnu"
# What a CPU must have, by LLVM's names; the widest first.
GENERATIONS: tuple[tuple[Vectors, tuple[str, ...]], ...] = (
    (AVX512_VNNI, ("avx512vnni", "avx512bw", "avx512dq")),
    (AVX512, ("avx512bw", "avx512dq")),
    (AVX_VNNI, ("avxvnni",)),
    (AVX2, ("avx2",)),
    (SSE2, ()),
)

# TVM tells LLVM, by types of its own, that buffers of different names never overlap. Those that share bytes of a
# workspace at different times do, and so do those of two kernels, one of which reads what the other wrote: LLVM would
# move loads before stores. So it is not to use these types, nor to inline, for which TVM has no attribute: it is dear.
_NO_TYPES, _NO_INLINING = "-enable-tbaa:bool=false", "-inline-instr-cost:int=100000"


def schedule(func: tirx.PrimFunc, _blocking: Blocking = AS_BY_DEFAULT) -> tirx.PrimFunc:
    """A kernel that has no vectors of its own: unchanged."""
    return func


def resolve(mcpu: str) -> str:
    """The name of a CPU that LLVM knows: `native` becomes this host's, and is empty where the host is no x86.

    A virtual machine may hide what its CPU has: what is hidden makes it a plainer one.
    """
    if mcpu != NATIVE:
        if mcpu and not codegen.llvm_is_valid_cpu(mcpu, _TRIPLE):
            raise WvvError(f"--mcpu {mcpu}: LLVM knows no such x86 CPU{_suggestion(mcpu)}")
        return mcpu
    if not str(codegen.llvm_get_system_triple()).startswith("x86_64"):
        return ""
    return host_cpu(str(codegen.llvm_get_system_cpu()))


def vectors_of(mcpu: str) -> Vectors | None:
    """The vectors of a resolved name; None for any host."""
    if not mcpu:
        return None
    target = llvm_target(mcpu)
    return next(
        vectors for vectors, needs in GENERATIONS if not needs or codegen.target_has_features(sorted(needs), target)
    )


def llvm_target(mcpu: str) -> Target:
    """For a resolved name."""
    attributes: dict[str, object] = {"kind": "llvm", "cl-opt": [_NO_INLINING, _NO_TYPES]}
    return Target(attributes | ({"mcpu": mcpu} if mcpu else {}))


def _suggestion(wrong: str) -> str:
    known = [str(name) for name in codegen.llvm_get_cpu_archlist(Target({"kind": "llvm", "mtriple": _TRIPLE}))]
    near = difflib.get_close_matches(wrong, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else "; name one such as x86-64-v3, cascadelake, znver4, or native"
