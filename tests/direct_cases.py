"""Random layers for the direct microkernels: kernels, inputs of awkward shapes, and the oracle's bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tvm_wvv.kernels import direct_dsp, direct_mve
from tvm_wvv.kernels.kernel import Kernel
from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.fixed_point import to_float32
from tvm_wvv.reference.apply import apply

CLAMPS = ((-128, 127), (-128, 127), (-20, 90), (-128, 50))


@dataclass(frozen=True, eq=False)
class Case:
    """A layer that has a microkernel. `function` is the C function's name."""

    function: str
    kernel: Kernel
    inputs: tuple[np.ndarray, ...]
    expected: np.ndarray


def cases(seed: int, each: int) -> Iterator[Case]:
    """`each` cases of each kind, and some that are too wide for a ring of padded rows."""
    rng = np.random.default_rng(seed)
    makers = (_conv, _depthwise, _dense, _add, _pool, _mean, _softmax, _lookup)
    for make in (*makers, _vector_conv, _vector_dense, _vector_ties, _vector_depthwise):
        for _ in range(each):
            yield make(rng)
    yield _wide_depthwise(rng, ops.Window((3, 3), (1, 1), (1, 1, 1, 1)))
    yield _wide_depthwise(rng, ops.Window((3, 2), (2, 2), (0, 3, 2, 0)))


def _case(function: str, op: ops.Operator, inputs: tuple[np.ndarray, ...], constants: tuple[np.ndarray, ...]) -> Case:
    maker = direct_mve if function.startswith("wvv_mve_") else direct_dsp
    kernel = maker.direct_kernel(op, [one.shape for one in inputs], constants)
    assert kernel is not None, op
    return Case(function, kernel, inputs, apply(op, inputs, constants))


def _conv(rng: np.random.Generator) -> Case:
    outputs, channels, kernel = int(rng.integers(1, 8)), int(rng.integers(1, 10)), tuple(rng.integers(1, 4, 2).tolist())
    weights = _bytes(rng, (outputs, *kernel, channels))
    window = _window(rng)
    x = _bytes(rng, (int(rng.integers(1, 3)), *_size(rng, kernel, window), channels))
    op = ops.Conv2d(*_scales(rng, outputs, weights[0].size), window, _clamp(rng))
    return _case("wvv_conv2d", op, (x,), (weights, _bias(rng, outputs)))


def _depthwise(rng: np.random.Generator) -> Case:
    channels = 4 * int(rng.integers(1, 5))
    window = _window(rng)
    x = _bytes(rng, (int(rng.integers(1, 3)), *_size(rng, (3, 3), window), channels))
    op = ops.DepthwiseConv2d(*_scales(rng, channels, 9), window, 1, _clamp(rng))
    return _case("wvv_depthwise", op, (x,), (_bytes(rng, (1, 3, 3, channels)), _bias(rng, channels)))


def _wide_depthwise(rng: np.random.Generator, window: ops.Window) -> Case:
    op = ops.DepthwiseConv2d(*_scales(rng, 64, 9), window, 1, _clamp(rng))
    return _case("wvv_depthwise", op, (_bytes(rng, (1, 5, 40, 64)),), (_bytes(rng, (1, 3, 3, 64)), _bias(rng, 64)))


def _dense(rng: np.random.Generator) -> Case:
    rows, inputs, outputs = int(rng.integers(1, 3)), int(rng.integers(1, 70)), int(rng.integers(1, 11))
    source, output, scales = _scales(rng, outputs, inputs)
    op = ops.FullyConnected(source, output, scales, _clamp(rng))
    return _case("wvv_dense", op, (_bytes(rng, (rows, inputs)),), (_bytes(rng, (outputs, inputs)), _bias(rng, outputs)))


def _add(rng: np.random.Generator) -> Case:
    shape = tuple(rng.integers(1, 6, 3).tolist())
    lhs, rhs, output = (ops.Affine(to_float32(2.0 ** rng.uniform(-4, 0)), _zero_point(rng)) for _ in range(3))
    return _case("wvv_add", ops.Add(lhs, rhs, output, _clamp(rng)), (_bytes(rng, shape), _bytes(rng, shape)), ())


