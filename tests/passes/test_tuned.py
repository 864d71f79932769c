"""Which of many measurements decides, and what becomes of a layer by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import convolution

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import QuantModel
from tvm_wvv.frontends.tflite import from_bytes
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.choose import Refusal, prove
from tvm_wvv.passes.options import Options, Target, TunedFile
from tvm_wvv.passes.tuned import INSTRUCTIONS, MICROSECONDS, Decision, Record, Tuned, reason
from tvm_wvv.passes.tuned_layers import signature_of, weighted_layers
from tvm_wvv.passes.tuning_records import append, line_of, parse, shipped
from tvm_wvv.transforms.catalog import variant

DIRECT, F2 = Decision(), Decision("f2:exact", "", (("across", 1), ("down", 4), ("tiles", 8)))
F4 = Decision("f4:exact", "tir")


def record(
    decision: Decision, measure: float, unit: str = INSTRUCTIONS, layer: str = "a", sources: str = "1"
) -> Record:
    return Record("cortex_m", layer, decision, measure, 100.0, unit, "mps2-an385", {"sources": sources})


def test_a_record_comes_back_from_its_line_as_it_was(tmp_path: Path):
    records = [record(DIRECT, 100), record(F2, 88.5, MICROSECONDS), record(F4, 120, layer="ü")]
    for one in records:
        append(tmp_path / "db", one)
    assert list(parse((tmp_path / "db").read_text(encoding="utf-8"), "db")) == records


def test_a_line_without_its_end_gets_it_first(tmp_path: Path):
    path = tmp_path / "db"
    path.write_text(line_of(record(DIRECT, 1)).rstrip("\n"), encoding="utf-8")
    append(path, record(F2, 2))
    assert [one.measure for one in parse(path.read_text(encoding="utf-8"), "db")] == [1, 2]


GOOD = line_of(record(F2, 88))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (GOOD[:50], "d.jsonl: line 3: is not JSON"),
        ('{"layer": 1}\n', 'd.jsonl: line 3: is no record of wvv tune ("wvv-tuning": 1)'),
        ("[1]\n", "d.jsonl: line 3: is no record"),
        (GOOD.replace("88", '"88"'), "line 3: has no measure of the right kind"),
        (GOOD.replace("88", "true"), "line 3: has no measure of the right kind"),
        (GOOD.replace("88", "-88"), "line 3: measure, default and unit are -88.0, 100.0, 'instructions'"),
        (GOOD.replace("88", "NaN"), "line 3: measure, default and unit are nan"),
        (GOOD.replace("instructions", "miles"), "'miles'; remove that line"),
        (GOOD.replace("f2:exact", "f2:int8"), "line 3: f2:int8 may give other bytes"),
        (GOOD.replace("f2:exact", "f5"), "line 3: no algorithm 'f5'"),
        (GOOD.replace('"tiles": 8', '"tiles": 0'), "line 3: blocking is"),
        (GOOD.replace('"decision": {', '"choice": {'), "line 3: has no decision of the right kind"),
    ],
)
def test_what_is_no_record_is_told_by_its_line(line: str, complaint: str):
    with pytest.raises(WvvError) as told:
        parse(GOOD + "\n" + line + GOOD, "d.jsonl")
    assert complaint in str(told.value)
    assert "remove" in str(told.value)


def test_the_cheapest_counts_and_of_one_decision_the_newest():
    tuned = Tuned([record(F4, 80), record(F2, 90), record(F4, 95)])
    best = tuned.best("cortex_m", "a")
    assert best is not None
    assert best.decision == F2
    assert reason(best) == (
        "measured: 90 instructions by f2:exact (across 1, down 4, tiles 8), 100 by default"
    )
    of_f4 = tuned.best("cortex_m", "a", "f4:exact")
    assert of_f4 is not None
    assert of_f4.measure == 95
    assert tuned.best("cortex_m", "b") is None
    assert tuned.best("cortex_m_dsp", "a") is None


@pytest.mark.parametrize(
    ("measure", "unit", "wins"),
    [(99, INSTRUCTIONS, True), (100, INSTRUCTIONS, False), (99, MICROSECONDS, False), (90, MICROSECONDS, True)],
)
def test_times_must_differ_by_more_than_noise(measure: float, unit: str, wins: bool):
    assert (Tuned([record(F2, measure, unit)]).best("cortex_m", "a") is not None) == wins


def test_only_the_same_sources_are_not_measured_again():
    tuned = Tuned([record(F2, 90), record(F4, 80, sources="2")])
    assert set(tuned.measured("cortex_m", "a", "1")) == {F2}


@pytest.fixture(scope="module")
def model() -> QuantModel:
    return from_bytes(convolution("int8", "int8", (1, 8, 12, 16), outputs=16), "m", "m")


def file_of(model: QuantModel, cpu: str, decision: Decision, ratio: float = 0.5) -> TunedFile:
    (call,) = weighted_layers(pipeline.integer_graph(model)).values()
    return TunedFile("t", line_of(Record(cpu, signature_of(call), decision, ratio * 100, 100, INSTRUCTIONS)))


def algorithm(model: QuantModel, target: Target, options: Options) -> tuple[str, str | None]:
    (layer,) = pipeline.lower(model, options, target).layers
    return layer.algorithm, layer.reason


@pytest.mark.parametrize("name", ["direct", "f2:exact", "f4c:exact", "f4x1:exact"])
@pytest.mark.parametrize("target", ["cortex_m", "cortex_m_dsp", "cortex_m_mve"])
def test_auto_takes_what_was_measured(model: QuantModel, target: Target, name: str):
    taken, why = algorithm(model, target, Options(tuned=file_of(model, target, Decision(name))))
    assert taken == name
    assert why == f"measured: 50 instructions by {name}, 100 by default"


def test_what_the_user_says_goes_first(model: QuantModel):
    tuned = file_of(model, "cortex_m_dsp", Decision("f2:exact"))
    assert algorithm(model, "cortex_m_dsp", Options(winograd="off", tuned=tuned)) == ("direct", None)
    assert algorithm(model, "cortex_m_dsp", Options(winograd="f4c", tuned=tuned))[0] == "f4c:exact"
    assert algorithm(model, "cortex_m_dsp", Options(layers=(("conv/out", "off"),), tuned=tuned))[0] == "direct"
    assert algorithm(model, "cortex_m", Options(tuned=tuned)) == algorithm(model, "cortex_m", Options())


def test_what_the_weights_do_not_allow_is_not_taken():
    """Sums of so many channels leave the range that f4 tells apart; the record is of another layer of this shape."""
    loud = from_bytes(convolution("int8", "int8", (1, 4, 5, 512), outputs=16), "m", "m")
    (call,) = pipeline.convolutions(pipeline.integer_graph(loud)).values()
    assert isinstance(prove(pipeline.site_of(call), variant("f4:exact")), Refusal)
    tuned = file_of(loud, "cortex_m_dsp", Decision("f4:exact"))
    taken, why = algorithm(loud, "cortex_m_dsp", Options(tuned=tuned))
    assert (taken, why) == algorithm(loud, "cortex_m_dsp", Options(tuned=TunedFile("", "")))
    assert taken not in ("direct", "f4:exact")


def test_the_database_that_ships_can_be_read():
    assert shipped() is shipped()
    assert shipped().best("no such cpu", "") is None
