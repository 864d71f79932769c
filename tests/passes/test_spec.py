"""What `--winograd` and `--layer` may say."""

from __future__ import annotations

import pytest

from tvm_wvv.errors import WvvError
from tvm_wvv.passes.spec import Mode, parse_layer, parse_layer_specs, parse_spec
from tvm_wvv.transforms.catalog import variant

KNOWN = "auto, off, f2, f4, f4c, f4h, f6, f6c, f2x1, f4x1"


def test_modes_and_algorithms():
    assert parse_spec("off") is Mode.OFF
    assert parse_spec("auto") is Mode.AUTO
    assert parse_spec("f2") == parse_spec("f2:exact") == variant("f2:exact")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "of",
            f"--winograd of: no such algorithm; did you mean 'off'? (known: {KNOWN})",
        ),
        ("", f"--winograd : no such algorithm; known: {KNOWN}"),
        (
            "F2",
            f"--winograd F2: no such algorithm; did you mean 'f2'? (known: {KNOWN})",
        ),
        ("f2:float", "f2 has no arithmetic 'float'; known: exact, int16, int8"),
    ],
)
def test_wrong_specs_are_refused_with_a_suggestion(text, message):
    with pytest.raises(WvvError) as caught:
        parse_spec(text)
    assert str(caught.value) == message


def test_a_layer_name_may_hold_an_equals_sign():
    assert parse_layer("net/a=b/conv=f2:exact") == ("net/a=b/conv", "f2:exact")


@pytest.mark.parametrize("text", ["conv", "=f2", "conv=", "="])
def test_a_layer_without_name_or_spec_is_refused(text):
    with pytest.raises(WvvError, match=f"^--layer {text}: expected NAME=SPEC, such as"):
        parse_layer(text)


def test_layers_by_name():
    specs = parse_layer_specs((("b", "off"), ("a", "f2")), ("a", "b", "c"))
    assert specs == {"b": Mode.OFF, "a": variant("f2")}


def test_an_unknown_layer_is_refused_with_a_suggestion():
    with pytest.raises(WvvError) as caught:
        parse_layer_specs((("conv_1", "f2"),), ("conv1", "conv2"))
    assert str(caught.value) == (
        "--layer conv_1=f2: no convolution has this name; did you mean 'conv1'? (known: conv1, conv2)"
    )
