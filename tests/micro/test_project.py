"""Projects as values and folders: the same bytes every time, whole or not at all, never over other people's work."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from projects import BOARDS, make_project, recipe, small_model

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.project import PROJECT_FILE, TEMPLATES, from_json, read_project, to_json
from tvm_wvv.micro.project_check import check_examples, example_inputs
from tvm_wvv.micro.project_files import check_template, project_files, project_of
from tvm_wvv.micro.project_folder import check_target, write_project
from tvm_wvv.micro.project_run import check_outputs, read_check
from tvm_wvv.micro.runners import separate
from tvm_wvv.quant.operators import Affine

FILES = {"project.json": b'{"made_by": "wvv micro create"}', "model/a.c": b"int a;"}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("template", TEMPLATES)
def test_two_projects_of_the_same_are_equal(template, tmp_path):
    for name in ("one", "two"):
        make_project(tmp_path / name, template)
    one, two = tree(tmp_path / "one"), tree(tmp_path / "two")
    assert one == two == project_files(recipe(template))
    for name, data in one.items():
        assert str(ROOT).encode() not in data, f"{name} names the checkout"
        assert str(tmp_path).encode() not in data, f"{name} names the folder"
        # A place of a template that nothing filled.
        assert b"{{" not in data
        assert "__" not in name.replace("__init__", "")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_project_is_read_back_as_it_was_made(template, tmp_path):
    made = make_project(tmp_path / "p", template)
    assert read_project(tmp_path / "p") == made
    assert made.load_board(tmp_path / "p").name == BOARDS[template]
    inputs, outputs = read_check(made, tmp_path / "p")
    np.testing.assert_array_equal(inputs[0][1], example_inputs(made.inputs, 1)[0])
    np.testing.assert_array_equal(outputs[0][1], small_model().oracle((inputs[0][1],))[0])


def test_quantization_survives_the_projects_file():
    made = project_of(recipe("baremetal"))
    quantized = replace(made, inputs=(TensorInfo("x", (1, 2), "int8", Affine(0.0078431377, -128)),), library="L 1.0")
    assert from_json(to_json(quantized)) == quantized


@pytest.mark.parametrize(
    "change",
    [
        *({"format": 2}, {"made_by": "another"}, {"template": "mbed"}, {"more": 1}),
        *({"board": "../x"}, {"board": ""}, {"board": ".."}, {"board": "."}),
    ],
)
def test_a_file_of_another_program_or_version_is_refused(change, tmp_path):
    fields = {**json.loads(to_json(project_of(recipe("library")))), **change}
    (tmp_path / PROJECT_FILE).write_text(json.dumps(fields))
    with pytest.raises(WvvError, match=r"project.json: is not of this version of wvv; make the project again"):
        read_project(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '"made_by"'])
def test_a_damaged_file_is_refused(text, tmp_path):
    (tmp_path / PROJECT_FILE).write_text(text)
    with pytest.raises(WvvError, match="is not of this version of wvv"):
        read_project(tmp_path)


def test_a_folder_without_the_file_is_refused(tmp_path):
    with pytest.raises(WvvError, match=r"holds no project.json; make a project first: wvv micro create"):
        read_project(tmp_path)


@pytest.mark.parametrize(
    ("template", "board", "line"),
    [
        ("mbed", "mps2-an386", r"--template mbed: unknown; choose one of baremetal, library, zephyr, arduino"),
        ("zephyr", "netduinoplus2", r"netduinoplus2: its board.toml names no zephyr board .*take --template baremetal"),
        ("arduino", "nrf5340dk", r"nrf5340dk: its board.toml names no arduino board"),
    ],
)
def test_a_template_without_a_place_is_refused(template, board, line):
    with pytest.raises(WvvError, match=line):
        check_template(template, load_board(board), recipe("baremetal").network)


def test_the_check_is_what_the_network_gives():
    made = recipe("baremetal")
    assert check_examples(made.network) == made.check


def test_examples_have_every_type_and_reach_its_ends():
    infos = (
        TensorInfo("a", (3, 5), "int8", None),
        TensorInfo("b", (7,), "int16", None),
        TensorInfo("c", (2, 2), "float32", Affine(0.5, 10)),
    )
    a, b, c = example_inputs(infos, 0)
    assert (a.shape, a.dtype, a.flat[0], len(np.unique(a)) > 8) == ((3, 5), np.int8, -128, True)
    assert (b.dtype, b[0]) == (np.int16, -32768)
    assert (c.dtype, c.flat[0]) == (np.float32, np.float32(-69))
    assert not np.array_equal(example_inputs(infos, 1)[0], a)


def test_outputs_that_differ_are_counted(tmp_path):
    made = make_project(tmp_path / "p", "library")
    expected = read_check(made, tmp_path / "p")[1]
    check_outputs(expected, expected, made, tmp_path / "p")
    wrong = expected[0].copy()
    wrong.flat[[0, -1]] ^= 1
    with pytest.raises(WvvError, match=rf"differs from check/expected.bin in 2 of {wrong.size} bytes"):
        check_outputs((wrong,), expected, made, tmp_path / "p")
    assert separate(b"".join(array.tobytes() for array in expected), made.outputs)[0].shape == expected[0].shape


def test_a_torn_check_is_refused(tmp_path):
    made = make_project(tmp_path / "p", "library")
    (tmp_path / "p" / "check" / "input.bin").write_bytes(b"abc")
    with pytest.raises(WvvError, match=r"input.bin: 3 bytes are no whole examples; make the project again"):
        read_check(made, tmp_path / "p")


def test_an_empty_folder_is_filled_and_a_full_one_is_not(tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    write_project(folder, FILES)
    assert tree(folder) == FILES
    with pytest.raises(WvvError, match=r"p: exists already; name another folder, or replace it with --force"):
        write_project(folder, FILES)


def test_force_replaces_a_project_whole(tmp_path):
    folder = tmp_path / "p"
    write_project(folder, {**FILES, "build/old.o": b"x"})
    write_project(folder, FILES, force=True)
    assert tree(folder) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


@pytest.mark.parametrize("content", [None, b"{}", b'{"made_by": "cmake"}', b"\xff"])
def test_force_leaves_other_peoples_folders_alone(content, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    if content is not None:
        (tmp_path / PROJECT_FILE).write_bytes(content)
    with pytest.raises(WvvError, match=r"--force replaces projects only, and there is no project.json of ours"):
        write_project(tmp_path, FILES, force=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_places_where_no_project_can_go_are_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(WvvError, match="exists and is no folder"):
            check_target(tmp_path / name, force=True)
    with pytest.raises(WvvError, match=r"the folder .*/none does not exist; make it first"):
        check_target(tmp_path / "none" / "p", force=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WvvError, match="is the current folder"):
        check_target(Path(), force=True)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full")])
def test_a_failure_leaves_what_was_there(error, tmp_path, monkeypatch):
    folder = tmp_path / "p"
    write_project(folder, FILES)
    rename, calls = Path.rename, []

    def second_fails(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises((KeyboardInterrupt, WvvError)):
        write_project(folder, {**FILES, "model/a.c": b"int b;"}, force=True)
    assert tree(folder) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_a_failure_on_the_way_leaves_nothing(tmp_path):
    with pytest.raises(WvvError, match=r"cannot be written"):
        write_project(tmp_path / "p", {"a": b"", "a/b": b""})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x"])
def test_no_name_leads_out_of_the_project(name, tmp_path):
    with pytest.raises(WvvError, match="leads out of the project"):
        write_project(tmp_path / "p", {name: b""})
    assert list(tmp_path.iterdir()) == []
