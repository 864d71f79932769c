"""The benchmark's page, goals and baseline from made-up profiles, whose figures are known."""

from __future__ import annotations

import json
from dataclasses import replace

from tvm_wvv.report.bench import Bench, BenchNetwork, Run
from tvm_wvv.report.bench_baseline import baseline, better, to_text, worse
from tvm_wvv.report.bench_goals import LAYER_GOALS, M4, M55, RESNET8, layer_outcomes, network_outcomes
from tvm_wvv.report.bench_page import page
from tvm_wvv.report.figures import LayerFigures, Profile, Totals

MACS = 1_000_000
LABELS = [label for goal in LAYER_GOALS for label in goal.labels]
ALGORITHMS = ("off", "f4c", "f4", "f4:int16", "auto", "CMSIS-NN 9.9.9")


def row(name: str, instructions: int | None, op: str = "conv2d") -> LayerFigures:
    return LayerFigures(f"{name};and/more", op, "f4:exact", None, MACS, None, instructions, 2, 3, 4)


def made(board: str, scale: int) -> Profile:
    """Layers of 0.1, 0.2, 0.3, 0.4 instructions for each multiply-accumulate, times `scale`."""
    layers = tuple(row(name, scale * 100_000 * (i + 1)) for i, name in enumerate(LABELS))
    totals = Totals(instructions=scale * 4_000_000, cycles_m4_estimate=16_000_000, flash_bytes=2048, text_bytes=1024,
                    ram_bytes=60_000, arena_bytes=50_000, workspace_bytes=9_000, stack_bytes=1_000)  # fmt: skip
    return Profile(board, RESNET8, totals, (*layers, row("add", 7, "add")))


def bench() -> Bench:
    runs = [Run(RESNET8, M4, name, made(M4, 10 if "CMSIS" in name else 1)) for name in ALGORITHMS]
    runs.append(Run(RESNET8, M55, "off", made(M55, 4)))
    runs.append(Run(RESNET8, M55, "auto", None, f"{M55}: weights need 9 KiB, flash holds 8 KiB"))
    networks = (BenchNetwork(RESNET8, "ResNet-8", ALGORITHMS), BenchNetwork("lost", "Lost", ("off",)))
    return Bench("abc1234", ("GCC 1.2.3", "QEMU 4.5"), ((M4, "M4"), (M55, "M55")), networks, tuple(runs), ("lost",))


def test_a_layers_goal_is_that_of_its_arithmetic_and_the_dearer_of_two_layers_counts():
    found = {(one.goal.title, one.algorithm): one for one in layer_outcomes(bench())}
    assert found["8x8 64->64", "f4"].limit == 0.45 and found["8x8 64->64", "f4:int16"].limit == 0.34
    assert found["8x8 64->64", "f4c"].measured == 0.1 and found["8x8 64->64", "f4c"].library == 1.0
    assert found["32x32 16->16", "f4"].measured == 0.4 and found["32x32 16->16", "f4"].met


def test_goals_fail_where_figures_are_above_them_and_are_unknown_where_nothing_was_measured():
    outcomes = network_outcomes(bench())
    # The best that M55 ran needs 4 * (0.1 + 0.2 + 0.3 + 0.4) million, and add is no convolution.
    assert [(one.measured, one.met) for one in outcomes] == [
        (4.0, True), (16.0, False), (51_000, True), (9_000, True), (1024, True), (4.0, False),
    ]  # fmt: skip
    nothing = replace(bench(), runs=())
    assert {one.met for one in network_outcomes(nothing)} == {one.met for one in layer_outcomes(nothing)} == {None}


def test_a_layer_that_nobody_counted_is_unknown_in_its_goal():
    whole = made(M4, 1)
    gap = replace(whole, layers=(whole.layers[0], replace(whole.layers[1], instructions=None), *whole.layers[2:]))
    found = layer_outcomes(replace(bench(), runs=(Run(RESNET8, M4, "f4", gap),)))
    assert [one.measured for one in found if one.algorithm == "f4"] == [0.1, None, 0.4]


def test_the_page_has_every_run_the_refusal_and_the_missing_network():
    text = page(bench())
    assert "at commit abc1234 with GCC 1.2.3, QEMU 4.5." in text
    assert "| M4 | f4c | 4,000,000 | 0.80 | 1.00 x | 10.00 x | 16,000,000 | 58.6 KiB | 8.8 KiB | 2.0 KiB |" in text
    assert f"- `auto`: {M55}: weights need 9 KiB, flash holds 8 KiB" in text and "| M55 | auto | refused" in text
    assert "`models/lost.tflite` is missing" in text
    assert "| 8x8 64->64 | f4c | met | 0.45 | 0.100 | 1.00 | 10.00 x | 1.78 | 17.80 x |" in text
    assert "| estimated cycles on M4 | **not met** | 15.00 M | 16.00 M |" in text
    assert "100,000 (0.10)" in text and ";and/more" not in text


def test_tables_have_as_many_cells_in_every_row():
    for block in page(bench()).split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in rows}) <= 1


def test_the_baseline_holds_our_counts_and_not_the_librarys():
    found = json.loads(to_text(baseline(bench(), "GCC 1.2.3")))
    boards = found["networks"][RESNET8]
    assert list(boards[M4]) == ["off", "f4c", "f4", "f4:int16", "auto"] and list(boards[M55]) == ["off"]
    assert boards[M4]["off"]["add;and/more"] == 7
    assert (found["commit"], found["compiler"]) == ("abc1234", "GCC 1.2.3")


def test_a_network_that_is_missing_keeps_its_baseline():
    before = {"networks": {"lost": {M4: {"off": {"a": 1}}}, RESNET8: {}}}
    found = baseline(bench(), "GCC", before)
    assert found["networks"]["lost"] == before["networks"]["lost"]
    assert M4 in found["networks"][RESNET8]


def test_one_per_cent_and_the_timers_rounding_are_allowed_and_more_is_named():
    was = {"a": 1000, "b": 1000, "c": 0, "d": 1000, "e": 1000, "g": 0}
    now = {"a": 1011, "b": 1012, "c": 2, "d": 988, "e": 989, "g": 1, "f": 5}
    assert [one.layer for one in worse(was, now, M4)] == ["b", "c", "f"]
    assert [one.layer for one in better(was, now, M4)] == ["d"]
    assert str(worse(was, now, M4)[0]) == "b on mps2-an386: was 1,000, is 1,012 instructions (+1.2%)"
    assert worse(was, was, M4) == better(was, was, M4) == []
