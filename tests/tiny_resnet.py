"""A residual network of odd sides that holds every operator which other runtimes are given, small enough for a test."""

from __future__ import annotations

import numpy as np

from tvm_wvv.frontends import tflite
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model
from tvm_wvv.micro.peers import sample
from tvm_wvv.models.random_resnets import LOGITS, Shape, network
from tvm_wvv.reference.golden import Golden

NAME = "tiny"
CONTENT = network(Shape(side=37, stem_kernel=7, widths=(8, 16), blocks=2, classes=5), NAME, 3)


def model() -> QuantModel:
    return tflite.from_bytes(CONTENT, NAME, NAME)


def images(count: int) -> np.ndarray:
    x = sample(model(), count)
    assert x.min() == -128
    return x


def depthwise() -> bytes:
    """One depthwise convolution of stride 2 on odd sides; its input is symmetric, as ncnn wants it."""
    random = np.random.default_rng(2)
    filters, bias = random.integers(-127, 128, (1, 3, 3, 6)).astype(np.int8), np.arange(6, dtype=np.int32) * 100
    scales = tuple(float(one) for one in np.linspace(0.002, 0.004, 6).astype(np.float32))
    biases = tuple(float(np.float32(one) * np.float32(0.5)) for one in scales)
    tensors = [
        Tensor("x", (1, 9, 7, 6), "int8", None, (0.5,), (0,)),
        Tensor("w", filters.shape, "int8", filters, scales, (0,) * 6, 3),
        Tensor("b", bias.shape, "int32", bias, biases, (0,) * 6),
        Tensor("y", (1, 5, 4, 6), "int8", None, (0.4,), (7,)),
    ]
    options = {"padding": "SAME", "strides": (2, 2), "depth_multiplier": 1, "activation": "NONE"}
    return write_model(tensors, [Operator("DEPTHWISE_CONV_2D", ("x", "w", "b"), ("y",), options)], ["x"], ["y"])


def expected(x: np.ndarray) -> np.ndarray:
    """Output bytes of TFLite's reference kernels, one row an image."""
    return Golden(CONTENT).run(x[:, np.newaxis])[LOGITS].reshape(len(x), -1)
