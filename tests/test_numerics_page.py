"""docs/numerics.md and the code cite each other, and what the page states as a fact is computed here again."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from tvm import s_tir

from tvm_wvv.frontends.tflite import load
from tvm_wvv.kernels.dispatch import kernel_of
from tvm_wvv.kernels.equations import EQUATIONS, citation
from tvm_wvv.micro.aot import program
from tvm_wvv.micro.statements import walk
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower
from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.requantize import requantize
from tvm_wvv.transforms.catalog import ALGORITHMS, ARITHMETICS
from tvm_wvv.transforms.cook_toom import cook_toom
from tvm_wvv.transforms.modular import quotient
from tvm_wvv.transforms.points import INFINITY, points
from tvm_wvv.transforms.ranges import input_range

PAGE = (ROOT / "docs" / "numerics.md").read_text(encoding="utf-8")
CITED = re.compile(r"\(numerics\.md, (N\d+(?:, N\d+)*)\)")
A = ops.Affine(0.5, 3)


def equations() -> list[str]:
    """Numbers at the beginning of a line, in the page's order."""
    return re.findall(r"^\((N\d+)\) ", PAGE, re.MULTILINE)


def table() -> dict[str, tuple[list[str], list[str]]]:
    """Python and TensorIR files of each equation."""
    rows = re.findall(r"^\| (N\d+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    return {number: (python.split(", "), kernels.split(", ")) for number, python, kernels in rows}


@cache
def citations() -> dict[str, set[str]]:
    """Which files of the package cite each number; a citation may break over two lines."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tvm_wvv").rglob("*.py"):
        for match in CITED.finditer(re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))):
            for number in match[1].split(", "):
                found.setdefault(number, set()).add(path.relative_to(ROOT / "tvm_wvv").as_posix())
    return found


def test_equations_count_up():
    numbers = equations()
    assert numbers == [f"N{place}" for place in range(1, len(numbers) + 1)]
    assert len(numbers) >= 20


def test_every_equation_has_a_row_with_an_oracle_and_a_kernel():
    assert list(table()) == equations()
    for number, (python, kernels) in table().items():
        assert all(path.split("/")[0] in {"transforms", "quant", "reference"} for path in python), number
        assert all(path.startswith("kernels/") for path in kernels), number


def test_the_table_lists_the_files_that_cite_and_no_others():
    assert {number: {*python, *kernels} for number, (python, kernels) in table().items()} == citations()


def test_what_looks_like_a_citation_is_one():
    for path in (ROOT / "tvm_wvv").rglob("*.py"):
        text = re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))
        assert len(re.findall(r"\(numerics\.md", text)) == len(CITED.findall(text)), path


def test_numbers_in_the_text_exist():
    assert set(re.findall(r"\bN\d+\b", PAGE)) == set(equations())


def test_the_table_of_algorithms_is_what_the_matrices_give():
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if re.match(r"\| f\w+ \| (yes|no) \|", line)]
    assert rows == [facts(name) for name in ALGORITHMS]


def facts(name: str) -> list[str]:
    algorithm = ALGORITHMS[name]
    g = np.array(algorithm.weight_matrix)
    positive, negative = np.maximum(g, 0).sum(axis=1), np.minimum(g, 0).sum(axis=1)
    largest_u = max((positive * 127 - negative * 128).max(), (positive * 128 - negative * 127).max())
    # Both ends are linear in the zero point, so the extremes are reached at its own.
    largest_v = max(abs(end) for z in (-128, 127) for end in input_range(algorithm, (-128 - z, 127 - z)))
    known = quotient(algorithm.scale).limits[1]
    channels = [known // (9 * 127 * span) for span in (255, 128)]
    word = f"2^{known.bit_length() + 1}"
    exact = "yes" if "exact" in ARITHMETICS[name] else "no"
    return [name, exact, *map(str, (algorithm.taps, algorithm.scale, largest_u, largest_v, word, *channels))]


def test_the_matrices_shown_are_those_of_f4():
    start = PAGE.index("       bt   4")
    rows = [list(map(int, re.findall(r"-?\d+", line))) for line in PAGE[start:].split("```")[0].strip().splitlines()]
    f4 = cook_toom(4, 3, points(0, 1, -1, 2, -2, INFINITY))
    assert tuple(tuple(row[:6]) for row in rows) == f4.bt
    assert tuple(tuple(row[6:9]) for row in rows) == f4.g
    assert tuple(tuple(row[9:]) for row in rows[:4]) == f4.at


def test_the_worked_roundings_are_those_of_the_oracle():
    worked = re.findall(r"rq\((-?\d+), 2\^(\d+), (-?\d+)\) = (-?\d+)", PAGE)
    assert len(worked) >= 4
    for acc, power, shift, result in worked:
        assert int(requantize(int(acc), 1 << int(power), int(shift))) == int(result)


OPERATORS: list[tuple[ops.Operator, list[tuple[int, ...]], list[np.ndarray]]] = [
    (ops.Conv2d(A, A, (0.1,), ops.Window(padding=(1, 1, 1, 1))), [(1, 5, 6, 2)], [np.ones((3, 3, 3, 2), np.int8)]),
    (ops.DepthwiseConv2d(A, A, (0.1,), ops.Window(), 1), [(1, 5, 6, 2)], [np.ones((1, 3, 3, 2), np.int8)]),
    (ops.FullyConnected(A, A, (0.1,)), [(1, 4)], [np.ones((3, 4), np.int8)]),
    (ops.Add(A, A, A), [(1, 4), (1, 4)], []),
    (ops.Mul(A, A, A), [(1, 4), (1, 4)], []),
    (ops.AveragePool((2, 2), ops.Window()), [(1, 4, 4, 1)], []),
    (ops.MaxPool((2, 2), ops.Window()), [(1, 4, 4, 1)], []),
    (ops.Mean(A, A, (1, 2), False), [(1, 4, 4, 2)], []),
    (ops.Pad(((0, 0), (1, 2)), 3), [(2, 4)], []),
    (ops.Softmax(A, ops.Affine(1 / 256, -128)), [(2, 5)], []),
    (ops.Requantize(A, A), [(2, 5)], []),
    (ops.Quantize(A), [(2, 5)], []),
    (ops.Dequantize(A), [(2, 5)], []),
    (ops.Relu(A, A, (0, 127)), [(2, 5)], []),
    (ops.Clip((0, 9)), [(2, 5)], []),
]


@pytest.mark.parametrize(("op", "shapes", "constants"), OPERATORS, ids=lambda value: getattr(value, "op", ""))
def test_every_block_of_an_operator_names_its_equations(op, shapes, constants):
    func = kernel_of(op, shapes, constants).func
    blocks = {stmt.name_hint for stmt in walk(func.body) if isinstance(stmt, s_tir.SBlock)} - {"root"}
    assert blocks and blocks <= set(EQUATIONS)


def test_equations_of_blocks_exist():
    assert {number for numbers in EQUATIONS.values() for number in numbers} <= set(equations())


def test_blocks_that_a_schedule_cut_are_one():
    assert citation(["root", "pad", "conv_init", "conv_update", "m_global", "requantize"]) == (
        "pad, conv: N2; requantize: N17, N20"
    )
    assert citation(["root", "reverse"]) is None


def comments(options: Options) -> dict[str, str]:
    """The line above each C function of the packaged network."""
    lowered = lower(load(ROOT / "tvm_wvv" / "models" / "digits.tflite"), options, "cortex_m")
    made = program(lowered)
    texts = {f.name: f.kernel.definition(f.name, restrict=f.restrict) for f in made.functions}
    return {name: text.splitlines()[0] for name, text in texts.items()}


def test_generated_c_names_the_equations_of_each_function():
    found = comments(Options(winograd="off", layers=(("block1/conv1", "f4c:int8"),)))
    shown = [line for line in PAGE.splitlines() if line.startswith("/* tvm_wvv docs/numerics.md")]
    assert shown == [found["digits_winograd_f4c_conv2d_0"]]
    assert all(line.startswith("/* tvm_wvv docs/numerics.md: ") for line in found.values())
    assert found["digits_softmax_0"].endswith("softmax: N24 */")


def test_links_of_the_page_lead_somewhere():
    named = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert named
    assert [link for link in named if not (Path(ROOT) / "docs" / link).exists()] == []
