"""The fastest forms that fit a flash: against every selection there is, and on a network."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvm_wvv.frontends.tflite import load
from tvm_wvv.models import packaged
from tvm_wvv.passes.choose import Refusal
from tvm_wvv.passes.flash_budget import Form, fewest_instructions
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower

DIGITS = packaged("digits")


def form(name: str, instructions: float, flash_bytes: int) -> Form:
    return Form(name, Refusal(""), instructions, flash_bytes)


a_form = st.builds(form, st.just("form"), st.integers(1, 1000), st.integers(1, 400))


@given(st.lists(st.lists(a_form, min_size=1, max_size=4), min_size=1, max_size=5), st.integers(1, 2000))
def test_no_selection_that_fits_is_faster(layers: list[list[Form]], budget: int):
    found = fewest_instructions({str(number): choices for number, choices in enumerate(layers)}, budget)
    fitting = [one for one in itertools.product(*layers) if sum(form.flash_bytes for form in one) <= budget]
    assert (found is None) == (not fitting)
    if found is not None:
        # Budgets below the number of units are exact to the byte.
        assert sum(form.flash_bytes for form in found.values()) <= budget
        fewest = min(sum(form.instructions for form in one) for one in fitting)
        assert sum(form.instructions for form in found.values()) == fewest


def test_large_budgets_are_counted_in_units_and_never_exceeded():
    budget = 4_000_000
    layers = {str(number): [form("fast", 1, 1_000_001), form("slow", 100, 500_000)] for number in range(5)}
    found = fewest_instructions(layers, budget)
    assert found is not None
    assert sum(one.flash_bytes for one in found.values()) <= budget
    assert [one.name for one in found.values()].count("fast") == 2
    exact = fewest_instructions({"one": [form("small", 1, budget)]}, budget)
    assert exact is not None
    assert exact["one"].name == "small"


def lowered(**options) -> Lowered:
    assert DIGITS is not None
    return lower(load(DIGITS), Options(**options), "cortex_m_dsp")


def weights(network: Lowered) -> int:
    return sum(layer.weight_bytes for layer in network.layers)


@pytest.mark.parametrize("share", [1.0, 0.7, 0.5, 0.35])
def test_a_network_stays_within_its_flash(share: float):
    fastest, smallest = lowered(), lowered(winograd="off")
    limit = max(int(weights(fastest) * share), weights(smallest))
    fitted = lowered(flash_bytes=limit)
    assert weights(smallest) <= weights(fitted) <= limit
    changed = [new for old, new in zip(fastest.layers, fitted.layers, strict=True) if old.algorithm != new.algorithm]
    assert bool(changed) == (share < 1)
    for layer in changed:
        assert layer.reason is not None
        assert layer.reason.startswith("for flash: f4:exact would take ")


def test_what_was_asked_for_keeps_its_form():
    asked = (("block2/conv2", "f4"), ("block3/conv1", "f2"))
    network = lowered(layers=asked, flash_bytes=200_000)
    forms = {layer.name: layer.algorithm for layer in network.layers}
    assert (forms["block2/conv2"], forms["block3/conv1"]) == ("f4:exact", "f2:exact")
    assert weights(network) <= 200_000


def test_where_nothing_fits_every_layer_has_its_smallest_form():
    network = lowered(flash_bytes=1)
    assert {layer.algorithm for layer in network.layers} == {"direct"}
