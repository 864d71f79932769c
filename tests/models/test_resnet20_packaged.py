"""The packaged ResNet-20: small, accurate in pure int8, the same bytes from the oracle, on this host and on a board."""

from __future__ import annotations

from functools import cache

import numpy as np
from conftest import require_data, require_tool
from integer_network import run_layers
from resnet20_random import random_images

from tvm_wvv.cli.measure import image_inputs
from tvm_wvv.data import images
from tvm_wvv.frontends import tflite
from tvm_wvv.micro.session import Session, open_session
from tvm_wvv.models import packaged, packaged_recipe
from tvm_wvv.models.resnet20_graph import LOGITS
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.fuse_qdq import FuseQdq
from tvm_wvv.passes.options import Options
from tvm_wvv.report.score import score


@cache
def session() -> Session:
    return open_session("resnet20", Options())


def outputs(board: str, pictures: np.ndarray) -> np.ndarray:
    runner = session().runner(board)
    (found,) = runner.run(image_inputs(pictures, runner.inputs))
    return found.reshape(len(pictures), -1)


def test_it_is_well_under_a_megabyte_and_auto_follows_its_recipe():
    model, recipe = packaged("resnet20"), packaged_recipe("resnet20")
    assert model is not None and recipe is not None
    assert model.stat().st_size + recipe.stat().st_size < 700_000
    layers = pipeline.lower(tflite.load(session().path), session().options, "cortex_m_dsp").layers
    trained = [one for one in layers if one.algorithm == "f4c:int8"]
    assert len(trained) == 17
    # A user's own wish goes first.
    assert open_session("resnet20", Options(winograd="off")).options.recipe is None


def test_the_host_gives_the_bytes_of_the_oracle():
    pictures, model = random_images(3), tflite.load(session().path)
    integer = FuseQdq()(model.module)  # type: ignore[operator]
    decisions = pipeline.decide(integer, session().options, model.sha256, "x86")
    (codes,) = image_inputs(pictures, model.inputs)
    expected = [run_layers(integer, {model.inputs[0].name: one}, decisions)[LOGITS].reshape(-1) for one in codes]
    np.testing.assert_array_equal(outputs("x86", pictures), expected)


def test_a_board_gives_the_bytes_of_the_host():
    require_tool("qemu-system-arm")
    require_tool("arm-none-eabi-gcc")
    pictures = random_images(2)
    np.testing.assert_array_equal(outputs("mps2-an386", pictures), outputs("x86", pictures))


def test_it_is_accurate():
    test = images.load(str(require_data("cifar10_test_lossless_subset.parquet")), 200)
    assert score(outputs("x86", test.images), test.labels, None).top1 >= 88.0
