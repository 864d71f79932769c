"""Tables and files: unknown is never 0, names are never markup, files are whole or absent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tvm_wvv.cli.output_file import check_writable, replacing
from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.layer_names import label, whole_names
from tvm_wvv.report.figures import (
    FunctionFigures,
    LayerFigures,
    Profile,
    Totals,
    explain_object,
    profile_object,
    ratio,
)
from tvm_wvv.report.output import print_json, show
from tvm_wvv.report.tables import explain_table, functions_table, profile_table, totals_table
from tvm_wvv.report.text import count, kib, percent, two_decimals

UNKNOWN = LayerFigures("a[/b]", "conv2d", "direct", "stride is [2, 2]", *(None,) * 6)
ZERO = LayerFigures("c;d", "reshape", "direct", None, 0, 0, 0, None, 0, 0)


def test_unknown_and_zero_are_told_apart(capsys: pytest.CaptureFixture[str]):
    show(profile_table(Profile("board", "model", Totals(), (UNKNOWN, ZERO))))
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert rows["a[/b]"] == ["conv2d", "direct", *("-",) * 6]
    assert rows["c"] == ["reshape", "direct", "0", "0", "0", "-", "0", "0"]
    assert rows["total"] == ["-"] * 6
    assert profile_object(Profile("b", "m", Totals(), (UNKNOWN,)))["totals"] == dict.fromkeys(Totals().__dict__)


def test_cycles_have_a_column_where_they_are_known(capsys: pytest.CaptureFixture[str]):
    layer = replace(ZERO, instructions=10, cycles_m4_estimate=13)
    functions = tuple(FunctionFigures(name, 1000 * number, 1250 * number) for number, name in enumerate("zyx", 1))
    profile = Profile("b", "m", Totals(instructions=8000, cycles_m4_estimate=10000), (layer,), functions, ("a note",))
    show(profile_table(profile), functions_table(profile, 2))
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert rows["c"] == ["reshape", "direct", "0", "0", "10", "-", "13", "0", "0"]
    assert rows["total"] == ["0", "0", "8,000", "-", "10,000", "-", "-"]
    assert (rows["z"], rows["y"]) == (["1,000", "1,250", "12.50", "%"], ["2,000", "2,500", "25.00", "%"])
    assert "x" not in rows
    assert list(profile_object(profile)) == ["board", "model", "totals", "layers"]
    assert [one["name"] for one in profile_object(profile, 1)["functions"]] == ["z"]


def test_text_from_outside_is_no_markup(capsys: pytest.CaptureFixture[str]):
    show(explain_table("[bold]b", "m", [UNKNOWN]), "wrote [red]x.tar")
    out = capsys.readouterr().out
    for text in ("[bold]b", "a[/b]", "stride is [2, 2]", "wrote [red]x.tar"):
        assert text in out


def test_totals_that_nobody_measured_are_left_out(capsys: pytest.CaptureFixture[str]):
    show(totals_table(Totals(arena_bytes=2048, stack_bytes=0)))
    out = capsys.readouterr().out
    assert "2,048" in out
    assert "2.0 KiB" in out
    assert "stack" in out
    assert "flash" not in out


def test_numbers_as_text():
    assert (count(1234567), count(None), count(0)) == ("1,234,567", "-", "0")
    assert (kib(1536), kib(None), two_decimals(2.256, " x"), percent(0.878747), percent(None)) == (
        "1.5 KiB", "-", "2.26 x", "87.87 %", "-",
    )  # fmt: skip
    assert (ratio(9, 4), ratio(9, 0), ratio(None, 4), ratio(9, None), ratio(0, 3)) == (2.25, None, None, None, 0.0)


def test_labels_stand_for_a_layer_where_they_are_its_alone():
    assert (label("a/Relu;b;c"), label("plain")) == ("a/Relu", "plain")
    assert whole_names(["a;b", "c", "d;e", "d;f"]) == {"a": "a;b", "c": "c"}


def test_json_is_one_object_and_refuses_what_is_no_number(capsys: pytest.CaptureFixture[str]):
    print_json(explain_object("b", "m", [ZERO]))
    assert capsys.readouterr().out.startswith('{\n  "board": "b"')
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"top1": float("nan")})


def test_a_file_takes_its_place_whole(tmp_path: Path):
    path = tmp_path / "y.npy"
    path.write_bytes(b"old")
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, WvvError, SystemExit])
def test_what_fails_leaves_the_old_file(tmp_path: Path, error: type[BaseException]):
    path = tmp_path / "y.npy"
    path.write_bytes(b"old")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_places_where_no_file_can_go(tmp_path: Path):
    with pytest.raises(WvvError, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(WvvError, match="does not exist; make it first"):
        check_writable(tmp_path / "none" / "y.npy")
