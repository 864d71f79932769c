"""Memory of a process that only runs the network: never less than the weights it has to hold."""

from __future__ import annotations

import pytest
import tiny_resnet
from conftest import require_module, require_tool

from tvm_wvv.micro import peer_memory_child
from tvm_wvv.micro.peer_memory import memory_bytes
from tvm_wvv.models.random_resnets import Shape, network
from tvm_wvv.passes.options import Options

# A dense layer of a thousand classes: over half a megabyte of weights.
WIDE = network(Shape(side=9, stem_kernel=3, widths=(512,), blocks=0, classes=1200), "wide", 4)
WEIGHT_BYTES = 512 * 1200


@pytest.mark.parametrize("runtime", ["ours", "ours_in_process", "onnxruntime", "ncnn"])
def test_a_process_grows_by_the_weights_at_least(runtime: str) -> None:
    if runtime == "ours":
        require_tool("cc")
    elif runtime != "ours_in_process":
        require_module(runtime)
        require_module("onnx")
    grown = memory_bytes(WIDE, "wide", Options(mcpu="x86-64"), runtime, batch=2)
    assert grown is not None and WEIGHT_BYTES < grown < 300 << 20


def test_what_the_system_does_not_tell_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(peer_memory_child, "ROLLUP", tmp_path / "nowhere")
    assert memory_bytes(tiny_resnet.CONTENT, "tiny", Options(), "ours") is None
