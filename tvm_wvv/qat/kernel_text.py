"""The C++ of an algorithm's transforms and of their adjoints, as `deploy/training/winograd.cpp` includes it.

Straight-line additions of vectors, from the same exact matrices that the kernels of the device come from: whole numbers
below 2^24 stay exact in float32, in whatever order they are added.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.matrix import IntMatrix
from tvm_wvv.transforms.straight_line import run, straight_line


@dataclass(frozen=True)
class _Expression:
    """C++ text that stands for a vector."""

    text: str

    def __add__(self, other: _Expression) -> _Expression:
        return _Expression(f"({self.text} + {other.text})")

    def __sub__(self, other: _Expression) -> _Expression:
        return _Expression(f"({self.text} - {other.text})")

    def __mul__(self, number: int) -> _Expression:
        return _Expression(f"({self.text} * {number}.0f)")

    def __rsub__(self, zero: int) -> _Expression:
        assert zero == 0, "only negation puts a number before a value"
        return _Expression(f"(-{self.text})")


def transforms(algorithm: Algorithm) -> str:
    """The header."""
    sizes = dict(zip(("M_H", "M_W", "TILE_H", "TILE_W"), (*algorithm.m, *algorithm.tile), strict=True))
    numbers = ", ".join(f"{name} = {value}" for name, value in {**sizes, "TAPS": algorithm.taps}.items())
    functions = {
        "input_transform": algorithm.input_factors,
        "input_adjoint": _adjoint(algorithm.input_factors),
        "output_transform": algorithm.output_factors,
        "output_adjoint": _adjoint(algorithm.output_factors),
    }
    parts = [_function(name, factors) for name, factors in functions.items()]
    return "\n".join(['#include "vectors.h"', f"constexpr long {numbers};", *parts])


def _adjoint(factors: tuple[IntMatrix, ...]) -> tuple[IntMatrix, ...]:
    return tuple(tuple(zip(*factor, strict=True)) for factor in reversed(factors))


def _function(name: str, factors: tuple[IntMatrix, ...]) -> str:
    program = straight_line(factors)
    lines: list[str] = []

    def bind(value: _Expression) -> _Expression:
        lines.append(f"    const vec s{len(lines)} = {value.text};")
        return _Expression(f"s{len(lines) - 1}")

    made = run(program, [_Expression(f"x[{i}]") for i in range(program.inputs)], bind)
    lines += [f"    y[{i}] = {one.text};" for i, one in enumerate(made)]
    return "\n".join([f"static inline void {name}(const vec *__restrict x, vec *__restrict y) {{", *lines, "}"])
