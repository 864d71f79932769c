"""Write TensorIR blocks by hand, where one block stores several elements and `te.compute` does not reach.

Used inside `primitive`, which makes the function around them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

Shape = tuple[int, ...]


def primitive(parameters: Mapping[str, tuple[Shape, str]], body: Callable[..., None]) -> tirx.PrimFunc:
    """A function of buffers, (shape, dtype) by name; `body` gets them in order and writes the blocks."""
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("main")
        body(*(T.arg(name, T.buffer(shape, dtype)) for name, (shape, dtype) in parameters.items()))
    return builder.get()


def intermediate(name: str, shape: Shape, dtype: str) -> tirx.Buffer:
    """A buffer between two blocks of the function."""
    return IRBuilder.name(name, T.sblock_alloc_buffer(shape, dtype))


@contextmanager
def block(name: str, **axes: int) -> Iterator[list[tirx.Var]]:
    """A block under one loop for each axis, two or more: `name=extent`. It sums over axes called `sum_...`."""
    kinds = "".join("R" if axis.startswith("sum_") else "S" for axis in axes)
    with T.grid(*axes.values()) as loops:
        IRBuilder.name_many(list(axes), list(loops))
        with T.sblock(name):
            yield IRBuilder.name_many([f"at_{axis}" for axis in axes], list(T.axis.remap(kinds, list(loops))))


class Scalars:
    """Local values of a block, made one by one: small arrays at constant places, which a C compiler keeps in registers.

    Bound variables would not do: TVM 0.27 puts their values back into every use and then shares what it finds again,
    which undoes the order of a straight-line program and leaves unused variables behind.
    """

    # 256 bytes are the most that code generation puts on the stack for one buffer.
    _LENGTH = 64

    def __init__(self, name: str, count: int) -> None:
        lengths = [min(self._LENGTH, count - start) for start in range(0, count, self._LENGTH)]
        arrays = [T.sblock_alloc_buffer((length,), "int32") for length in lengths]
        self._arrays = [IRBuilder.name(f"{name}{number or ''}", array) for number, array in enumerate(arrays)]
        self._made = 0

    def keep(self, value: Expr) -> Expr:
        """Compute an int32 now; what comes back stands for it."""
        array, place = self._arrays[self._made // self._LENGTH], self._made % self._LENGTH
        self._made += 1
        T.buffer_store(array, value, [place])
        return array[place]
