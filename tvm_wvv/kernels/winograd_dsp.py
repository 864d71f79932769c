"""Exact Winograd convolution by the C microkernels of `wvv_winograd.h`.

U is laid out for two outputs at a time, and filled up with zeros where channels or outputs are left over. Of an
algorithm along the width only, the rows of a kernel are summed like channels. Bytes are those of `kernels.winograd`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tvm_wvv.kernels.blocks import Shape
from tvm_wvv.kernels.kernel import AS_BY_DEFAULT, Blocking, Kernel
from tvm_wvv.kernels.microkernel import microkernels
from tvm_wvv.kernels.output_stage import OutputStage
from tvm_wvv.kernels.winograd_dsp_calls import HEADER, LONGEST, QUAD, TOGETHER, Calls
from tvm_wvv.quant.operators import Window
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.grid import Grid

# Channels of a quad as two pairs: what `sxtb16` takes from a word, and from the word turned by a byte.
PAIRS = (0, 2, 1, 3)

# Variants that there are microkernels for, and the rows of B's one-dimensional factor that these have negated: those of
# 1 and -1 in f4, so that the fourth input counts positive in all of them.
_NEGATED: dict[str, tuple[int, ...]] = {"f2": (), "f4": (1, 2), "f4c": (), "f2x1": (), "f4x1": (1, 2)}
VARIANTS = tuple(_NEGATED)


def fits(algorithm: Algorithm, stage: OutputStage) -> bool:
    """Whether there are microkernels for this algorithm and this kind of requantization."""
    return algorithm.name in _NEGATED and stage.short


def winograd_conv2d(
    algorithm: Algorithm,
    window: Window,
    zero_point: int,
    x_shape: Shape,
    u: np.ndarray,
    stage: OutputStage,
    blocking: Blocking = AS_BY_DEFAULT,
) -> Kernel:
    """x int8 NHWC -> int8 NHWC; `u` is U int16 [tap, o, c]. `blocking` may set `longest`, the quads of one round."""
    grid, outputs = Grid(algorithm, x_shape, window.padding), u.shape[1]
    packed, words = pack_weights(_summed(u * signs(algorithm)[:, None, None], algorithm)), stage_words(stage)
    parameters = {
        "x": (x_shape, "int8"),
        "u": (packed.shape, "int32"),
        "stage": (words.shape, "int32"),
        "out": (grid.out_shape(outputs), "int8"),
    }
    calls = Calls(
        grid,
        zero_point,
        outputs,
        taps=packed.shape[1],
        quads=packed.shape[2],
        clamp=stage.clamp,
        into=f"wvv_{algorithm.name}_input",
        product="wvv_product",
        back=f"wvv_{algorithm.name}_output" + ("_positive" if stage.positive else ""),
        longest=blocking.get("longest", LONGEST),
    )
    func = microkernels("winograd", HEADER, parameters, calls.write, calls.scratch)
    return Kernel(f"winograd_{algorithm.name}_conv2d", func, (packed, words))


def pack_weights(u: np.ndarray) -> NDArray[np.int32]:
    """[tap, o, c] as words [two outputs, tap, quad, pair, output]."""
    taps, outputs, channels = u.shape
    whole = np.zeros((taps, -(-outputs // TOGETHER) * TOGETHER, -(-channels // QUAD) * QUAD), "<i2")
    whole[:, :outputs, :channels] = u
    # tap, two outputs, output, quad, pair, half of the word
    parts = whole.reshape(taps, -1, TOGETHER, whole.shape[2] // QUAD, QUAD)[..., PAIRS]
    split = parts.reshape(*parts.shape[:4], 2, 2).transpose(1, 0, 3, 4, 2, 5)
    return np.ascontiguousarray(split).view("<i4")[..., 0].astype(np.int32)


def signs(algorithm: Algorithm) -> NDArray[np.int16]:
    """Of each tap, that of V as microkernels make it; the tap's weights take the same."""
    negated = _NEGATED[algorithm.name]
    if not negated:
        return np.ones(algorithm.taps, np.int16)
    of_columns = np.array([-1 if row in negated else 1 for row in range(algorithm.tile[1])], np.int16)
    of_rows = of_columns if algorithm.m[0] > 1 else np.ones(algorithm.tile[0], np.int16)
    return np.outer(of_rows, of_columns).reshape(-1)


def _summed(u: np.ndarray, algorithm: Algorithm) -> np.ndarray:
    """[tap, o, c] with as many taps as the width has, and behind the channels of a kernel's row those of the next."""
    if algorithm.m[0] > 1:
        return u
    whole = np.pad(u, ((0, 0), (0, 0), (0, -u.shape[2] % QUAD)))
    rows, columns = algorithm.tile
    return whole.reshape(rows, columns, *whole.shape[1:]).transpose(1, 2, 0, 3).reshape(columns, u.shape[1], -1)


def stage_words(stage: OutputStage) -> NDArray[np.int32]:
    """`OutputStage.words` with a stage of zeros where an output is missing."""
    words = stage.words()
    return np.pad(words, ((0, -len(words) % TOGETHER), (0, 0)))
