"""Other runtimes give nearly the reference's bytes on the same network; where they would not, times mean nothing."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_resnet
from command_line import convolution
from conftest import require_module
from float_edges import with_float_edges

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends import tflite
from tvm_wvv.micro import peers
from tvm_wvv.passes.options import Options
from tvm_wvv.reference.golden import Golden

COUNT = 5


def apart(run: peers.Run, x: np.ndarray) -> np.ndarray:
    """How far the output is from the reference's, after the call has been made twice."""
    run()
    run()
    output = run.output()
    assert output.dtype == np.int8 and len(output) == len(x)
    return np.abs(output.reshape(len(x), -1).astype(np.int16) - tiny_resnet.expected(x))


@pytest.mark.parametrize("threads", [1, 2])
def test_ours_gives_the_references_bytes(threads: int) -> None:
    x = tiny_resnet.images(COUNT)
    assert not apart(peers.ours(tiny_resnet.CONTENT, x, Options(mcpu="native"), threads), x).any()


@pytest.mark.parametrize("threads", [1, 2])
def test_onnxruntime_is_a_rounding_apart(threads: int) -> None:
    require_module("onnx")
    require_module("onnxruntime")
    x = tiny_resnet.images(COUNT)
    # It rounds once where the reference rounds twice, in every layer.
    assert apart(peers.onnxruntime(tiny_resnet.model(), x, threads), x).max() <= 2


@pytest.mark.parametrize("threads", [1, 2])
def test_ncnn_is_near(threads: int) -> None:
    require_module("ncnn")
    x = tiny_resnet.images(COUNT)
    # 127 steps for what has 255 in TFLite; logits of 96 steps reach.
    assert apart(peers.ncnn(tiny_resnet.model(), x, threads), x).max() <= 6


@pytest.mark.parametrize("batch", [1, COUNT])
def test_xnnpack_is_a_rounding_apart(batch: int) -> None:
    pytest.importorskip("ai_edge_litert")
    x = tiny_resnet.images(batch)
    assert apart(peers.xnnpack(tiny_resnet.CONTENT, x), x).max() <= 2


@pytest.mark.parametrize("runtime", ["onnxruntime", "ncnn"])
def test_a_depthwise_convolution_is_a_rounding_apart_and_its_image_has_channels_last(runtime: str) -> None:
    require_module("onnx")
    require_module(runtime)
    content = tiny_resnet.depthwise()
    model = tflite.from_bytes(content, "depthwise", "depthwise")
    # ncnn has no code for -128.
    x = np.maximum(peers.sample(model, 3), -127 if runtime == "ncnn" else -128)
    found = getattr(peers, runtime)(model, x)
    found()
    reference = Golden(content).run(x[:, np.newaxis])["y"][:, 0]
    assert len(np.unique(reference)) > 100
    assert np.abs(found.output().astype(np.int16) - reference).max() <= 1


def test_fewer_images_are_the_first_of_more() -> None:
    np.testing.assert_array_equal(tiny_resnet.images(2), tiny_resnet.images(3)[:2])


def test_a_network_of_other_ports_is_refused() -> None:
    with pytest.raises(WvvError, match=r"^real: a comparison needs one int8 input and one int8 output"):
        peers.runs(with_float_edges(tiny_resnet.CONTENT), "real", Options())
    with pytest.raises(WvvError, match=r"^two: the input is \(2, 9, 7, 3\), a comparison needs one image"):
        peers.runs(convolution("int8", "int8", (2, 9, 7, 3)), "two", Options())
