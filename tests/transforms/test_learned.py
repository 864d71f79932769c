"""Learned matrices: as text and back, as programs, and what they make of the algorithm that they belong to."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learned_cases import STEPS, learned_transforms, own_transforms

from tvm_wvv.errors import WvvError
from tvm_wvv.transforms.bilinear import computes_convolution
from tvm_wvv.transforms.catalog import Variant, axis_of, by_name, learned, read_variant, variant
from tvm_wvv.transforms.learned import FixedPoint, read_spelled
from tvm_wvv.transforms.straight_line import combinations_of_inputs, run, straight_line

BASES = sorted(STEPS)


@pytest.mark.parametrize("base", BASES)
def test_text_holds_all_of_it(base):
    transforms = learned_transforms(base, seed=1)
    assert read_spelled(transforms.spelled()) == transforms
    chosen = Variant(learned(transforms), "int8")
    assert read_variant(chosen.spelled) == chosen
    assert str(chosen) == f"{base}_flex:int8"
    assert read_variant("f4c:exact") == variant("f4c:exact")


@pytest.mark.parametrize("base", BASES)
def test_the_algorithms_own_matrices_compute_convolution_and_moved_ones_do_not(base):
    own, base_algorithm = learned(own_transforms(base)), by_name(base)
    assert own.input_matrix == base_algorithm.input_matrix and own.output_matrix == base_algorithm.output_matrix
    assert own.weight_matrix == base_algorithm.weight_matrix and own.scale == base_algorithm.scale
    if base != "f6":  # a proof takes 2 million products there
        assert computes_convolution(own) and not computes_convolution(learned(learned_transforms(base)))


@pytest.mark.parametrize("base", BASES)
def test_matrices_on_tiles_are_the_kronecker_squares(base):
    transforms = learned_transforms(base, seed=2)
    algorithm = learned(transforms)
    for made, own in (
        (algorithm.input_matrix, transforms.input),
        (algorithm.weight_matrix, transforms.weight),
        (algorithm.output_matrix, transforms.output),
    ):
        np.testing.assert_array_equal(made, np.kron(own.codes, own.codes))
    steps = transforms.input.denominator * transforms.weight.denominator * transforms.output.denominator
    assert algorithm.scale == (axis_of(base).scale * steps) ** 2


@pytest.mark.parametrize("base", BASES)
def test_programs_of_products_equal_their_matrices(base):
    algorithm = learned(learned_transforms(base, seed=3))
    random = np.random.default_rng(0)
    for program, matrix in (
        (algorithm.input_program, algorithm.input_matrix),
        (algorithm.output_program, algorithm.output_matrix),
    ):
        vector = random.integers(-300, 300, program.inputs).tolist()
        np.testing.assert_array_equal(run(program, vector), np.array(matrix) @ vector)
        # Each sum is what `ranges` takes it for.
        seen = list(vector)

        def keep(value: int, seen: list[int] = seen) -> int:
            seen.append(value)
            return value

        run(program, vector, keep)
        np.testing.assert_array_equal(np.array(combinations_of_inputs(program)) @ vector, seen)


@given(row=st.lists(st.integers(-127, 127), min_size=1, max_size=8).filter(any))
def test_an_entry_is_one_product_at_most(row):
    program = straight_line(((tuple(row),),), products=True)
    assert program.additions == sum(entry != 0 for entry in row) - 1
    vector = list(range(3, 3 + len(row)))
    assert run(program, vector) == [sum(entry * value for entry, value in zip(row, vector, strict=True))]


def test_lowest_terms():
    assert FixedPoint(((64, -32), (0, 16)), 16).reduced() == FixedPoint(((4, -2), (0, 1)), 1)
    assert FixedPoint(((8, 3),), 16).reduced() == FixedPoint(((8, 3),), 16)
    assert FixedPoint(((8, 4),), 2).reduced() == FixedPoint(((4, 2),), 1)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("f4c", "f4c has complex points, whose three products"), ("f4x1", "f4x1 is fast along the width only")],
)
def test_what_has_no_learned_form_says_why(name, reason):
    with pytest.raises(WvvError, match=f"^{re.escape(reason)}"):
        axis_of(name)
