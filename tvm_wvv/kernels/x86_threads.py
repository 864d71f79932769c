"""How a kernel's work is shared out among threads: loops over chunks at the top of the kernel, one chunk a thread.

A kernel is one or more such loops, one after the other, and nothing else; what is allocated inside a loop is the
chunk's own. `micro.phases` makes a function of each loop, and all threads meet between two of them. With one thread
there is no loop: the kernel is what it would be without this file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tvm import tirx
from tvm.ir import Expr
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.kernels.x86_vectors import Index

# Cycles of a kernel on one thread below which threads cost more than they save: they meet before and after it, which
# takes about a thousand cycles each time where a core has to fetch what another one wrote.
WORTH_SHARING = 16000


@contextmanager
def shared_out(threads: int) -> Iterator[Index]:
    """The number of the chunk that the body works for."""
    if threads == 1:
        yield 0
        return
    with T.parallel(threads) as chunk:
        yield chunk


def share(units: int, chunk: Index, threads: int) -> tuple[Index, Index]:
    """The first unit of a chunk, and the first of the next one; no two chunks differ by more than one unit."""
    if threads == 1:
        return 0, units
    first, last = (tirx.floordiv((chunk + end) * units, tirx.const(threads, "int32")) for end in (0, 1))
    return first, last


def of_pair(place: Expr, inner: int) -> tuple[Expr, Expr]:
    """(outer, inner) of a place in two loops that became one."""
    return tirx.floordiv(place, inner), tirx.floormod(place, inner)
