"""Names of algorithms and arithmetics."""

from __future__ import annotations

import pytest

from tvm_wvv.errors import WvvError
from tvm_wvv.transforms.catalog import ALGORITHMS, ARITHMETICS, F2, Variant, by_name, variant


def test_a_bare_name_means_its_first_arithmetic():
    assert variant("f2") == variant("f2:exact") == Variant(F2, "exact")
    assert str(variant("f2")) == "f2:exact"
    assert by_name("f2") is F2


def test_every_algorithm_has_an_arithmetic():
    assert ALGORITHMS.keys() == ARITHMETICS.keys()
    assert all(algorithm.name == name for name, algorithm in ALGORITHMS.items())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("f3", "no algorithm 'f3'; did you mean 'f2'? (known: f2)"),
        ("winograd", "no algorithm 'winograd'; known: f2"),
        ("f2:exakt", "f2 has no arithmetic 'exakt'; did you mean 'exact'? (known: exact)"),
        ("f2:", "f2 has no arithmetic ''; known: exact"),
    ],
)
def test_unknown_names_are_refused_with_a_suggestion(text, message):
    with pytest.raises(WvvError) as caught:
        variant(text)
    assert str(caught.value) == message
