"""The blocks of a Winograd convolution, each written into the function that is being built.

A transform is one block for each tile and channel: it reads the whole tile, runs its straight-line program on int32
scalars, and only then writes. Loads and stores do not mix, so a C compiler need not fear that they overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tvm import tirx
from tvm.ir import Expr
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.kernels.blocks import Scalars, block
from tvm_wvv.kernels.fixed_point import int32
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.straight_line import run


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


def input_transform(image: tirx.Buffer, v: tirx.Buffer, algorithm: Algorithm, zero_point: int) -> None:
    """V = B (d - zero point) = B d - zero point * (sums of the rows of B), of which all but very few are zero."""
    batch, rows, columns, taps, channels = _shape(v)
    (m_h, m_w), (tile_h, tile_w) = algorithm.m, algorithm.tile
    # The axis of one round says "all taps": `compute_at` solves for block variables and stops at constant regions.
    axes = {"n": batch, "tile_row": rows, "tile_column": columns, "all_taps": 1, "c": channels}
    with block("input_transform", **axes) as (n, row, column, every, c):
        T.reads(image[n, row * m_h : row * m_h + tile_h, column * m_w : column * m_w + tile_w, c])
        T.writes(v[n, row, column, every * taps : every * taps + taps, c])
        cells = [(row * m_h + i, column * m_w + j) for i in range(tile_h) for j in range(tile_w)]
        scalars = Scalars("d", algorithm.input_program.values)
        tile = [scalars.keep(tirx.Cast("int32", image[n, h, w, c])) for h, w in cells]
        for tap, value in enumerate(run(algorithm.input_program, tile, scalars.keep)):
            offset = algorithm.input_row_sums[tap] * zero_point
            centred = value - int32(offset) if offset else value
            T.buffer_store(v, tirx.Cast("int16", centred), [n, row, column, tap, c])


def tile_product(v: tirx.Buffer, m: tirx.Buffer, weight: Callable[[Expr, Expr, Expr], Expr]) -> None:
    """M = sum over channels of V * U, where U is `weight(tap, o, c)`."""
    batch, rows, columns, taps, channels = _shape(v)
    axes = {"n": batch, "tile_row": rows, "tile_column": columns, "tap": taps, "o": _shape(m)[4], "sum_c": channels}
    with block("tile_product", **axes) as (n, row, column, tap, o, c):
        entry = weight(tap, o, c)
        T.reads(v[n, row, column, tap, c], entry)
        T.writes(m[n, row, column, tap, o])
        with T.init():
            T.buffer_store(m, int32(0), [n, row, column, tap, o])
        product = tirx.Cast("int32", v[n, row, column, tap, c]) * tirx.Cast("int32", entry)
        T.buffer_store(m, m[n, row, column, tap, o] + product, [n, row, column, tap, o])


def output_transform(m: tirx.Buffer, y: tirx.Buffer, algorithm: Algorithm) -> None:
    """y = A M / scale over whole tiles; the division leaves no rest."""
    batch, rows, columns, taps, outputs = _shape(m)
    m_h, m_w = algorithm.m
    with block("output_transform", n=batch, tile_row=rows, tile_column=columns, o=outputs) as (n, row, column, o):
        T.reads(m[n, row, column, 0:taps, o])
        T.writes(y[n, row * m_h : row * m_h + m_h, column * m_w : column * m_w + m_w, o])
        scalars = Scalars("t", algorithm.output_program.values)
        products = [scalars.keep(m[n, row, column, tap, o]) for tap in range(taps)]
        for k, value in enumerate(run(algorithm.output_program, products, scalars.keep)):
            T.buffer_store(y, _divided(value, algorithm.scale), [n, row * m_h + k // m_w, column * m_w + k % m_w, o])


def elementwise(
    name: str,
    source: tirx.Buffer,
    out: tirx.Buffer,
    value: Callable[[Expr, tirx.Var], Expr],
    operands: Sequence[tirx.Buffer] = (),
) -> None:
    """out = value(source, o) for each pixel of `out`; `source` may be larger. `operands` are read at [o]."""
    batch, height, width, outputs = _shape(out)
    with block(name, n=batch, h=height, w=width, o=outputs) as (n, h, w, o):
        T.reads(source[n, h, w, o], *(operand[o] for operand in operands))
        T.writes(out[n, h, w, o])
        T.buffer_store(out, value(source[n, h, w, o], o), [n, h, w, o])


def _divided(value: Expr, scale: int) -> Expr:
    if scale == 1:
        return value
    if scale & (scale - 1) == 0:
        return value >> int32(scale.bit_length() - 1)
    # Any rounding does, as there is no rest: the one that C's `/` has costs least.
    return tirx.truncdiv(value, int32(scale))


def _shape(buffer: tirx.Buffer) -> tuple[int, ...]:
    return tuple(int(extent) for extent in buffer.shape)
