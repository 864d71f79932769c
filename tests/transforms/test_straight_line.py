"""Programs compute their matrix, whatever it is, with few additions."""

from __future__ import annotations

import pytest
from algorithms import ALL, CATALOG
from hypothesis import given
from hypothesis import strategies as st

from tvm_wvv.transforms.catalog import F2, F4, F4C
from tvm_wvv.transforms.matrix import chain, identity, integers
from tvm_wvv.transforms.straight_line import combinations_of_inputs, naive_additions, outputs, run, straight_line


@st.composite
def matrices(draw, columns=None):
    width = columns or draw(st.integers(1, 6))
    row = st.lists(st.integers(-9, 9), min_size=width, max_size=width).filter(any).map(tuple)
    return tuple(draw(st.lists(row, min_size=1, max_size=6)))


class Seen(list):
    """Every value that is handed in, in order."""

    def keep(self, value):
        self.append(value)
        return value


def product(matrix, vector):
    return [sum(entry * value for entry, value in zip(row, vector, strict=True)) for row in matrix]


@given(matrix=matrices(), data=st.data())
def test_a_program_equals_its_matrix(matrix, data):
    count = len(matrix[0])
    vector = data.draw(st.lists(st.integers(-1000, 1000), min_size=count, max_size=count))
    program = straight_line((matrix,))
    assert run(program, vector) == product(matrix, vector)
    assert program.additions <= naive_additions((matrix,))


@given(first=matrices(), data=st.data())
def test_factors_run_one_after_the_other(first, data):
    second = data.draw(matrices(columns=len(first)))
    vector = list(range(1, len(first[0]) + 1))
    assert run(straight_line((first, second)), vector) == product(second, product(first, vector))


@pytest.mark.parametrize("algorithm", ALL, ids=str)
def test_transforms_equal_their_matrices(algorithm):
    for program, matrix in (
        (algorithm.input_program, algorithm.input_matrix),
        (algorithm.output_program, algorithm.output_matrix),
    ):
        columns = [run(program, [int(k == j) for k in range(program.inputs)]) for j in range(program.inputs)]
        assert tuple(zip(*columns, strict=True)) == matrix


# Input transform, then row by row with nothing shared; output transform, then the same. For one tile of one channel.
ADDITIONS = {
    "f2": (32, 32, 24, 24),
    "f4": (144, 216, 100, 140),
    "f4c": (110, 134, 104, 124),
    "f4h": (216, 312, 120, 140),
    "f6": (448, 896, 280, 448),
    "f6c": (300, 432, 368, 464),
    "f2x1": (12, 12, 12, 12),
    "f4x1": (36, 54, 22, 26),
}


@pytest.mark.parametrize("algorithm", CATALOG, ids=str)
def test_counts_of_additions(algorithm):
    made = (
        algorithm.input_program.additions,
        naive_additions(algorithm.input_factors),
        algorithm.output_program.additions,
        naive_additions(algorithm.output_factors),
    )
    assert made == ADDITIONS[algorithm.name]


def test_complex_f4_needs_no_more_than_what_is_known_to_be_enough():
    """100 for the values and 10 sums a + b; 84 for the outputs and 30 to combine three products each."""
    assert F4C.input_program.additions <= 100 + 10
    assert F4C.output_program.additions <= 84 + 30


def test_separable_factors_take_fewer_additions_than_the_whole_matrix():
    assert F4.input_program.additions < straight_line((integers(chain(F4.input_factors)),)).additions
    assert naive_additions(F4.input_factors) == 216


def test_every_sum_is_bound_once_and_in_order():
    seen = Seen()
    run(F2.input_program, list(range(16)), seen.keep)
    assert len(seen) == F2.input_program.additions


@given(matrix=matrices())
def test_combinations_say_what_every_value_is(matrix):
    program = straight_line((matrix,))
    rows = combinations_of_inputs(program)
    assert rows[: program.inputs] == identity(program.inputs)
    vector = [10**k for k in range(program.inputs)]
    seen = Seen()
    run(program, vector, seen.keep)
    assert product(rows[program.inputs :], vector) == seen


def test_programs_are_the_same_every_time():
    assert straight_line(F4C.input_factors) == straight_line(F4C.input_factors)


def test_a_row_of_zeros_is_refused():
    with pytest.raises(ValueError, match="a row of the matrix is zero"):
        straight_line((((1, 2), (0, 0)),))


@pytest.mark.parametrize("algorithm", CATALOG, ids=str)
def test_sums_come_in_the_order_in_which_outputs_need_them(algorithm):
    """Inputs are loaded late, outputs are ready early: the values that are alive stay few."""
    program = algorithm.input_program
    loaded: list[int] = []
    made: list[int] = []

    def keep(value: int) -> int:
        made.append(value)
        return value

    def load(cell: int) -> int:
        loaded.append(cell)
        return cell

    one_by_one = outputs(program, load, keep)
    for done, _ in enumerate(one_by_one, start=1):
        needed = {term.value for term in program.outputs[:done]}
        # No sum has been made that is not an operand of a later one or an output by now.
        operands = {term.value for pair in program.sums[: len(made)] for term in pair}
        assert set(range(program.inputs, program.inputs + len(made))) <= needed | operands
    assert sorted(loaded) == list(range(program.inputs))
    assert len(made) == program.additions
