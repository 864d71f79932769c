"""`wvv train`: what it refuses and leaves untouched, a tiny training with all its files, resuming."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="training needs torch, which is not among the test packages")

from resnet20_random import random_images, random_state  # noqa: E402

from tvm_wvv.cli.main import execute  # noqa: E402
from tvm_wvv.frontends import tflite  # noqa: E402
from tvm_wvv.qat import fused  # noqa: E402
from tvm_wvv.quant.recipe import load_recipe  # noqa: E402


@pytest.fixture(autouse=True)
def _plain_torch_afterwards() -> Iterator[None]:
    """The command chooses kernels for its process, which here goes on with other tests."""
    yield
    fused.use(False)


FILES = {"checkpoint.pt", "log.jsonl", "model.tflite", "recipe.json", "result.json"}


def parquet(path: Path, labels: Sequence[int], side: int = 32, column: str = "label") -> Path:
    images = random_images(len(labels))[:, :side, :side]
    table = pa.table({"image": [_png(one) for one in images], column: list(labels)})
    pq.write_table(table, path)
    return path


def _png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "net.pt"
    torch.save({name: torch.from_numpy(value) for name, value in random_state().items()}, path)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return parquet(tmp_path / "train.parquet", [3, 1, 4, 1, 5, 9, 2, 6])


def command(weights: Path, data: Path, *more: str) -> list[str]:
    folder = str(weights.parent / "out")
    return [
        "train",
        "--weights",
        str(weights),
        "--data",
        str(data),
        "-o",
        folder,
        "--batch",
        "4",
        "--threads",
        "1",
        *more,
    ]


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    assert execute(arguments) == 2
    return capsys.readouterr().err


def test_a_training_leaves_all_its_files_and_resumes(
    weights: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = command(weights, data, "--arm", "f2:int8", "--epochs", "1", "--test", str(data), "--json")
    assert execute(arguments) == 0
    result, folder = json.loads(capsys.readouterr().out), weights.parent / "out"
    assert {path.name for path in folder.iterdir()} == FILES
    assert result["steps"] == 2 and set(result["trained"][str(data)]) == {"n", "top1", "top1_faked", "agreement"}
    model, recipe = tflite.load(folder / "model.tflite"), load_recipe(folder / "recipe.json")
    assert recipe.model_sha256 == model.sha256 and len(recipe.layers) == 17
    assert str(recipe.layers["conv1"].variant) == "f2:int8"

    assert "holds a checkpoint.pt already: --resume goes on with it" in refused(capsys, arguments)
    assert "made with seed 0, not 1" in refused(capsys, [*arguments, "--resume", "--seed", "1"])
    assert "made with arm f2:int8, not f4:int8" in refused(capsys, [*arguments, "--resume", "--arm", "f4:int8"])
    assert "made with arm f2:int8, not f2:int8 flex" in refused(capsys, [*arguments, "--resume", "--flex"])
    before = (folder / "model.tflite").read_bytes()
    assert execute([*arguments, "--resume"]) == 0
    assert (folder / "model.tflite").read_bytes() == before


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (("--epochs", "1", "--minutes", "1"), "either --epochs or --minutes"),
        ((), "either --epochs or --minutes"),
        (("--epochs", "1", "--arm", "f5:int8"), "no algorithm 'f5'"),
        (("--epochs", "1", "--arm", "f4:exact"), "exact loses nothing that training could win; take int8"),
        (("--epochs", "1", "--arm", "f4c:int8", "--flex"), "--arm f4c:int8 --flex: f4c has complex points"),
        (("--epochs", "1", "--arm", "f4x1:int8", "--flex"), "f4x1 is fast along the width only"),
        (("--epochs", "1", "--arm", "direct:int8", "--flex"), "--arm direct:int8 has no transforms to learn"),
        (("--epochs", "1", "--model", "resnet18"), "unknown; known: resnet20"),
        (("--epochs", "1", "--granularity", "channel"), "unknown; known: tensor, tap, tap_channel"),
        (("--epochs", "1", "--resume"), "no checkpoint.pt to resume from"),
        (("--epochs", "1", "--batch", "64"), "8 images are less than one batch of 64"),
    ],
)
def test_what_cannot_be_is_refused(
    more: tuple[str, ...], problem: str, weights: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert problem in refused(capsys, command(weights, data, *more))


def test_bad_data_is_refused_before_anything_is_written(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = {
        "image 1 has label 10, the network knows 0 to 9": parquet(tmp_path / "a.parquet", [0, 10]),
        "images are (16, 16, 3), the network takes (32, 32, 3)": parquet(tmp_path / "b.parquet", [0, 1], side=16),
        "no column 'label'": parquet(tmp_path / "c.parquet", [0, 1], column="class"),
        "no such file or folder": tmp_path / "none.parquet",
    }
    for problem, path in cases.items():
        assert problem in refused(capsys, command(weights, path, "--epochs", "1"))
    assert not (tmp_path / "out").exists()


def test_weights_of_another_network_are_refused(weights: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"conv1.weight": torch.zeros(16, 3, 3, 3)}, weights)
    assert "need the state dict of ResNet-20" in refused(capsys, command(weights, data, "--epochs", "1"))
    assert not (weights.parent / "out").exists()


def test_float_training_logs_accuracy_and_exports_nothing(
    weights: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--arm", "fp32", "--epochs", "2", "--test", str(data), "--evaluate-every", "1", "--json")
    assert execute(command(weights, data, *more)) == 0
    out, folder = capsys.readouterr(), weights.parent / "out"
    result = json.loads(out.out)
    assert {path.name for path in folder.iterdir()} == {"checkpoint.pt", "log.jsonl", "result.json"}
    assert set(result["trained"][str(data)]) == {"n", "top1"} and result["steps"] == 4
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [(line["step"], line["epoch"]) for line in lines] == [(2, 1), (4, 2)]
    assert lines[1]["tests"] == result["trained"]
    assert f"epoch 1: {data} {lines[0]['tests'][str(data)]['top1']:.2f} %" in out.err


def test_a_resumed_log_has_no_steps_that_were_lost(weights: Path, data: Path) -> None:
    arguments = command(weights, data, "--arm", "fp32", "--epochs", "1", "--test", str(data), "--evaluate-every", "1")
    assert execute(arguments) == 0
    log = weights.parent / "out" / "log.jsonl"
    once = log.read_text()
    log.write_text(once + '{"step": 50, "loss": 1.0}\n{"step": 60, "lo')
    assert execute([*arguments, "--resume"]) == 0
    assert log.read_text() == once


def test_an_unreadable_image_is_named_by_its_row(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.parquet"
    pq.write_table(pa.table({"image": [_png(random_images(1)[0]), b"no picture"], "label": [1, 2]}), path)
    assert f"{path}: row 1: not a readable PNG or JPEG" in refused(capsys, command(weights, path, "--epochs", "1"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"no state dict"])
def test_weights_that_are_no_state_dict_are_refused(
    content: bytes, weights: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights.write_bytes(content)
    assert "net.pt: no readable torch state dict (" in refused(capsys, command(weights, data, "--epochs", "1"))


def test_a_folder_that_cannot_be_made_is_refused(weights: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (weights.parent / "out").write_text("a file")
    said = refused(capsys, command(weights, data, "--epochs", "1"))
    assert "log.jsonl: cannot be written" in said
