"""The ResNet-20 table: its rows on random weights, its text, and what it refuses. docs/resnet20.md has the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from resnet20_random import random_images, random_state

from tvm_wvv.cli.resnet20_table import Material, compiled, main, table
from tvm_wvv.data.labelled import LabelledImages, to_input
from tvm_wvv.frontends import tflite
from tvm_wvv.micro.progress import silent
from tvm_wvv.models.resnet20_float import activation_ranges, logits
from tvm_wvv.models.resnet20_quantize import to_tflite
from tvm_wvv.models.resnet20_rows import FLOAT, ROWS, Row, markdown
from tvm_wvv.models.resnet20_weights import folded
from tvm_wvv.reference.golden import Golden

WEIGHTS = folded(random_state(), "random")
IMAGES = random_images(8)
CODES = to_input(IMAGES, (1, 32, 32, 3), 1 / 255, -13)


@pytest.fixture(scope="module")
def content() -> bytes:
    return to_tflite(WEIGHTS, activation_ranges(WEIGHTS, IMAGES))


@pytest.fixture(scope="module")
def material(content: bytes) -> Material:
    # What the float network says counts as right.
    found = LabelledImages(IMAGES, logits(WEIGHTS, IMAGES).argmax(axis=1))
    return Material(WEIGHTS, tflite.from_bytes(content, "resnet20", "random"), IMAGES, {"random": found})


def outputs(material: Material, row: Row) -> np.ndarray:
    (found,) = compiled(material, row, silent).run((CODES[:, np.newaxis],))
    return found


def test_exact_rows_give_the_reference_kernels_bytes(material: Material, content: bytes) -> None:
    golden = Golden(content).run(CODES)["linear"]
    for row in (Row("off"), Row("f4c:exact")):
        np.testing.assert_array_equal(outputs(material, row), golden)


def test_calibrated_scales_clip_and_follow_their_granularity(material: Material) -> None:
    """All rows of one algorithm differ from each other, and none is far from the exact one."""
    exact = outputs(material, Row("off")).astype(np.float64)
    rows = [Row("f4c:int8", "tensor"), Row("f4c:int8", "tap"), Row("f4c:int8", "tap", clipped=False)]
    found = [outputs(material, row) for row in rows]
    assert len({one.tobytes() for one in found}) == len(rows)
    for one in found:
        noise = np.mean((one - exact) ** 2) / np.var(exact)
        assert noise < 0.1  # 10 dB after 17 layers of 8 bits each


def test_the_table_has_every_row_in_order(material: Material) -> None:
    done = dict(table(material, [Row("off"), Row("f4:int16")], silent))
    assert list(done) == [FLOAT, "direct int8", "f4:int16"]
    assert done[FLOAT] == [100.0]
    assert all(0 <= cell <= 100 for cells in done.values() for cell in cells)


def test_titles_tell_rows_apart() -> None:
    titles = [row.title for row in ROWS]
    assert len(set(titles)) == len(titles)
    assert {"direct int8", "f4c:exact", "f4:int8 per tensor", "f4c:int8 per tap, no clipping"} <= set(titles)


def test_markdown_is_a_table_with_dashes_for_what_is_unknown() -> None:
    text = markdown(("one", "two"), {FLOAT: (90.5995, None), "direct int8": (90.0, 88.25)})
    assert text.splitlines() == [
        "|  | one | two |",
        "| --- | ---: | ---: |",
        "| FP32 | 90.60 | - |",
        "| direct int8 | 90.00 | 88.25 |",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limit", "0"], "--limit is 0, need at least 1"),
        (["--only", "f9"], "--only f9: no such row; they are: direct int8, f4c:exact"),
    ],
)
def test_wrong_arguments_are_told_before_any_work(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path), *arguments])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_folder_without_the_data_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("resnet20_table: no data set ") and error.count("\n") == 1
