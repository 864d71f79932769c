"""Networks of random weights: the same bytes everywhere, alive in every layer, compiled as the reference computes."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tvm_wvv.frontends import tflite
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.models.random_resnets import LOGITS, NETWORKS, POOL, VECTOR, Shape, main, network
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower
from tvm_wvv.reference.golden import Golden

DIGESTS = {
    "resnet20": "4987f2a3eb7abfcf19cb0b363fbdeb4d0b05cf45f5c7e17e79e409e2e8a01ac7",
    "resnet18": "825a4439777c0e45aa34cf5e72f413da84fbaabba3eaaab737e7fad7efd9d0c9",
}
MACS = {"resnet20": 40_813_184, "resnet18": 1_814_073_344}


@cache
def content(name: str) -> bytes:
    return NETWORKS[name]()


def images(shape: tuple[int, ...], count: int) -> np.ndarray:
    """Other noise than that which the network was made with, and flat images of both ends."""
    x = np.random.default_rng(17).integers(-128, 128, (count, *shape)).astype(np.int8)
    x[1:2], x[2:3] = -128, 127
    return x


@pytest.mark.parametrize("name", NETWORKS)
def test_the_bytes_are_the_same_on_every_machine(name: str) -> None:
    assert hashlib.sha256(content(name)).hexdigest() == DIGESTS[name]
    assert network(Shape(9, 3, (4,), 1, 2), "", 1) != network(Shape(9, 3, (4,), 1, 2), "", 2)


def test_every_layer_uses_its_codes_and_few_are_clipped() -> None:
    golden = Golden(content("resnet20"), all_tensors=True)
    infos = golden.layer_infos()
    for name, found in golden.layers(images((1, 32, 32, 3), 1)).items():
        if name in (POOL, VECTOR, LOGITS):
            continue
        assert np.mean(found == 127) < 0.01, name
        lowest = np.mean(found == -128)
        # ReLU cuts off about a half of what has its mean at zero; elsewhere -128 is the end of the range.
        assert 0.2 < lowest < 0.65 if infos[name].zero_point == -128 else lowest < 0.01, (name, lowest)
        assert found.reshape(-1, found.shape[-1]).std(axis=0).min() > 5, f"{name}: a dead channel"


@pytest.mark.parametrize(
    "options", [Options(mcpu="native"), Options(mcpu="x86-64"), Options("off", mcpu="native")], ids=str
)
def test_compiled_resnet20_gives_the_reference_bytes(options: Options) -> None:
    _equals_the_reference("resnet20", options, 4)


def test_compiled_resnet18_gives_the_reference_bytes() -> None:
    _equals_the_reference("resnet18", Options(mcpu="native"), 1)


def _equals_the_reference(name: str, options: Options, count: int) -> None:
    model = tflite.from_bytes(content(name), name, name)
    x = images(model.inputs[0].shape, count)
    lowered = lower(model, options, "x86")
    assert sum(layer.macs or 0 for layer in lowered.layers) == MACS[name]
    compiled = InProcess(lowered)
    expected = Golden(content(name)).run(x)[LOGITS]
    assert len(np.unique(expected[0])) > 5, "the output says nothing"
    np.testing.assert_array_equal(np.stack([compiled.run((one,))[0] for one in x]), expected)


def test_the_program_writes_what_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "new"), "resnet20"]) == 0
    (written,) = (tmp_path / "new").iterdir()
    assert written.name == "resnet20.tflite" and written.read_bytes() == content("resnet20")
    assert main([]) == 2 and "usage" in capsys.readouterr().err
    assert main([str(tmp_path), "resnet21"]) == 2
    assert capsys.readouterr().err == "random_resnets: no network 'resnet21'; known: resnet20, resnet18\n"
