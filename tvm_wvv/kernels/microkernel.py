"""Calls of the C microkernels of `deploy/runtime/kernels` from TensorIR.

A kernel made of such calls is one block that names the buffers it reads and writes whole; loops stand inside of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tvm import tirx
from tvm.ir import Expr
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.kernels.blocks import Shape, primitive

Body = Callable[..., None]


def microkernels(
    name: str,
    header: str,
    parameters: Mapping[str, tuple[Shape, str]],
    body: Body,
    scratch: Mapping[str, tuple[Shape, str]] | None = None,
) -> tirx.PrimFunc:
    """A function of buffers, the last one its output; `body` gets them, and its scratch, by name and writes the calls.

    Nothing is known of what the calls read, so the output may not lie where an input lies.
    """

    def block(*buffers: tirx.Buffer) -> None:
        own = [T.sblock_alloc_buffer(shape, dtype) for shape, dtype in (scratch or {}).values()]
        with T.sblock(name):
            T.reads(*(_whole(one) for one in buffers[:-1]))
            T.writes(_whole(buffers[-1]), *(_whole(one) for one in own))
            body(**dict(zip(parameters, buffers, strict=True)), **dict(zip(scratch or {}, own, strict=True)))

    func = primitive(parameters, block)
    return func.with_attr("wvv.headers", [header]).with_attr("wvv.in_place", [])


def call(name: str, *arguments: Expr | int) -> None:
    """The statement `name(arguments)`."""
    T.evaluate(tirx.call_extern("void", name, *arguments))


def at(buffer: tirx.Buffer, *index: Expr | int) -> Expr:
    """The address of one element."""
    return tirx.address_of(buffer[tuple(index)])


def _whole(buffer: tirx.Buffer) -> tirx.BufferRegion:
    return buffer[tuple(slice(0, int(extent)) for extent in buffer.shape)]
