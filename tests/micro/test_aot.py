"""What the compiler decides: which kernels are one function, what is overwritten, and where everything lies.

Programs are executed here by a small interpreter on byte arrays, element by element as the C does it, with the arena
full of rubbish at the start: an overlap of two live tensors, or an overwritten input, gives wrong bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowered_models import Arrays, Builder, Model, add_kernel, add_oracle, build, conv_kernel, residual, reverse_kernel
from tvm import relax, s_tir, te, tirx

from tvm_wvv.micro.aot import Copy, Invoke, Program, Skip, program
from tvm_wvv.micro.in_place import in_place_inputs
from tvm_wvv.micro.storage import Place

WIDTH = 6


@dataclass
class Memory:
    program: Program
    inputs: list[np.ndarray]
    outputs: list[np.ndarray]
    arena: np.ndarray

    def view(self, place: Place, size: int = 2 * WIDTH) -> np.ndarray:
        match place.region:
            case "input":
                return self.inputs[place.number]
            case "output":
                return self.outputs[place.number]
            case "weight":
                return self.program.weights[place.name].reshape(-1)
        return self.arena[place.number : place.number + size]


def add_loop(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(out)):
        out[i] = np.clip(int(a[i]) + 2 * int(b[i]), -128, 127)


def reverse_loop(a: np.ndarray, out: np.ndarray) -> None:
    for row in range(0, len(out), WIDTH):
        for i in range(WIDTH):
            out[row + i] = a[row + WIDTH - 1 - i]


def execute(made: Program, inputs: Arrays) -> Arrays:
    arena = np.random.default_rng(1).integers(-128, 128, made.arena_bytes).astype(np.int8)
    outputs = [np.full(port.bytes, 77, np.int8) for port in made.outputs]
    memory = Memory(made, [array.reshape(-1).copy() for array in inputs], outputs, arena)
    for step in made.steps:
        match step:
            case Invoke():
                loop: Callable[..., None] = add_loop if "_add_" in step.function else reverse_loop
                loop(*(memory.view(place) for place in step.arguments))
            case Copy():
                outputs[step.output][:] = memory.view(step.source, step.bytes)
    for before, after in zip(inputs, memory.inputs, strict=True):
        np.testing.assert_array_equal(before.reshape(-1), after)
    return tuple(outputs)


def drawn_model(choices: list[tuple[int, int, int]], returned: list[int]) -> Model:
    """Any mixture of sums, reversals and reshapes of two inputs and a constant, returning any of the tensors."""
    table = (np.arange(2 * WIDTH, dtype=np.int8) - 5).reshape(2, WIDTH)

    def body(builder: Builder) -> list[relax.Expr]:
        values: list[relax.Expr] = [*builder.inputs, relax.const(table)]
        for number, (kind, left, right) in enumerate(choices):
            a, b = values[left % len(values)], values[right % len(values)]
            layer = f"layer{number // 2}"
            if kind == 0:
                values.append(builder.call(layer, "add", add_kernel((2, WIDTH)), a, b))
            elif kind == 1:
                values.append(builder.call(layer, "reverse", reverse_kernel((2, WIDTH)), a))
            else:
                values.append(builder.reshape(layer, a, (2, WIDTH)))
        return [values[r % len(values)] for r in returned]

    def oracle(inputs: Arrays) -> Arrays:
        values = [*inputs, table]
        for kind, left, right in choices:
            a, b = values[left % len(values)], values[right % len(values)]
            values.append(add_oracle(a, b) if kind == 0 else a[:, ::-1] if kind == 1 else a)
        return tuple(values[r % len(values)] for r in returned)

    return Model(build("drawn", [("x", (2, WIDTH)), ("y", (2, WIDTH))], body), oracle)


@settings(max_examples=120, deadline=None)
@given(
    choices=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(0, 9)), max_size=9),
    returned=st.lists(st.integers(0, 12), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_any_graph_computes_what_it_says_on_shared_memory(choices, returned, seed):
    model = drawn_model(choices, returned)
    inputs = model.inputs(seed)
    made = program(model.lowered)
    for got, expected in zip(execute(made, inputs), model.oracle(inputs), strict=True):
        np.testing.assert_array_equal(got, expected.reshape(-1))
    assert {f.name for f in made.functions} <= {"drawn_add_0", "drawn_reverse_0"}


def test_code_does_not_grow_with_depth():
    shallow, deep = program(residual(depth=1).lowered), program(residual(depth=6).lowered)
    assert [f.name for f in deep.functions] == ["residual_conv2d_0", "residual_add_0"]
    assert shallow.functions == deep.functions
    assert deep.arena_bytes == 3 * 112  # the skip connection, and a tensor on either side of a convolution


def test_the_add_of_a_residual_block_works_in_place_and_so_without_restrict():
    made = program(residual().lowered)
    (add,) = (step for step in made.steps if isinstance(step, Invoke) and "_add_" in step.function)
    assert add.arguments[2] == add.arguments[0] != add.arguments[1]
    assert {f.name: f.restrict for f in made.functions} == {"residual_conv2d_0": True, "residual_add_0": False}


def test_a_reshape_is_marked_and_costs_nothing():
    made = program(residual().lowered)
    assert made.steps[-1] == Skip(4) and made.layers[4] == "flatten"


def test_stages_of_one_layer_count_as_its_workspace():
    def body(builder: Builder) -> list[relax.Expr]:
        value = builder.call("first", "add", add_kernel((2, WIDTH)), *builder.inputs)
        inner = builder.call("second", "reverse", reverse_kernel((2, WIDTH)), value)
        value = builder.call("second", "reverse", reverse_kernel((2, WIDTH)), inner)
        return [builder.call("third", "reverse", reverse_kernel((2, WIDTH)), value)]

    made = program(build("staged", [("x", (2, WIDTH)), ("y", (2, WIDTH))], body))
    assert made.layer_workspace == (0, 12, 0)
    assert (made.peak.layer, made.peak.input_bytes, made.peak.workspace_bytes, made.peak.output_bytes) == (
        "second",
        12,
        12,
        0,
    )


def test_peak_names_the_layer_and_its_parts():
    made = program(residual(strip=False).lowered)
    assert made.peak.layer == "block/conv1;Relu"
    assert (made.peak.input_bytes, made.peak.workspace_bytes, made.peak.output_bytes) == (105, 816, 105)
    assert made.arena_bytes == 112 + 816 + 112


def test_equal_constants_are_stored_once_and_named_by_their_first_reader():
    table = np.ones((2, WIDTH), np.int8)

    def body(builder: Builder) -> list[relax.Expr]:
        value = builder.call("one", "add", add_kernel((2, WIDTH)), *builder.inputs)
        value = builder.call("two", "add", add_kernel((2, WIDTH)), table, value)
        return [builder.call("three", "add", add_kernel((2, WIDTH)), value, table.copy())]

    made = program(build("consts", [("x", (2, WIDTH)), ("y", (2, WIDTH))], body))
    assert list(made.weights) == ["consts_l1_a"]


def elementwise(shape: tuple[int, ...], other: tuple[int, ...], dtype: str = "int8") -> tirx.PrimFunc:
    a, b = te.placeholder(shape, "int8", "a"), te.placeholder(other, "int8", "b")
    scaled = te.compute(shape, lambda *at: a[at].astype("int32") * 3, name="scaled")
    return te.create_prim_func(
        [
            a,
            b,
            te.compute(shape, lambda *at: (scaled[at] + b[at[: len(other)]].astype("int32")).astype(dtype), name="out"),
        ]
    )


def row_maximum(rows: int, columns: int) -> tirx.PrimFunc:
    x = te.placeholder((rows, columns), "int8", "x")
    k = te.reduce_axis((0, columns))
    most = te.compute((rows,), lambda r: te.max(x[r, k], axis=k), name="most")
    return te.create_prim_func([x, te.compute((rows, columns), lambda r, c: most[r] - x[r, c], name="out")])


@pytest.mark.parametrize(
    ("func", "expected"),
    [
        (add_kernel((2, 3)), (0, 1)),
        (add_kernel((1, 3)), (0, 1)),
        (elementwise((4, 3), (4, 3)), (0, 1)),
        (elementwise((4, 3), (4,)), (0,)),  # b is broadcast, and smaller
        (elementwise((4, 3), (4, 3), "int16"), ()),  # the output is wider
        (reverse_kernel((2, 6)), ()),  # reads elsewhere
        (row_maximum(3, 5), ()),  # reads a row for each element
        (conv_kernel(3, 4, 2, 2, strip=True), ()),
        (reverse_kernel((2, 6)).with_attr("wvv.in_place", [0]), (0,)),
        (add_kernel((2, 3)).with_attr("wvv.in_place", []), ()),
    ],
    ids=str,
)
def test_which_inputs_may_be_overwritten(func, expected):
    assert in_place_inputs(func) == expected


def test_a_scheduled_elementwise_kernel_may_still_work_in_place():
    schedule = s_tir.Schedule(elementwise((4, 3), (4, 3)))
    loops = schedule.get_loops(schedule.get_sblock("out"))
    schedule.compute_at(schedule.get_sblock("scaled"), loops[0])
    assert in_place_inputs(schedule.mod["main"]) == (0, 1)
