"""Kernels with x86 vectors for CPU after CPU: those that this machine can run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from kernel_run import LlvmKernel
from strategies import SingleOp
from tvm.target.codegen import target_has_features

from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.passes.x86_kernels import x86_kernel
from tvm_wvv.quant import operators as ops
from tvm_wvv.schedules import x86

CPUS = ("x86-64", "haswell", "alderlake", "skylake-avx512", "cascadelake")
SLOW = settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def require(cpu: str) -> str:
    """Skips where this machine lacks what kernels for `cpu` use."""
    own, wanted = x86.resolve(x86.NATIVE), x86.vectors_of(cpu)
    needed = next(sorted(features) for vectors, features in x86.GENERATIONS if vectors == wanted)
    if not own or (needed and not target_has_features(needed, x86.llvm_target(own))):
        pytest.skip(f"this machine cannot run code for {cpu}")
    return cpu


def made(cpu: str, op: ops.Operator, shapes: list[tuple[int, ...]], constants: tuple[np.ndarray, ...]) -> Kernel | None:
    vectors = x86.vectors_of(cpu)
    assert vectors is not None
    return x86_kernel(vectors, [op], [shapes], [constants])


def check(cpu: str, case: SingleOp, seed: int) -> None:
    """The kernel of one operator, where there is one, against the oracle."""
    kernel = made(require(cpu), case.op, list(case.inputs), case.constants)
    if kernel is None:
        return
    run = LlvmKernel(kernel.func, cpu)
    for one in zip(*case.samples(seed), strict=True):
        np.testing.assert_array_equal(run([*one, *kernel.constants]), case.oracle(one))
