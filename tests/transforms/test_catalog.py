"""Names of algorithms and arithmetics."""

from __future__ import annotations

import pytest

from tvm_wvv.errors import WvvError
from tvm_wvv.transforms.catalog import ALGORITHMS, ARITHMETICS, F2, F6, Variant, by_name, variant
from tvm_wvv.transforms.ranges import input_range

KNOWN = "f2, f4, f4c, f4h, f6, f6c, f2x1, f4x1"


def test_a_bare_name_means_its_first_arithmetic():
    assert variant("f2") == variant("f2:exact") == Variant(F2, "exact")
    assert variant("f6") == variant("f6:int16") == Variant(F6, "int16")
    assert str(variant("f4c:int8")) == "f4c:int8"
    assert by_name("f2") is F2


def test_every_algorithm_has_an_arithmetic():
    assert ALGORITHMS.keys() == ARITHMETICS.keys()
    assert all(algorithm.name == name for name, algorithm in ALGORITHMS.items())
    assert all(known[-2:] == ("int16", "int8") for known in ARITHMETICS.values())


@pytest.mark.parametrize("name", ALGORITHMS)
def test_exact_is_offered_where_any_int8_operands_fit_int16(name):
    one = ALGORITHMS[name]
    weights = max(128 * sum(map(abs, row)) for row in one.weight_matrix)
    fits = -weights >= -32768 and input_range(one, (-255, 255))[1] <= 32767
    assert ("exact" in ARITHMETICS[name]) == fits


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("f3", f"no algorithm 'f3'; did you mean 'f6'? (known: {KNOWN})"),
        ("winograd", f"no algorithm 'winograd'; known: {KNOWN}"),
        ("f2:exakt", "f2 has no arithmetic 'exakt'; did you mean 'exact'? (known: exact, int16, int8)"),
        ("f6:exact", "f6 has no arithmetic 'exact'; known: int16, int8"),
        ("f2:", "f2 has no arithmetic ''; known: exact, int16, int8"),
    ],
)
def test_unknown_names_are_refused_with_a_suggestion(text, message):
    with pytest.raises(WvvError) as caught:
        variant(text)
    assert str(caught.value) == message
