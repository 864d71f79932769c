"""Archives come back as they were, have the same bytes every time, and say which file of theirs is damaged."""

from __future__ import annotations

import io
import json
import stat
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lowered_models import awkward, residual

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.model import TensorInfo
from tvm_wvv.micro import archive
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.build_record import build_record
from tvm_wvv.micro.emit_c import emit
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.micro.toolchain import compile_commands
from tvm_wvv.quant.operators import Affine

OPTIONS = {"winograd": "auto", "layers": [["a/b", "f2"]], "recipe": None}


@pytest.fixture(scope="module")
def made():
    lowered = residual().lowered
    quantized = tuple(replace(info, affine=Affine(0.007843137718737125, -128)) for info in lowered.inputs)
    lowered = replace(lowered, inputs=quantized, sha256="ab" * 32)
    return lowered, emit(lowered)


@pytest.fixture
def path(made, tmp_path):
    lowered, emitted = made
    archive.write(tmp_path / "out.tar", emitted, lowered, "mps2-an386", OPTIONS)
    return tmp_path / "out.tar"


def members(path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        files = {entry.name: tar.extractfile(entry) for entry in tar}
        return {name: file.read() for name, file in files.items() if file is not None}


def rewrite(path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def test_what_is_read_is_what_was_written(made, path):
    lowered, emitted = made
    back = archive.read(path)
    assert (back.board, back.options) == ("mps2-an386", OPTIONS)
    for field in ("name", "layers", "inputs", "outputs", "sha256"):
        assert getattr(back.lowered, field) == getattr(lowered, field)
    sizes = ("arena_bytes", "workspace_bytes", "weight_bytes", "peak", "layer_workspace", "kernel_workspace")
    for field in ("files", *sizes):
        assert getattr(back.emitted, field) == getattr(emitted, field)
    assert set(back.emitted.weights) == set(emitted.weights)
    for name, array in emitted.weights.items():
        np.testing.assert_array_equal(back.emitted.weights[name], array, strict=True)


def test_the_module_in_the_archive_still_runs(path):
    model = residual()
    inputs = model.inputs(3)
    np.testing.assert_array_equal(InProcess(archive.read(path).lowered).run(inputs)[0], model.oracle(inputs)[0])


def test_c_emitted_from_the_archives_module_is_the_same(path):
    back = archive.read(path)
    assert emit(back.lowered).files == back.emitted.files


def test_the_same_model_gives_the_same_bytes():
    first, second = (archive.pack(emit(m.lowered), m.lowered, "b", OPTIONS) for m in (awkward(), awkward()))
    assert first == second


def test_members_are_sorted_owned_by_nobody_and_without_dates(path):
    with tarfile.open(path) as tar:
        entries = tar.getmembers()
    names = [entry.name for entry in entries]
    assert (
        names
        == sorted(names)
        == [
            "codegen/host/include/tvmgen_residual.h",
            "codegen/host/src/residual_kernels.c",
            "codegen/host/src/residual_kernels.h",
            "codegen/host/src/residual_weights.c",
            "codegen/host/src/residual_weights.h",
            "codegen/host/src/tvmgen_residual.c",
            "codegen/host/src/wvv_model.c",
            "metadata.json",
            "parameters/residual.params",
            "src/residual.json",
        ]
    )
    assert {(e.mtime, e.uid, e.gid, e.uname, e.gname, e.mode) for e in entries} == {(0, 0, 0, "", "", 0o644)}


def test_metadata_has_microtvms_fields(made, path):
    document = json.loads(members(path)["metadata.json"])
    assert document["version"] == 7
    module = document["modules"]["residual"]
    assert (module["model_name"], module["executors"], module["style"]) == ("residual", ["aot"], "full-model")
    assert module["memory"]["functions"]["main"] == module["memory"]["main"]
    assert module["export_datetime"] == "1970-01-01 00:00:00Z"
    assert (module["target"], module["external_dependencies"]) == (["c"], [])
    operators = module["memory"]["functions"]["operator_functions"]
    assert {one["function_name"] for one in operators} == set(made[1].kernel_workspace)
    main = module["memory"]["main"][0]
    assert main["inputs"] == {"serving/input:0": {"dtype": "int8", "size": 105}}
    assert (main["io_size_bytes"], main["workspace_size_bytes"]) == (210, made[1].arena_bytes)
    assert document["wvv"]["inputs"][0]["affine"] == {"scale": 0.007843137718737125, "zero_point": -128}
    assert document["wvv"]["layers"][2]["name"] == "block/add */ // ü"


def test_the_record_of_a_build_has_the_flags_of_the_compiler():
    board = load_board("mps3-an547")
    (command,) = compile_commands(replace(board, uart=None, timer=None), [Path("/a.c")], Path("/b"))
    record = build_record(board)
    assert command[1 : 1 + len(record.flags)] == list(record.flags)
    assert record.target == "c -keys=arm_cpu,cpu -mcpu=cortex-m55"
    assert set(record.tools) == {"tvm", "wvv"}


def test_a_librarys_sources_are_named_with_version_and_licence(made):
    lowered, emitted = made
    layers = tuple(replace(layer, backend="CMSIS-NN 4.0.0") for layer in lowered.layers)
    files = {**emitted.files, "third_party/cmsis_nn/x.c": "int x;\n"}
    packed = archive.pack(replace(emitted, files=files), replace(lowered, layers=layers), "b", OPTIONS)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        file = tar.extractfile("metadata.json")
        assert file is not None
        document = json.load(file)
    assert document["modules"]["residual"]["external_dependencies"] == [
        {
            "short_name": "cmsis-nn",
            "url": "./codegen/host/src/third_party",
            "url_type": "mlf_path",
            "version_spec": "==4.0.0",
        }
    ]
    assert any("third_party" in line and "Arm Limited" in line for line in document["wvv"]["licenses"])


def test_every_single_changed_byte_of_a_member_is_noticed(path):
    whole = members(path)
    for name, data in whole.items():
        broken = bytearray(data)
        broken[len(data) // 2] ^= 1
        rewrite(path, {**whole, name: bytes(broken)})
        if name != "metadata.json":
            with pytest.raises(WvvError, match=f"{name} was changed after compiling; compile the model again"):
                archive.read(path)


def test_metadata_of_another_model_is_refused(path):
    whole = members(path)
    text = whole["metadata.json"].replace(b'"residual": {', b'"resnet": {')
    rewrite(path, {**whole, "metadata.json": text})
    with pytest.raises(WvvError, match=r"metadata\.json names another model than the files beside it"):
        archive.read(path)


@pytest.mark.parametrize("missing", ["metadata.json", "parameters/residual.params", "src/residual.json"])
def test_a_missing_member_is_named(path, missing):
    rewrite(path, {name: data for name, data in members(path).items() if name != missing})
    with pytest.raises(WvvError, match=f"{missing}"):
        archive.read(path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b"null",
        b'{"version": 7}',
        b'{"modules": {"x": {}}, "wvv": {}}',
        b'{"modules": {"x": {}}, "wvv": {"format": 99}}',
        b"\xff\xfe",
    ],
)
def test_foreign_metadata_is_refused(path, text):
    rewrite(path, {**members(path), "metadata.json": text})
    with pytest.raises(WvvError, match=r"out\.tar: metadata\.json is not of this version of wvv"):
        archive.read(path)


@pytest.mark.parametrize("contents", [b"", b"hello", bytes(512), bytes(5000), b"\x1c\x00\x00\x00TFL3" * 99])
def test_a_file_that_is_no_archive_is_refused(tmp_path, contents):
    bad = tmp_path / "bad.tar"
    bad.write_bytes(contents)
    with pytest.raises(WvvError, match=r"bad\.tar: "):
        archive.read(bad)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_archive_is_refused(path, share):
    data = path.read_bytes()
    # What follows the last file is padding: without it the archive is as whole as before.
    path.write_bytes(data[: int(len(data.rstrip(b"\0")) * share)])
    with pytest.raises(WvvError, match=r"out\.tar: "):
        archive.read(path)


def test_no_file_is_refused(tmp_path):
    with pytest.raises(WvvError, match=r"nothing\.tar: cannot be read: No such file"):
        archive.read(tmp_path / "nothing.tar")
    assert not archive.is_archive(tmp_path / "nothing.tar")


def test_is_archive(path, tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" * 99)
    assert archive.is_archive(path)
    assert not archive.is_archive(tmp_path / "model.tflite")
    assert not archive.is_archive(tmp_path)


def test_writing_into_nowhere_leaves_nothing(made, tmp_path):
    lowered, emitted = made
    with pytest.raises(WvvError, match="cannot be written"):
        archive.write(tmp_path / "none" / "out.tar", emitted, lowered, "b", {})
    (tmp_path / "out.tar").mkdir()
    with pytest.raises(WvvError, match="cannot be written"):
        archive.write(tmp_path / "out.tar", emitted, lowered, "b", {})
    assert [p.name for p in tmp_path.iterdir()] == ["out.tar"]


def test_an_archive_has_the_permissions_of_any_new_file(path, tmp_path):
    (tmp_path / "plain").write_text("")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_tensor_bytes_follow_the_dtype():
    from tvm_wvv.micro.metadata import tensor_bytes

    assert tensor_bytes(TensorInfo("x", (2, 3, 5), "int16", None)) == 60