def _pool(rng: np.random.Generator) -> Case:
    """Windows of one to many places; some of so many that sums pass 16 bits."""
    size = (3, 120) if rng.integers(0, 8) == 0 else tuple(rng.integers(1, 7, 2).tolist())
    top, left, bottom, right = (int(rng.integers(0, min(taps, 3))) for taps in 2 * size)
    padding = (top, left, bottom, right) if rng.integers(0, 2) else (0, 0, 0, 0)
    window = ops.Window(tuple(rng.integers(1, 4, 2).tolist()), (1, 1), padding)
    kind = ops.AveragePool if rng.integers(0, 2) else ops.MaxPool
    channels = int(rng.choice([1, 3, 4, 7, 8, 11, 16, 19, 32]))
    batch = int(rng.integers(1, 3)) if channels < 32 else 1
    x = _bytes(rng, (batch, *_size(rng, size, window), channels))
    return _case("wvv_pool", kind(size, window, _clamp(rng)), (x,), ())


def _mean(rng: np.random.Generator) -> Case:
    axes = [(1,), (2,), (1, 2), (0, 1, 2)][int(rng.integers(4))]
    shape = (*rng.integers(1, 15, 3).tolist(), int(rng.choice([1, 5, 8, 18])))
    ratio = 2.0 ** rng.uniform(-3, 2) if rng.integers(0, 4) else 2.0 ** int(rng.integers(-2, 1))
    count = math.prod(shape[axis] for axis in axes)
    # Times more would shift to the left.
    most = 2.0 ** (count.bit_length() - 2)
    output = ops.Affine(to_float32(1 / min(ratio, most)), _zero_point(rng))
    op = ops.Mean(ops.Affine(1.0, _zero_point(rng)), output, axes, bool(rng.integers(0, 2)))
    return _case("wvv_pool", op, (_bytes(rng, shape),), ())


def _softmax(rng: np.random.Generator) -> Case:
    """Rows of all shares: one number that takes everything, or so many that none is left with any."""
    size = int(rng.choice([1, 2, 10, 17, 33, 1000]))
    shape = (int(rng.integers(1, 4)), size)
    scale = to_float32(2.0 ** rng.uniform(-12, 1))
    op = ops.Softmax(ops.Affine(scale, _zero_point(rng)), ops.Affine(2.0**-8, -128), float(rng.choice([1.0, 0.5])))
    return _case("wvv_softmax", op, (_bytes(rng, shape),), ())


def _lookup(rng: np.random.Generator) -> Case:
    source, output = (ops.Affine(to_float32(2.0 ** rng.uniform(-4, 0)), _zero_point(rng)) for _ in range(2))
    clamp = _clamp(rng)
    made: tuple[ops.Operator, ...] = ops.Requantize(source, output), ops.Relu(source, output, clamp), ops.Clip(clamp)
    shape = tuple(rng.integers(1, 9, 3).tolist())
    return _case("wvv_lookup", made[int(rng.integers(3))], (_bytes(rng, shape),), ())


def _vector_conv(rng: np.random.Generator) -> Case:
    """Of one to more vectors than the loop has rounds; some without padding whose pixels serve as columns."""
    serves = rng.integers(0, 4) == 0
    kernel = (1, 1) if serves else tuple(rng.integers(1, 4, 2).tolist())
    channels = int(rng.choice([1, 3, 8, 16, 24, 48])) if serves else int(rng.choice([1, 3, 5, 9, 16, 17, 21, 32]))
    outputs, window = int(rng.integers(1, 11)), _window(rng)
    if serves:
        window = ops.Window(window.strides)
    weights = _bytes(rng, (outputs, *kernel, channels))
    x = _bytes(rng, (int(rng.integers(1, 3)), *_size(rng, kernel, window), channels))
    op = ops.Conv2d(*_scales(rng, outputs, weights[0].size), window, _clamp(rng))
    return _case("wvv_mve_conv2d", op, (x,), (weights, _bias(rng, outputs)))


def _vector_dense(rng: np.random.Generator) -> Case:
    rows, inputs, outputs = int(rng.integers(1, 4)), int(rng.choice([1, 15, 16, 64, 70, 200])), int(rng.integers(1, 11))
    source, output, scales = _scales(rng, outputs, inputs)
    op = ops.FullyConnected(source, output, scales, _clamp(rng))
    constants = _bytes(rng, (outputs, inputs)), _bias(rng, outputs)
    return _case("wvv_mve_conv2d", op, (_bytes(rng, (rows, inputs)),), constants)


