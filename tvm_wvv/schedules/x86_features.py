"""Instruction sets of x86 that code made for a CPU may use: by LLVM's names, where CPUID says so, and Linux too.

LLVM takes what it likes of a CPU that is named to it, not only what a kernel asks for, so that code for `znver4` needs
all of these that a znver4 has. Sets that nothing but an intrinsic of its own brings about (AES, AMX) are not listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tvm.target import Target, codegen

from tvm_wvv.errors import WvvError

Register = Literal["ebx", "ecx", "edx", "eax"]
State = Literal["none", "avx", "avx512", "apx"]
"""Registers that the operating system must save and restore."""
_TRIPLE = "x86_64-linux-gnu"
# From the widest: what stands in for a CPU of which a virtual machine hides something.
_LEVELS = ("x86-64-v4", "x86-64-v3", "x86-64-v2")


@dataclass(frozen=True)
class Feature:
    """Bit `bit` of `register` after CPUID with `leaf` and `subleaf`; `linux` is its word in /proc/cpuinfo."""

    name: str
    linux: str
    leaf: int
    subleaf: int
    register: Register
    bit: int
    state: State = "none"


def _features(leaf: int, subleaf: int, register: Register, state: State, rows: str) -> list[Feature]:
    """Rows of LLVM's name, bit, and Linux's name where it is another."""
    words = [row.split() for row in rows.split(",")]
    return [Feature(name, rest[0] if rest else name, leaf, subleaf, register, int(bit), state)
            for name, bit, *rest in words]  # fmt: skip


# Bits: Intel's Software Developer's Manual, volume 2, CPUID; AMD's Programmer's Manual, volume 3, appendix E.
FEATURES: tuple[Feature, ...] = (
    *_features(1, 0, "ecx", "none", "sse3 0 pni, ssse3 9, sse4.1 19 sse4_1, sse4.2 20 sse4_2, movbe 22, popcnt 23"),
    *_features(1, 0, "ecx", "avx", "fma 12, avx 28, f16c 29"),
    *_features(7, 0, "ebx", "none", "bmi 3 bmi1, bmi2 8"),
    *_features(7, 0, "ebx", "avx", "avx2 5"),
    *_features(7, 0, "ebx", "avx512", "avx512f 16, avx512dq 17, avx512ifma 21, avx512cd 28, avx512bw 30, avx512vl 31"),
    *_features(7, 0, "ecx", "none", "gfni 8"),
    *_features(7, 0, "ecx", "avx512", "avx512vbmi 1, avx512vbmi2 6 avx512_vbmi2, avx512vnni 11 avx512_vnni"),
    *_features(7, 0, "ecx", "avx512", "avx512bitalg 12 avx512_bitalg, avx512vpopcntdq 14 avx512_vpopcntdq"),
    *_features(7, 0, "edx", "avx512", "avx512fp16 23 avx512_fp16"),
    *_features(7, 1, "eax", "avx", "avxvnni 4 avx_vnni, avxifma 23 avx_ifma"),
    *_features(7, 1, "eax", "avx512", "avx512bf16 5 avx512_bf16"),
    *_features(7, 1, "edx", "avx", "avxvnniint8 4 avx_vnni_int8, avxvnniint16 10 avx_vnni_int16"),
    *_features(7, 1, "edx", "avx512", "avx10.1 19 avx10"),
    *_features(7, 1, "edx", "apx", "egpr 21 apx"),
    *_features(0x80000001, 0, "ecx", "none", "lzcnt 5 abm, sse4a 6, tbm 21"),
    *_features(0x80000001, 0, "ecx", "avx", "xop 11, fma4 16"),
)


def features_of(mcpu: str) -> tuple[Feature, ...]:
    """Those of a CPU that LLVM knows by this name, in the order of the table."""
    target = Target({"kind": "llvm", "mtriple": _TRIPLE, "mcpu": mcpu})
    known = {str(name) for name in codegen.llvm_get_cpu_features(target)}
    return tuple(feature for feature in FEATURES if feature.name in known)


def host_cpu(name: str) -> str:
    """`name`, which LLVM gave to this CPU, or where a virtual machine hides something that this name promises, the
    best level of x86-64 that is left.
    """
    flags = _host_flags()
    if flags is None:
        return name
    able = (cpu for cpu in (name, *_LEVELS) if {feature.linux for feature in features_of(cpu)} <= flags)
    return next(able, "x86-64")


def check_host(mcpu: str) -> None:
    """Refuse to run code for a CPU that has what this one lacks: it would end the process."""
    flags = _host_flags()
    lacking = [] if flags is None else [one.name for one in features_of(mcpu) if one.linux not in flags]
    if lacking:
        raise WvvError(
            f"--mcpu {mcpu}: this CPU has no {lacking[0]}, so its code cannot run here; wvv explain and wvv compile "
            "take this name, or name a plainer CPU such as x86-64-v3"
        )


def _host_flags() -> set[str] | None:
    """What the kernel lets processes use; None where it does not say."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), None)
