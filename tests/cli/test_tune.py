"""`wvv tune` from a model to a database that other commands take: same bytes, no more instructions, clear refusals."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import cache, convolution, start, wvv
from conftest import require_tool

from tvm_wvv.frontends.tflite import load
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.micro.tune_board import forced
from tvm_wvv.passes.options import Options, TunedFile
from tvm_wvv.passes.pipeline import decide, integer_graph, lower
from tvm_wvv.passes.tuning_records import parse
from tvm_wvv.plan.tuning_space import tasks_of
from tvm_wvv.reference.golden import Golden
from tvm_wvv.schedules import x86

pytestmark = pytest.mark.usefixtures("cache")
__all__ = ["cache"]

SHAPE = (1, 7, 12, 16)
# The others take LLVM longer.
ALGORITHMS = ("direct", "f2:exact", "f4:exact")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.tflite"
    path.write_bytes(convolution("int8", "int8", SHAPE, outputs=16))
    return path


def inputs(folder: Path) -> Path:
    x = np.random.default_rng(5).integers(-128, 128, (3, *SHAPE[1:])).astype(np.int8)
    x[0], x[1, 0, 0] = -128, 127
    np.save(folder / "x.npy", x)
    return folder / "x.npy"


@pytest.mark.parametrize("board", ["mps2-an385", "mps2-an386"])
def test_a_board_is_tuned_by_counts(board: str, model: Path, tmp_path: Path):
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    database = tmp_path / "db.jsonl"
    arguments = ("tune", model, "--board", board, "--db", database, "--json")
    found = wvv(*arguments, "--trials", "2").value
    assert (found["trials"], found["unit"], found["database"]) == (2, "instructions", str(database))
    (layer,) = found["layers"]
    assert layer["tuned"]["measure"] <= layer["default"]["measure"]
    assert found["totals"]["tuned"] <= found["totals"]["default"]
    assert len(parse(database.read_text(encoding="utf-8"), "db")) == 2
    again = wvv(*arguments, "--trials", "1", "--resume").value
    assert again["layers"][0]["tried"] == 3
    lines = [json.loads(line)["decision"] for line in database.read_text(encoding="utf-8").splitlines()]
    assert len({json.dumps(line, sort_keys=True) for line in lines}) == 3
    runs = {
        name: wvv("run", model, "--board", board, "--input", inputs(tmp_path), "--tuned", name, "--json").value
        for name in (str(database), "off")
    }
    assert runs[str(database)]["outputs"] == runs["off"]["outputs"]
    assert runs[str(database)]["instructions"] <= runs["off"]["instructions"]


def test_this_cpu_is_tuned_by_time(model: Path, tmp_path: Path):
    if x86.vectors_of(x86.resolve(x86.NATIVE)) is None:
        pytest.skip("this computer is no x86")
    database = tmp_path / "db.jsonl"
    found = wvv("tune", model, "--board", "x86", "--trials", "4", "--db", database, "--json").value
    assert found["unit"] == "microseconds"
    assert found["layers"][0]["tried"] == 4
    assert found["layers"][0]["tuned"]["measure"] <= found["layers"][0]["default"]["measure"]
    runs = [
        wvv("run", model, "--board", "x86", "--input", inputs(tmp_path), "--tuned", name, "--json").value
        for name in (database, "off")
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("cpu", ["x86-64", "native"])
def test_other_ways_give_the_reference_bytes_on_x86(cpu: str, model: Path):
    mcpu = x86.resolve(cpu)
    none = Options(mcpu=mcpu, tuned=TunedFile("", ""))
    loaded = load(model)
    integer = integer_graph(loaded)
    (task,) = tasks_of(integer, decide(integer, none, target="x86"), "x86", x86.vectors_of(mcpu))
    x = np.random.default_rng(6).integers(-128, 128, SHAPE).astype(np.int8)
    expected = Golden(model.read_bytes()).run(x[None])["conv/out"][0]
    by_algorithm = {name: [way for way in task.ways if way.algorithm == name] for name in ALGORITHMS}
    for way in (ways[place] for ways in by_algorithm.values() for place in (len(ways) // 2, -1)):
        lowered = lower(loaded, Options(mcpu=mcpu, tuned=forced({task.signature: way}, mcpu)), "x86")
        assert lowered.layers[0].algorithm == way.algorithm
        np.testing.assert_array_equal(InProcess(lowered).run((x,))[0], expected, str(way))


def test_a_cut_is_really_taken(model: Path):
    texts = set()
    loaded = load(model)
    integer = integer_graph(loaded)
    (task,) = tasks_of(integer, {}, "cortex_m", None)
    ways = [way for way in task.ways if way.algorithm == "direct" and way.blocking][:6]
    for way in ways:
        module = lower(loaded, Options(tuned=forced({task.signature: way}, "cortex_m")), "cortex_m").module
        texts.add("\n".join(func.script() for name, func in module.functions_items() if name.name_hint != "main"))
    assert len(texts) == len(ways)


def test_an_interrupt_leaves_whole_lines(model: Path, tmp_path: Path):
    database = tmp_path / "db.jsonl"
    process = start("tune", model, "--board", "x86", "--minutes", "5", "--db", database)
    deadline = time.monotonic() + 60
    while not database.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "wvv: interrupted\n")
    assert parse(database.read_text(encoding="utf-8"), "db")


def test_refusals(model: Path, tmp_path: Path):
    assert wvv("tune", model, "--board", "mps2-an386").line.startswith("--minutes M or --trials N: say when")
    line = wvv("tune", model, "--board", "nucleo-l4r5zi", "--trials", "1").line
    assert line.startswith("nucleo-l4r5zi: is no machine of QEMU's, which counts instructions; take one")
    (tmp_path / "bad.jsonl").write_text("{}\n", encoding="utf-8")
    for command in (("tune", model, "--trials", "1", "--db"), ("explain", model, "--tuned")):
        line = wvv(*command, tmp_path / "bad.jsonl", "--board", "mps2-an386").line
        assert line.startswith(f"{tmp_path / 'bad.jsonl'}: line 1: is no record of wvv tune")
    line = wvv("explain", model, "--board", "mps2-an386", "--tuned", tmp_path / "none.jsonl").line
    assert line == f"{tmp_path / 'none.jsonl'}: cannot be read as a tuning database: No such file or directory"
