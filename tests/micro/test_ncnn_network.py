"""What is written for ncnn: layers that join, weights that are all read, scales that undo TFLite's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tiny_resnet

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends import tflite
from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model
from tvm_wvv.micro.ncnn_network import NcnnNetwork, to_ncnn
from tvm_wvv.micro.peers import integer
from tvm_wvv.passes import integer_ops


def written() -> NcnnNetwork:
    model = tiny_resnet.model()
    return to_ncnn(integer(model), model.inputs[0].shape)


def layers(param: str) -> list[tuple[str, list[str], list[str], dict[int, int]]]:
    """Kind, inputs, outputs and settings of each layer, as ncnn's text format has them."""
    rows = []
    for line in param.splitlines()[2:]:
        kind, _, inputs, outputs, *rest = line.split()
        one, two = int(inputs), int(inputs) + int(outputs)
        settings = {int(key): int(value) for key, value in (word.split("=") for word in rest[two:])}
        rows.append((kind, rest[:one], rest[one:two], settings))
    return rows


def test_every_blob_is_made_once_before_it_is_read_once() -> None:
    network = written()
    magic, counts = network.param.splitlines()[:2]
    rows, made = layers(network.param), list[str]()
    for _, inputs, outputs, _ in rows:
        for name in inputs:
            made.remove(name)
        assert not set(made) & set(outputs)
        made += outputs
    assert made == [network.output]
    assert magic == "7767517" and counts == f"{len(rows)} {sum(len(outputs) for _, _, outputs, _ in rows)}"


def test_only_what_goes_to_convolutions_alone_is_requantized() -> None:
    rows = layers(written().param)
    readers = {name: kind for kind, inputs, _, _ in rows for name in inputs}
    convolutions = [(outputs[0], settings[8]) for kind, _, outputs, settings in rows if kind == "Convolution"]
    assert {term for _, term in convolutions} == {2, 102}
    for name, term in convolutions:
        assert (term == 102) == (readers[name] == "Convolution"), name


def test_the_binary_holds_weights_biases_and_scales_of_every_layer_and_nothing_else() -> None:
    network, at, integer_layers = written(), 0, list(weighted())
    for kind, _, _, settings in layers(network.param):
        if kind not in ("Convolution", "InnerProduct"):
            continue
        op, (weights, bias) = integer_layers.pop(0)
        ncnn_order = weights.transpose(0, 3, 1, 2) if kind == "Convolution" else weights
        size = settings[6 if kind == "Convolution" else 2]
        assert network.binary[at : at + 4] == bytes.fromhex("384b0d00") and size == weights.size
        np.testing.assert_array_equal(np.frombuffer(network.binary, np.int8, size, at + 4), ncnn_order.reshape(-1))
        at += 4 + -(-size // 4) * 4
        count = len(weights)
        real_bias, weight_steps = np.frombuffer(network.binary, "<f4", 2 * count, at).reshape(2, count)
        scales = np.broadcast_to(np.array(op.weight_scales), count)
        np.testing.assert_allclose(weight_steps * scales, 1, rtol=1e-6)
        np.testing.assert_allclose(real_bias, bias * scales * op.input.scale, rtol=1e-6)
        at += 8 * count
        ends = [op.input, *([op.output] if settings[8] == 102 else [])]
        # The code farthest from zero becomes 127, or -127.
        for affine, steps in zip(ends, np.frombuffer(network.binary, "<f4", len(ends), at), strict=True):
            reach = affine.scale * max(127 - affine.zero_point, affine.zero_point + 128)
            assert reach * steps == pytest.approx(127, rel=1e-6)
        at += 4 * len(ends)
    assert at == len(network.binary) and not integer_layers


def weighted() -> Iterator[tuple[Any, list[np.ndarray]]]:
    """Operators with weights, and these."""
    main = integer(tiny_resnet.model())["main"]
    for binding in (one for block in main.body.blocks for one in block.bindings):
        if integer_ops.is_integer_op(binding.value):
            constants = integer_ops.split_args(binding.value)[1]
            if constants:
                yield integer_ops.read(binding.value), [constant.value.numpy() for constant in constants]


def test_an_operator_that_is_not_written_is_refused() -> None:
    model = tflite.from_bytes(product(), "product", "product")
    with pytest.raises(WvvError, match="mul is not written for ncnn; measure a network of conv2d, "):
        to_ncnn(integer(model), (1, 4, 3, 2))


def product() -> bytes:
    """A model that squares its input."""
    tensors = [Tensor(name, (1, 4, 3, 2), "int8", None, (0.5,), (3,)) for name in ("x", "y")]
    return write_model(tensors, [Operator("MUL", ("x", "x"), ("y",))], ["x"], ["y"])
