"""A layer that is one call of a C function: `name(inputs, constants, output, scratch)`, declared by `name.h`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from tvm import tirx

from tvm_wvv.kernels.kernel import Shape
from tvm_wvv.kernels.microkernel import at, call, microkernels


def whole_layer(
    name: str,
    inputs: Mapping[str, Shape],
    constants: Mapping[str, np.ndarray],
    output: Shape,
    scratch_words: int = 0,
    in_place: Sequence[int] = (),
    header: str | None = None,
) -> tirx.PrimFunc:
    """int8 tensors, constants of any type, and int32 scratch; inputs at `in_place` may be overwritten by the output.

    A `header` of another name may declare it.
    """
    given = {key: (array.shape, str(array.dtype)) for key, array in constants.items()}
    parameters = {**{key: (shape, "int8") for key, shape in inputs.items()}, **given, "y": (output, "int8")}
    scratch = {"scratch": ((scratch_words,), "int32")} if scratch_words else {}

    def body(**buffers: tirx.Buffer) -> None:
        call(name, *(at(buffer, *(0 for _ in buffer.shape)) for buffer in buffers.values()))

    func = microkernels(name, header or f"{name}.h", parameters, body, scratch)
    return func.with_attr("wvv.in_place", list(in_place))
