"""The copy of an image that x86 convolutions read: its padding around it, every byte as the dot product wants it."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.kernels.kernel import Shape
from tvm_wvv.kernels.x86_vectors import Index, Vectors, chunks, run_of, splat, store, vector_type


@dataclass(frozen=True)
class Cells:
    """`padding` is (top, left, bottom, right) and holds `zero_point`, so that it adds nothing to a sum.

    `centred` cells are int16, whatever dot products of the direct kernel want, with the zero point taken off.
    """

    vectors: Vectors
    x_shape: Shape
    padding: tuple[int, int, int, int]
    zero_point: int
    centred: bool = False

    @property
    def dtype(self) -> str:
        """The element type of a cell."""
        return "int16" if self.centred else self.vectors.cell

    @property
    def channels(self) -> int:
        """Cells of a pixel."""
        return self.x_shape[3]

    @property
    def line(self) -> int:
        """Cells of a padded row."""
        return (self.x_shape[2] + self.padding[1] + self.padding[3]) * self.channels

    @property
    def lines(self) -> int:
        """Padded rows."""
        return self.x_shape[1] + self.padding[0] + self.padding[2]

    @property
    def count(self) -> int:
        """All cells of one image, and those that the last group reads beyond (to meet weights that are zero)."""
        return self.lines * self.line + self.vectors.group

    def copy(self, x: tirx.Buffer, cells: tirx.Buffer, image: Expr) -> None:
        """Fill `cells` from one image."""
        (_, height, width, channels), (top, left, bottom, right) = self.x_shape, self.padding
        self._fill(cells, 0, top * self.line)
        with T.serial(height) as row:
            start = (row + top) * self.line
            self._fill(cells, start, left * channels)
            self._copy_row(x, cells, (image * height + row) * width * channels, start + left * channels)
            self._fill(cells, start + (left + width) * channels, right * channels)
        self._fill(cells, (top + height) * self.line, bottom * self.line + self.vectors.group)

    def copy_lines(self, x: tirx.Buffer, cells: tirx.Buffer, lines: tuple[Index, Index]) -> None:
        """Fill some lines of the only image, from one to another, each where `copy` would."""
        (_, height, width, channels), (top, left, _, right) = self.x_shape, self.padding
        with T.serial(*lines) as line:
            start = line * self.line
            with T.If(tirx.all(line >= top, line < top + height)):
                with T.Then():
                    self._fill(cells, start, left * channels)
                    self._copy_row(x, cells, (line - top) * width * channels, start + left * channels)
                    self._fill(cells, start + (left + width) * channels, right * channels)
                with T.Else():
                    self._fill(cells, start, self.line)
        self._fill(cells, lines[1] * self.line, self.vectors.group)

    def _copy_row(self, x: tirx.Buffer, cells: tirx.Buffer, source: Expr, target: Expr) -> None:
        def move(first: Index, lanes: int) -> None:
            value = tirx.BufferLoad(x, run_of(x, source + first, lanes))
            store(cells, self._cell(value, lanes), target + first, lanes)

        chunks(self.x_shape[2] * self.channels, self._width, move)

    def _fill(self, cells: tirx.Buffer, target: Index, count: int) -> None:
        cell = 0 if self.centred else self.zero_point + (128 if self.vectors.unsigned_cells else 0)

        def put(first: Index, lanes: int) -> None:
            store(cells, splat(cell, lanes, self.dtype), target + first, lanes)

        chunks(count, self._width, put)

    @property
    def _width(self) -> int:
        return self.vectors.lanes * (2 if self.dtype == "int16" else 4)

    def _cell(self, value: Expr, lanes: int) -> Expr:
        if self.dtype == "int16":
            wide = tirx.Cast(vector_type("int16", lanes), value)
            return wide - splat(self.zero_point, lanes, "int16") if self.centred else wide
        return tirx.reinterpret(vector_type("uint8", lanes), value) ^ splat(128, lanes, "uint8")
