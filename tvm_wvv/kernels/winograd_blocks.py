"""The blocks of a Winograd convolution, each written into the function that is being built.

A transform is one block for each tile and channel: its matrix (numerics.md, N4), in which complex points have become
real rows (numerics.md, N5), as a straight-line program on int32 scalars, in which each result is stored as soon as it
can be, and each operand is loaded when it is first asked for. A Cortex-M has 14 registers for what may be hundreds of
values: this order leaves few of them alive at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tvm import tirx
from tvm.ir import Expr
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.kernels.blocks import Scalars, block
from tvm_wvv.kernels.fixed_point import int32, wide, wrapped
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.modular import Quotient, quotient
from tvm_wvv.transforms.straight_line import outputs

# Makes an int32 a value of its own.
Keep = Callable[[Expr], Expr]
# What is stored of a tap's V.
Stored = Callable[[int, Expr, Keep], Expr]


def pad(x: tirx.Buffer, image: tirx.Buffer, top: int, left: int, value: int) -> None:
    """`image` is `x` with its first pixel at (top, left), and `value` wherever `x` does not reach."""
    batch, height, width, channels = _shape(image)
    _, x_height, x_width, _ = _shape(x)
    with block("pad", n=batch, h=height, w=width, c=channels) as (n, h, w, c):
        T.reads(x[n, h - top, w - left, c])
        T.writes(image[n, h, w, c])
        inside = tirx.all(h >= top, h < top + x_height, w >= left, w < left + x_width)
        pixel = tirx.if_then_else(inside, x[n, h - top, w - left, c], tirx.const(value, "int8"))
        T.buffer_store(image, pixel, [n, h, w, c])


def input_transform(
    image: tirx.Buffer,
    v: tirx.Buffer,
    algorithm: Algorithm,
    zero_point: int,
    stored: Stored | None = None,
    operands: Sequence[tirx.Buffer] = (),
) -> None:
    """V = B (d - zero point) = B d - zero point * (sums of the rows of B), of which all but very few are zero
    (numerics.md, N6).

    What is stored of it is `stored(tap, V, keep)`, V itself if there is none; it reads `operands` at [tap].
    """
    batch, rows, columns, taps, channels = _shape(v)
    (m_h, m_w), (tile_h, tile_w) = algorithm.m, algorithm.tile
    # The axis of one round says "all taps": `compute_at` solves for block variables and stops at constant regions.
    axes = {"n": batch, "tile_row": rows, "tile_column": columns, "all_taps": 1, "c": channels}
    with block("input_transform", **axes) as (n, row, column, every, c):
        T.reads(
            image[n, row * m_h : row * m_h + tile_h, column * m_w : column * m_w + tile_w, c], *map(_whole, operands)
        )
        T.writes(v[n, row, column, every * taps : every * taps + taps, c])
        cells = [(row * m_h + i, column * m_w + j) for i in range(tile_h) for j in range(tile_w)]
        scalars = Scalars("d", algorithm.input_program.values)
        clipped = Scalars("clipped", taps) if stored is not None else scalars

        def load(cell: int) -> Expr:
            h, w = cells[cell]
            return scalars.keep(tirx.Cast("int32", image[n, h, w, c]))

        for tap, value in enumerate(outputs(algorithm.input_program, load, scalars.keep)):
            offset = algorithm.input_row_sums[tap] * zero_point
            centred = value - int32(offset) if offset else value
            kept = tirx.Cast(v.dtype, centred) if stored is None else stored(tap, centred, clipped.keep)
            T.buffer_store(v, kept, [n, row, column, tap, c])


def tile_product(
    v: tirx.Buffer, m: tirx.Buffer, weight: Callable[[Expr, Expr, Expr], Expr], start: tirx.Buffer | None = None
) -> None:
    """M = sum over channels of V * U, where U is `weight(tap, o, c)`, from `start[tap, o]` on (numerics.md, N9).

    Without `start` from zero and modulo 2^32, which is all that exact arithmetic needs; with it the sums must fit.
    """
    batch, rows, columns, taps, channels = _shape(v)
    axes = {"n": batch, "tile_row": rows, "tile_column": columns, "tap": taps, "o": _shape(m)[4], "sum_c": channels}
    with block("tile_product", **axes) as (n, row, column, tap, o, c):
        entry = weight(tap, o, c)
        T.reads(v[n, row, column, tap, c], entry, *([] if start is None else [start[tap, o]]))
        T.writes(m[n, row, column, tap, o])
        with T.init():
            T.buffer_store(m, int32(0) if start is None else start[tap, o], [n, row, column, tap, o])
        product = tirx.Cast("int32", v[n, row, column, tap, c]) * tirx.Cast("int32", entry)
        total = m[n, row, column, tap, o]
        added = wrapped(wide(total) + wide(product)) if start is None else total + product
        T.buffer_store(m, added, [n, row, column, tap, o])


def output_transform(
    m: tirx.Buffer,
    y: tirx.Buffer,
    algorithm: Algorithm,
    weighted: Callable[[int, tirx.Var, Expr], Expr] | None = None,
    operands: Sequence[tirx.Buffer] = (),
) -> None:
    """y = A M / scale over whole tiles, out of M modulo 2^32 (numerics.md, N11, N12).

    Or y = A `weighted(tap, o, M)`, undivided, where that is given; it reads `operands`.
    """
    batch, rows, columns, taps, channels = _shape(m)
    m_h, m_w = algorithm.m
    with block("output_transform", n=batch, tile_row=rows, tile_column=columns, o=channels) as (n, row, column, o):
        T.reads(m[n, row, column, 0:taps, o], *map(_whole, operands))
        T.writes(y[n, row * m_h : row * m_h + m_h, column * m_w : column * m_w + m_w, o])
        scalars = Scalars("t", algorithm.output_program.values)
        keep = scalars.keep if weighted is not None else lambda value: wide(scalars.keep(wrapped(value)))

        def load(tap: int) -> Expr:
            entry = tirx.Cast("int32", m[n, row, column, tap, o])
            return keep(entry if weighted is None else weighted(tap, o, entry))

        for k, value in enumerate(outputs(algorithm.output_program, load, keep)):
            shared = value if weighted is not None else _divided(value, quotient(algorithm.scale))
            T.buffer_store(y, shared, [n, row * m_h + k // m_w, column * m_w + k % m_w, o])


def requantize_input(v: tirx.Buffer, stored: tirx.Buffer, value: Stored, operands: Sequence[tirx.Buffer] = ()) -> None:
    """stored = value(tap, V, keep) for each entry; `value` reads `operands` at [tap] (numerics.md, N8)."""
    batch, rows, columns, taps, channels = _shape(v)
    axes = {"n": batch, "tile_row": rows, "tile_column": columns, "all_taps": 1, "c": channels}
    with block("requantize_input", **axes) as (n, row, column, every, c):
        T.reads(v[n, row, column, every * taps : every * taps + taps, c], *map(_whole, operands))
        T.writes(stored[n, row, column, every * taps : every * taps + taps, c])
        clipped = Scalars("clipped", taps)
        for tap in range(taps):
            T.buffer_store(stored, value(tap, v[n, row, column, tap, c], clipped.keep), [n, row, column, tap, c])


def requantize_products(
    m: tirx.Buffer,
    rescaled: tirx.Buffer,
    value: Callable[[Expr, Sequence[Expr], Keep], Expr],
    operands: Sequence[tirx.Buffer] = (),
) -> None:
    """rescaled = value(M, operands at [tap, o], keep) for each entry (numerics.md, N10)."""
    batch, rows, columns, taps, channels = _shape(m)
    axes = {"n": batch, "tile_row": rows, "tile_column": columns, "tap": taps, "o": channels}
    with block("requantize_products", **axes) as (n, row, column, tap, o):
        constants = [operand[tap, o] for operand in operands]
        T.reads(m[n, row, column, tap, o], *constants)
        T.writes(rescaled[n, row, column, tap, o])
        kept = value(m[n, row, column, tap, o], constants, Scalars("clipped", 1).keep)
        T.buffer_store(rescaled, kept, [n, row, column, tap, o])


def elementwise(
    name: str,
    source: tirx.Buffer,
    out: tirx.Buffer,
    value: Callable[[Expr, tirx.Var], Expr],
    operands: Sequence[tirx.Buffer] = (),
) -> None:
    """out = value(source, o) for each pixel of `out`; `source` may be larger. `operands` are read at [o]."""
    batch, height, width, channels = _shape(out)
    with block(name, n=batch, h=height, w=width, o=channels) as (n, h, w, o):
        T.reads(source[n, h, w, o], *(operand[o] for operand in operands))
        T.writes(out[n, h, w, o])
        T.buffer_store(out, value(source[n, h, w, o], o), [n, h, w, o])


def _divided(value: Expr, division: Quotient) -> Expr:
    """The quotient of an int64 known modulo 2^32."""
    # The inverse as a signed number: 33 bits times 32 bits then fit.
    inverse = division.inverse - (division.inverse >> 31 << 32)
    scaled = value if inverse == 1 else wide(wrapped(value)) * tirx.const(inverse, "int64")
    return wrapped(scaled) >> int32(division.shift)


def _whole(buffer: tirx.Buffer) -> tirx.BufferRegion:
    return buffer[tuple(slice(0, extent) for extent in _shape(buffer))]


def _shape(buffer: tirx.Buffer) -> tuple[int, ...]:
    return tuple(int(extent) for extent in buffer.shape)
