"""The study: figures that stand in the documents are those the code gives, and its page holds all of them."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from command_line import wvv
from conftest import ROOT

from tvm_wvv.report.noise import SCHEMES, Scheme, fitted, noise_layer, noise_of, signal_to_noise_db
from tvm_wvv.report.study import GRANULARITY_NAMES, SEEDS, Study, decibels, savings, study, study_object
from tvm_wvv.report.study_page import NOISE_FIGURE, SAVING_FIGURE, page
from tvm_wvv.transforms.catalog import ALGORITHMS, F2, F4, F4C

PAGE = ROOT / "docs" / "study.md"


@pytest.fixture(scope="module")
def small() -> Study:
    return study(("f2",))


def table_row(text: str, *start: str) -> list[str]:
    """The numbers of the one line that begins with these cells."""
    (line,) = re.findall(rf"^\| {re.escape(' | '.join(start))} \| (.*) \|$", text, re.MULTILINE)
    return line.split(" | ")


@pytest.mark.parametrize(
    ("name", "granularity", "scheme"),
    [("f2", "tensor", Scheme(8, 16)), ("f4c", "tap", Scheme(8, 8, 8)), ("f4", "tap_channel", Scheme(None, 16))],
)
def test_the_page_in_the_documents_is_what_the_code_computes(name, granularity, scheme):
    layers = [noise_layer(seed) for seed in SEEDS]
    numbers = table_row(PAGE.read_text(encoding="utf-8"), name, GRANULARITY_NAMES[granularity])
    written = dict(zip(map(str, SCHEMES), numbers, strict=True))
    assert written[str(scheme)] == decibels(signal_to_noise_db(ALGORITHMS[name], granularity, scheme, layers))


def test_the_savings_in_the_documents_are_what_the_code_computes():
    text = PAGE.read_text(encoding="utf-8")
    for row in savings():
        numbers = table_row(text, f"{row.network}, {row.data}")
        assert numbers == [f"{row.direct:,}", *(f"{one:.3f}" for one in row.savings.values())]


def test_a_page_holds_every_figure(small):
    text = page(small)
    for row in small.noise:
        cells = [decibels(value) for value in row.decibels.values()]
        assert table_row(text, row.algorithm, GRANULARITY_NAMES[row.granularity]) == cells
    for row in small.variations:
        assert f"| {row.algorithm} | {' | '.join(decibels(value) for value in row.decibels.values())} |" in text
    assert [name for name in (NOISE_FIGURE, SAVING_FIGURE) if name in text] == [NOISE_FIGURE, SAVING_FIGURE]
    assert max(map(len, text.splitlines())) <= 120


def test_the_object_is_json_of_plain_values(small):
    root = json.loads(json.dumps(study_object(small), allow_nan=False))
    assert root["noise"][0]["decibels"]["U16 V16"] == "exact"
    assert root["savings"][1]["network"] == "ResNet-20"


def test_figures_that_do_not_exist_are_named_so():
    assert [decibels(value) for value in (None, math.inf, 33.46)] == ["-", "exact", "33.5"]


def test_pure_int8_over_complex_points_keeps_33_db_and_over_real_ones_loses_them():
    layers = [noise_layer(seed) for seed in SEEDS]
    found = {one.name: signal_to_noise_db(one, "tap", Scheme(8, 8, 8), layers) for one in (F2, F4, F4C)}
    assert found["f4c"] is not None and found["f2"] is not None and found["f4"] is not None
    assert found["f4c"] > 33 and found["f2"] > 32
    assert found["f4"] < 19


def test_sums_that_may_leave_int32_have_no_figure():
    assert signal_to_noise_db(ALGORITHMS["f4h"], "tap", Scheme(16, 16), [noise_layer()]) is None


def test_finer_granularity_and_more_bits_are_never_worse():
    layers = [noise_layer(7)]
    by_granularity = [signal_to_noise_db(F4, one, Scheme(8, 8, 8), layers) for one in ("tensor", "tap", "tap_channel")]
    by_bits = [
        signal_to_noise_db(F4, "tap", scheme, layers) for scheme in (Scheme(6, 6, 6), Scheme(8, 8, 8), Scheme(8, 8))
    ]
    for found in (by_granularity, by_bits):
        assert found == sorted(found, key=lambda value: value or 0)


def test_the_clip_that_is_kept_is_the_best_of_those_tried():
    layer = noise_layer(3)
    kept = fitted(F4, layer, "tap", Scheme(8, 8, 8))
    assert kept.m is not None
    for factor in (0.7, 1.4):
        other = type(kept.m)(8, tuple(factor * one for one in kept.m.scale), "tap")
        assert noise_of(F4, layer, type(kept)(kept.u, kept.v, other)) > noise_of(F4, layer, kept)


def test_figures_are_drawn(small, tmp_path):
    pytest.importorskip("matplotlib", reason="extra `report`")
    from tvm_wvv.report.study_plots import draw

    draw(small, tmp_path)
    for name in (NOISE_FIGURE, SAVING_FIGURE):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
        assert (ROOT / "docs" / name).exists()


def test_a_folder_that_is_missing_is_refused_at_once(tmp_path: Path):
    assert "nowhere does not exist; make it first" in wvv("study", "-o", tmp_path / "nowhere").line
