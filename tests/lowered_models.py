"""Small lowered modules made by hand, each with a NumPy twin: what the compiler's middle would give, without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from tvm import relax, s_tir, te, tirx

from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.passes.lowered import LayerReport, Lowered

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Model:
    lowered: Lowered
    oracle: Callable[[Arrays], Arrays]

    def inputs(self, seed: int) -> Arrays:
        """Random bytes, with -128 and 127 among them."""
        rng = np.random.default_rng(seed)
        arrays = [rng.integers(-128, 128, info.shape).astype(info.dtype) for info in self.lowered.inputs]
        for array in arrays:
            array.flat[0], array.flat[-1] = -128, 127
        return tuple(arrays)


def conv_kernel(h: int, w: int, c: int, o: int, *, strip: bool) -> tirx.PrimFunc:
    """3x3, SAME, zero point 5; sums are halved with rounding down. `strip` computes the padding row by row."""
    x = te.placeholder((1, h, w, c), "int8", "x")
    weights = te.placeholder((o, 3, 3, c), "int8", "weights")
    bias = te.placeholder((o,), "int32", "bias")
    padded = te.compute(
        (1, h + 2, w + 2, c),
        lambda n, y, z, i: tirx.if_then_else(
            tirx.all(y >= 1, y < h + 1, z >= 1, z < w + 1),
            x[n, y - 1, z - 1, i].astype("int16") - tirx.const(5, "int16"),
            tirx.const(0, "int16"),
        ),
        name="pad",
    )
    ry, rx, rc = (te.reduce_axis((0, extent)) for extent in (3, 3, c))
    sums = te.compute(
        (1, h, w, o),
        lambda n, y, z, k: te.sum(
            padded[n, y + ry, z + rx, rc].astype("int32") * weights[k, ry, rx, rc].astype("int32"), axis=[ry, rx, rc]
        ),
        name="conv",
    )
    result = te.compute(
        (1, h, w, o),
        lambda n, y, z, k: tirx.Cast("int8", tirx.max(tirx.min(((sums[n, y, z, k] + bias[k]) >> 9) - 3, 127), -128)),
        name="requantize",
    )
    func = te.create_prim_func([x, weights, bias, result])
    if not strip:
        return func
    schedule = s_tir.Schedule(func)
    _, row, _, channel = schedule.get_loops(schedule.get_sblock("requantize"))
    schedule.compute_at(schedule.get_sblock("conv"), channel)
    schedule.compute_at(schedule.get_sblock("pad"), row)
    return schedule.mod["main"]


def conv_oracle(x: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    _, h, w, _ = x.shape
    padded = np.pad(x.astype(np.int64) - 5, ((0, 0), (1, 1), (1, 1), (0, 0)))
    sums = (
        sum(
            padded[:, i : i + h, j : j + w, None, :] * weights[None, None, None, :, i, j]
            for i in range(3)
            for j in range(3)
        ).sum(-1)
        + bias
    )
    return np.clip(np.floor_divide(sums, 512) - 3, -128, 127).astype(np.int8)


def add_kernel(shape: Sequence[int]) -> tirx.PrimFunc:
    a, b = (te.placeholder(shape, "int8", name) for name in "ab")
    return te.create_prim_func(
        [
            a,
            b,
            te.compute(
                shape,
                lambda *at: tirx.Cast(
                    "int8", tirx.max(tirx.min(a[at].astype("int32") + b[at].astype("int32") * 2, 127), -128)
                ),
                name="add",
            ),
        ]
    )


def add_oracle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.clip(a.astype(int) + 2 * b.astype(int), -128, 127).astype(np.int8)


def reverse_kernel(shape: tuple[int, int]) -> tirx.PrimFunc:
    """Not safe in place: element i comes from the other end."""
    a = te.placeholder(shape, "int8", "a")
    return te.create_prim_func([a, te.compute(shape, lambda n, i: a[n, shape[1] - 1 - i], name="reverse")])


class Builder:
    """Adds bindings to a `main` and remembers their layers."""

    def __init__(self, *inputs: tuple[str, tuple[int, ...]]) -> None:
        self.block = relax.BlockBuilder()
        self.inputs = [relax.Var(name, relax.TensorType(list(shape), "int8")) for name, shape in inputs]
        self.layers: dict[str, str] = {}

    def call(self, layer: str, name: str, func: tirx.PrimFunc, *arguments: relax.Expr | np.ndarray) -> relax.Var:
        exprs = [relax.const(a) if isinstance(a, np.ndarray) else a for a in arguments]
        out = func.params[-1].ty
        ty = relax.TensorType([int(extent) for extent in out.shape], str(out.dtype))
        return self._note(layer, self.block.emit(relax.call_tir(self.block.add_func(func, name), exprs, ty)))

    def reshape(self, layer: str, value: relax.Expr, shape: tuple[int, ...]) -> relax.Var:
        return self._note(layer, self.block.emit(relax.op.reshape(value, shape)))

    def _note(self, layer: str, var: relax.Var) -> relax.Var:
        self.layers[var.name] = layer
        return var


def build(
    name: str, inputs: Sequence[tuple[str, tuple[int, ...]]], body: Callable[[Builder], Sequence[relax.Expr]]
) -> Lowered:
    builder = Builder(*inputs)
    with builder.block.function("main", builder.inputs):
        with builder.block.dataflow():
            result = body(builder)
            output = builder.block.emit_output(result[0] if len(result) == 1 else relax.Tuple(list(result)))
        builder.block.emit_func_output(output)
    module = builder.block.get()
    module.update_func(module.get_global_var("main"), module["main"].with_attr("layers", builder.layers))
    names = tuple(dict.fromkeys(builder.layers.values()))
    layers = tuple(LayerReport(n, "conv2d", "direct", None, 10 * i, i, 7, (1, i + 1)) for i, n in enumerate(names))
    infos = [TensorInfo(n, shape, "int8", None) for n, shape in inputs]
    outs = [
        TensorInfo(f"Identity_{i}", tuple(int(e) for e in r.ty.shape.values), "int8", None)
        for i, r in enumerate(result)
    ]
    return Lowered(name, module, layers, tuple(infos), tuple(outs), "00" * 32)


def residual(*, strip: bool = True, depth: int = 2, size: tuple[int, int, int] = (5, 7, 3)) -> Model:
    """`depth` convolutions of one shape in a row, their result added to the first's, one more, then a reshape."""
    h, w, c = size
    rng = np.random.default_rng(7)
    constants = [
        (rng.integers(-128, 128, (c, 3, 3, c)).astype(np.int8), rng.integers(-999, 999, c).astype(np.int32))
        for _ in range(depth + 1)
    ]
    kernel = conv_kernel(h, w, c, c, strip=strip)

    def body(builder: Builder) -> list[relax.Expr]:
        value = first = builder.inputs[0]
        for number, (weights, bias) in enumerate(constants[:-1]):
            value = builder.call(f"block/conv{number};Relu", "conv2d", kernel, value, weights, bias)
            first = value if number == 0 else first
        value = builder.call("block/add */ // ü", "add", add_kernel((1, h, w, c)), value, first)
        value = builder.call("block/last", "conv2d", kernel, value, *constants[-1])
        return [builder.reshape("flatten", value, (1, h * w * c))]

    def oracle(inputs: Arrays) -> Arrays:
        values = [inputs[0]]
        for weights, bias in constants[:-1]:
            values.append(conv_oracle(values[-1], weights, bias))
        return (conv_oracle(add_oracle(values[-1], values[1]), *constants[-1]).reshape(1, -1),)

    return Model(build("residual", [("serving/input:0", (1, h, w, c))], body), oracle)


def awkward() -> Model:
    """Two inputs and four outputs: an input as it came, a constant, and one tensor twice; a reversal in between."""
    table = np.arange(-6, 6, dtype=np.int8).reshape(2, 6)

    def body(builder: Builder) -> list[relax.Expr]:
        a, b = builder.inputs
        total = builder.call("sum", "add", add_kernel((2, 6)), a, b)
        flipped = builder.call("flip", "reverse", reverse_kernel((2, 6)), total)
        again = builder.call("sum2", "add", add_kernel((2, 6)), flipped, table)
        return [again, b, relax.const(table), again]

    def oracle(inputs: Arrays) -> Arrays:
        again = add_oracle(add_oracle(*inputs)[:, ::-1], table)
        return again, inputs[1], table, again

    return Model(build("awkward", [("for", (2, 6)), ("2nd", (2, 6))], body), oracle)


MODELS: dict[str, Callable[[], Model]] = {
    "residual": residual,
    "residual_unscheduled": lambda: residual(strip=False),
    "deep": lambda: residual(depth=5),
    "awkward": awkward,
}