def _vector_depthwise(rng: np.random.Generator) -> Case:
    """More than sixteen outputs in some, windows of more than four rows or columns in others; half of them 3x3."""
    kernel = (3, 3) if rng.integers(0, 2) else tuple(rng.integers(1, 7, 2).tolist())
    channels = int(rng.choice([1, 2, 4, 5, 8, 16, 18, 20]))
    multiplier = int(rng.choice([1, 1, 2, 3])) if channels < 16 else 1
    window, outputs = _window(rng), channels * multiplier
    x = _bytes(rng, (2 if outputs < 12 else 1, *_size(rng, kernel, window), channels))
    op = ops.DepthwiseConv2d(*_scales(rng, outputs, kernel[0] * kernel[1]), window, multiplier, _clamp(rng))
    return _case("wvv_mve_depthwise", op, (x,), (_bytes(rng, (1, *kernel, outputs)), _bias(rng, outputs)))


def _vector_ties(rng: np.random.Generator) -> Case:
    """Multipliers of 1/2 to 1/128: sums often lie in the middle of two outputs, on both sides of zero."""
    outputs = int(rng.integers(1, 11))
    scales = tuple(2.0 ** -int(rng.integers(1, 8)) for _ in range(outputs))
    source, output = ops.Affine(1.0, _zero_point(rng)), ops.Affine(1.0, int(rng.integers(-128, 128)))
    op = ops.Conv2d(source, output, scales, ops.Window(), _clamp(rng))
    weights, x = rng.integers(-1, 2, (outputs, 1, 1, 5)).astype(np.int8), _bytes(rng, (1, 5, 7, 5))
    return _case("wvv_mve_conv2d", op, (x,), (weights, rng.integers(-99, 99, outputs, dtype=np.int32)))


def _bytes(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random bytes, -128 among them; one time in four nothing but both ends of the range."""
    ends = rng.integers(0, 4) == 0
    made = rng.choice(np.array([-128, 127]), shape) if ends else rng.integers(-128, 128, shape)
    made.flat[0] = -128
    return made.astype(np.int8)


def _bias(rng: np.random.Generator, outputs: int) -> np.ndarray:
    return rng.integers(-20000, 20000, outputs, dtype=np.int32)


def _zero_point(rng: np.random.Generator) -> int:
    return int(rng.choice([-128, 127, 0, int(rng.integers(-128, 128))]))


def _clamp(rng: np.random.Generator) -> ops.Pair:
    return CLAMPS[int(rng.integers(len(CLAMPS)))]


def _window(rng: np.random.Generator) -> ops.Window:
    strides, dilation = tuple(rng.integers(1, 4, 2).tolist()), tuple(rng.choice([1, 1, 2], 2).tolist())
    padding = tuple(rng.integers(0, 3, 4).tolist()) if rng.integers(0, 2) else (0, 0, 0, 0)
    return ops.Window(strides, dilation, padding)


def _size(rng: np.random.Generator, kernel: tuple[int, ...], window: ops.Window) -> tuple[int, int]:
    """An image that holds at least one window without its padding."""
    spans = [(taps - 1) * dilation + 1 for taps, dilation in zip(kernel, window.dilation, strict=True)]
    return int(rng.integers(spans[0], max(spans[0], 8) + 1)), int(rng.integers(spans[1], max(spans[1], 8) + 1))


def _scales(rng: np.random.Generator, outputs: int, taps: int) -> tuple[ops.Affine, ops.Affine, tuple[float, ...]]:
    """Sums fill the int8 range about once; some channels are dead, their scales far too small."""
    weights = [to_float32(2.0 ** rng.uniform(-9, -6)) for _ in range(outputs)]
    weights = [to_float32(2.0**-40) if rng.integers(0, 12) == 0 else one for one in weights]
    source = ops.Affine(to_float32(2.0 ** rng.uniform(-6, -2)), _zero_point(rng))
    output = ops.Affine(to_float32(source.scale * 2.0**-7 * 60 * taps**0.5), _zero_point(rng))
    return source, output, tuple(weights)
