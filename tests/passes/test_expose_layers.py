"""Every layer as an output, alone or not, and parts of such a network: the bytes of the NumPy oracle's layers."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from integer_network import run_layers

from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.frontends.tflite import load
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.models import packaged
from tvm_wvv.passes.fuse_qdq import FuseQdq
from tvm_wvv.passes.lowered import Lowered
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower
from tvm_wvv.passes.select_layers import select_layers

# What reads block1/conv1's and block1/add's outputs in the packaged network.
READERS = {"block1/conv1": ["block1/conv2"], "block1/add": ["block2/conv1", "block2/shortcut"]}


@pytest.fixture(scope="module")
def digits() -> QuantModel:
    path = packaged("digits")
    assert path is not None
    return load(path)


@pytest.fixture(scope="module")
def values(digits: QuantModel) -> dict[str, np.ndarray]:
    """The input and every layer's output, by the oracle."""
    image = np.random.default_rng(4).integers(-128, 128, digits.inputs[0].shape).astype(np.int8)
    image.flat[0] = -128
    integer = FuseQdq()(digits.module)  # type: ignore[operator]
    return {"image": image, **run_layers(integer, {"image": image})}


@cache
def compiled(lowered: Lowered) -> InProcess:
    return InProcess(lowered)


def run(lowered: Lowered, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    outputs = compiled(lowered).run(tuple(values[info.name] for info in lowered.inputs))
    return dict(zip((info.name for info in lowered.outputs), outputs, strict=True))


def differing(found: dict[str, np.ndarray], values: dict[str, np.ndarray]) -> list[str]:
    return [name for name, value in found.items() if not np.array_equal(value, values[name])]


@pytest.fixture(scope="module")
def alone(digits: QuantModel) -> Lowered:
    return lower(digits, Options(winograd="f2", every_layer=True, alone=True), "cortex_m")


def test_alone_takes_the_input_and_every_layer(alone: Lowered, values: dict[str, np.ndarray]):
    names = [info.name for info in alone.outputs]
    assert [info.name for info in alone.inputs] == ["image", *names] == list(values)
    assert differing(run(alone, values), values) == []


@pytest.mark.parametrize("wrong", READERS)
def test_alone_each_layer_sees_what_it_is_given_and_no_more(alone: Lowered, values: dict[str, np.ndarray], wrong: str):
    given = {**values, wrong: values[wrong] ^ np.int8(0x40)}
    assert differing(run(alone, given), values) == READERS[wrong]


def test_parts_give_what_the_whole_gives(digits: QuantModel, values: dict[str, np.ndarray]):
    whole = lower(digits, Options(winograd="f2", every_layer=True), "cortex_m")
    names = [info.name for info in whole.outputs]
    for part in (names[:3], names[12:13]):
        selected = select_layers(whole, part)
        assert [info.name for info in selected.outputs] == part
        # All that comes before, for each value is computed from the image on.
        assert [layer.name for layer in selected.layers] == names[: names.index(part[-1]) + 1]
        assert differing(run(selected, values), values) == []


def test_parts_of_layers_alone_take_and_compute_nothing_else(alone: Lowered, values: dict[str, np.ndarray]):
    part = select_layers(alone, ["block1/add", "block2/shortcut"])
    assert [info.name for info in part.inputs] == ["stem/conv", "block1/conv2", "block1/add"]
    assert [layer.name for layer in part.layers] == ["block1/add", "block2/shortcut"]
    assert differing(run(part, values), values) == []


def test_a_part_of_unknown_layers_is_our_mistake(alone: Lowered):
    with pytest.raises(AssertionError, match=r"none of \['nowhere'\] is an output of digits"):
        select_layers(alone, ["nowhere"])
