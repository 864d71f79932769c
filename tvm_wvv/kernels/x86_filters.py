"""Where an exact Winograd layer on x86 has its transformed filters U (numerics.md, N7): a constant, or made in passing.

U of 36 taps in int16 is eight times as large as nine int8 weights, and a network's weights come out of memory at every
run. Where many tiles share it, or the second cache cannot hold it, the kernel reads weights and transforms them: all
of them at its start, or those of one column of output channels before its products, some taps at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from tvm import tirx
from tvm.ir import Expr
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.kernels.x86_vectors import Index, Register, Vectors, load, store, vector_type
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.straight_line import outputs, straight_line

Form = Literal["constant", "whole", "column"]
# Bytes of U that may stay in the second cache beside V and M, and tiles that make its transform a twentieth of their
# products.
_WHOLE, _MANY = 1 << 19, 32
_PAIR = 2


def form_of(algorithm: Algorithm, tiles: int, channels: int, outputs_: int) -> Form:
    """For `tiles` of one image."""
    fits = algorithm.taps * channels * outputs_ * 2 <= _WHOLE
    if fits:
        return "whole" if tiles >= _MANY else "constant"
    return "column"


@dataclass(frozen=True)
class Filters:
    """`u` is U int16 [tap, o, c]. A column has `across` registers of output channels."""

    vectors: Vectors
    algorithm: Algorithm
    u: np.ndarray
    across: int
    form: Form

    @property
    def columns(self) -> int:
        """Columns of output channels."""
        return self.u.shape[1] // (self.vectors.lanes * self.across)

    @property
    def step(self) -> int:
        """Elements of one column and tap."""
        return self.u.shape[2] * self.vectors.lanes * self.across

    @property
    def stride(self) -> int:
        """Elements from one tap to the next. Were it a power of two, all taps would meet in one set of a cache."""
        return self.step if self.form == "constant" else self.step + _PAIR * self.vectors.lanes

    @property
    def parts(self) -> list[range]:
        """Taps that are ready at one time: few enough to stay in the second cache beside all else."""
        taps = self.algorithm.taps
        if self.form != "column":
            return [range(taps)]
        half = -(-taps // 2)
        return [range(half), range(half, taps)]

    @property
    def scratch(self) -> int:
        """Elements of U that the kernel holds."""
        if self.form == "constant":
            return 0
        return len(self.parts[0]) * self.stride * (self.columns if self.form == "whole" else 1)

    @cached_property
    def constant(self) -> np.ndarray:
        """What the kernel reads, flat: U by column, tap, pair of channels, register, lane, channel of the pair; or
        weights with their taps before the lanes.
        """
        taken = self.u if self.form == "constant" else self.weights
        lanes = self.vectors.lanes
        split = taken.reshape(len(taken), self.columns, self.across, lanes, -1, _PAIR)
        order = (1, 0, 4, 2, 3, 5) if self.form == "constant" else (1, 4, 2, 0, 3, 5)
        return np.ascontiguousarray(split.transpose(order)).reshape(-1)

    @cached_property
    def weights(self) -> np.ndarray:
        """The int8 filters [kernel tap, o, c] that U was made of: its matrix has full rank."""
        matrix = np.array(self.algorithm.weight_matrix, np.int64)
        flat = self.u.reshape(len(self.u), -1).astype(np.int64)
        found = np.rint(np.linalg.pinv(matrix.astype(np.float64)) @ flat).astype(np.int64)
        assert (matrix @ found == flat).all(), f"U of {self.algorithm} is that of no int8 filters"
        return found.astype(np.int8).reshape(-1, *self.u.shape[1:])

    def start(self, column: Expr, tap: Expr, part: range) -> Expr:
        """Where the registers of one tap of `part` lie."""
        within = tap - part.start if part.start else tap
        return (within if self.form == "column" else column * len(part) + within) * self.stride

    def transform(self, w: tirx.Buffer, u: tirx.Buffer, column: Expr, part: range) -> None:
        """Fill `u` with the taps `part` of one column."""
        width = _PAIR * self.vectors.lanes
        program = straight_line((self.algorithm.weight_matrix[part.start : part.stop],))
        kernel = len(self.algorithm.weight_matrix[0])

        def keep(value: Expr) -> Expr:
            register = Register(width, "int16")
            register.set(value)
            return register.value

        with T.serial(self.step // width) as vector:
            first = (column * (self.step // width) + vector) * kernel

            def weight(number: int) -> Expr:
                return keep(tirx.Cast(vector_type("int16", width), load(w, (first + number) * width, width)))

            place = self.start(column, tirx.const(part.start, "int32"), part) + vector * width
            for tap, value in enumerate(outputs(program, weight, keep)):
                store(u, value, place + tap * self.stride, width)

    def before(self, buffers: dict[str, tirx.Buffer], some: tuple[Index, Index]) -> None:
        """What a kernel that holds U as a whole begins with, for some columns."""
        with T.serial(*some) as column:
            self.transform(buffers["filters"], buffers["u"], column, self.parts[0])

    def ready(self, buffers: dict[str, tirx.Buffer], column: Expr) -> Iterator[range]:
        """Taps whose U is there, part by part."""
        for part in self.parts:
            if self.form == "column":
                self.transform(buffers["filters"], buffers["u"], column, part)
            yield part
