"""Shared libraries for x86: bytes of the reference, no memory but what they are given, no CPU that lacks something."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, require_data, require_tool
from lowered_models import MODELS, awkward
from x86_libraries import foreign_cpu, made_of, of_model, program, runs_here

import tvm_wvv
from tvm_wvv.errors import WvvError
from tvm_wvv.micro import x86_loaded
from tvm_wvv.micro.emit_model import model_source
from tvm_wvv.micro.x86_emit import source
from tvm_wvv.micro.x86_library import compiler, files, shared_object
from tvm_wvv.micro.x86_loaded import aligned, load
from tvm_wvv.models import packaged
from tvm_wvv.reference.golden import Golden
from tvm_wvv.resources import deploy_dir
from tvm_wvv.schedules.x86_features import FEATURES, features_of

CPUS = ("x86-64", "x86-64-v3", "native")
SEEN = {"lacks", "run", "run_in"}
LIBC = {"memset", "memcpy", "memmove", "expf"}


def digits() -> Path:
    path = packaged("digits")
    assert path is not None
    return path


def inputs(shape: tuple[int, ...], count: int = 6) -> np.ndarray:
    x = np.random.default_rng(5).integers(-128, 128, (count, *shape)).astype(np.int8)
    x[0], x[1] = -128, 127
    return x


def golden(path: Path, x: np.ndarray) -> np.ndarray:
    (scores,) = Golden(path.read_bytes()).run(x).values()
    return scores


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged network for this CPU."""
    return of_model(digits(), "native", tmp_path_factory.mktemp("library") / "digits")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for a CPU that this one is not."""
    return of_model(digits(), foreign_cpu(), tmp_path_factory.mktemp("foreign") / "digits")


@pytest.mark.parametrize("cpu", ["x86-64", "native"])
@pytest.mark.parametrize("name", MODELS)
def test_outputs_equal_the_oracle(name: str, cpu: str, tmp_path: Path) -> None:
    """Also of inputs and constants that are outputs as they are, and of layers whose names are no C."""
    model = MODELS[name]()
    made = made_of(model.lowered, cpu)
    file = tmp_path / made.facts.file_name
    file.write_bytes(shared_object(made, compiler()))
    loaded = load(file)
    for seed in range(3):
        arrays = model.inputs(seed)
        for got, expected in zip(loaded(*arrays), model.oracle(arrays), strict=True):
            np.testing.assert_array_equal(got, expected, strict=True)


@pytest.mark.parametrize("cpu", CPUS)
def test_a_network_gives_the_reference_bytes(cpu: str, tmp_path: Path) -> None:
    if not runs_here("x86-64-v3") and cpu == "x86-64-v3":
        pytest.skip("this CPU has no AVX2")
    loaded, x = load(of_model(digits(), cpu, tmp_path / "digits")), inputs((1, 16, 16, 1))
    assert loaded.facts.mcpu != "native"
    np.testing.assert_array_equal(np.stack([loaded(one)[0] for one in x]), golden(digits(), x))


@pytest.mark.parametrize("cpu", ["x86-64", "native"])
def test_tensors_may_lie_anywhere(cpu: str, tmp_path: Path) -> None:
    """Code without AVX faults where it takes an address to be a multiple of 16 that is none."""
    path = require_data("models/pretrainedResnet_quant.tflite")
    loaded, x = load(of_model(path, cpu, tmp_path / "resnet")), inputs((1, 32, 32, 3), 2)
    run, arena = loaded.function("run_in", ctypes.c_int32, 3), aligned(loaded.facts.arena_bytes, 64)
    for one, expected in zip(x, golden(path, x), strict=True):
        room = np.zeros(one.size + 1, np.uint8)[1:]
        room[:] = one.reshape(-1).view(np.uint8)
        scores = np.zeros(expected.size + 3, np.int8)[3:]
        pointers = [(ctypes.c_void_p * 1)(array.ctypes.data) for array in (room, scores)]
        assert run(arena.ctypes.data, *pointers) == 0
        np.testing.assert_array_equal(scores, expected.reshape(-1))


def test_nothing_of_a_runtime_is_needed_and_nothing_else_shown(folder: Path) -> None:
    listed = subprocess.run(
        [require_tool("nm"), "-D", "-P", folder / "libwvv_digits.so"], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in listed.splitlines()]
    assert {name.partition("@")[0] for name, kind, *_ in rows if kind == "U"} <= LIBC
    defined = {name for name, kind, *_ in rows if kind not in "Uw"}
    assert defined == {"wvv_metadata", *(f"tvmgen_digits_{name}" for name in SEEN)}


def test_threads_run_one_library_at_the_same_time(folder: Path) -> None:
    """Two instances, and two threads in each."""
    x = inputs((1, 16, 16, 1), 4)
    expected, wrong = golden(digits(), x), []
    barrier = threading.Barrier(4)
    instances = [load(folder), load(folder / "libwvv_digits.so")]

    def work(number: int) -> None:
        barrier.wait()
        for _ in range(300):
            if not np.array_equal(instances[number % 2](x[number])[0], expected[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_example_in_c(folder: Path, tmp_path: Path) -> None:
    example = program(folder, "example", folder / "example.c")
    x = inputs((1, 16, 16, 1))
    (tmp_path / "x.bin").write_bytes(x.tobytes())
    subprocess.run([example, "x.bin", "y.bin"], cwd=tmp_path, check=True)
    assert (tmp_path / "y.bin").read_bytes() == golden(digits(), x).tobytes()
    (tmp_path / "x.bin").write_bytes(x.tobytes()[:-1])
    for arguments, line in ((["x.bin", "y.bin"], "x.bin: not all of it"), (["none.bin", "y.bin"], "usage: ")):
        done = subprocess.run([example, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.startswith(line)) == (1, True), done.stderr


def test_a_program_for_boards_is_one_for_the_library_too(tmp_path: Path) -> None:
    """Two inputs and four outputs, through the main program that the firmware has."""
    model = awkward()
    made = made_of(model.lowered, "native")
    folder = tmp_path / "awkward"
    folder.mkdir()
    for name, data in files(made, b"", compiler()).items():
        (folder / name).write_bytes(data)
    (folder / "wvv_model.c").write_text(model_source(made.code.program))
    runtime = deploy_dir() / "runtime"
    sources = [runtime / "main.c", runtime / "host_io.c", folder / "wvv_model.c"]
    main = program(folder, "main", f"-I{runtime}/include", *sources)
    examples = [model.inputs(seed) for seed in range(3)]
    (tmp_path / "input.bin").write_bytes(b"".join(array.tobytes() for arrays in examples for array in arrays))
    subprocess.run([main], cwd=tmp_path, check=True)
    expected = b"".join(array.tobytes() for arrays in examples for array in model.oracle(arrays))
    assert (tmp_path / "output.bin").read_bytes() == expected
    example = program(folder, "example", folder / "example.c")
    subprocess.run([example, "input.bin", "again.bin"], cwd=tmp_path, check=True)
    assert (tmp_path / "again.bin").read_bytes() == expected


# Each buffer ends where a page begins that nobody may touch, and is what it was before if it is only read.
FENCED = """
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "tvmgen_digits.h"
static uint8_t* fenced(size_t size) {
  const size_t page = 4096, whole = (size + page - 1) / page * page;
  uint8_t* room = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(room + whole, page, PROT_NONE);
  return room + whole - size;
}
int main(void) {
  uint8_t* in = fenced(TVMGEN_DIGITS_IMAGE_SIZE);
  uint8_t* out = fenced(TVMGEN_DIGITS_PROBABILITIES_SIZE);
  struct tvmgen_digits_inputs inputs = {in};
  struct tvmgen_digits_outputs outputs = {out};
  uint8_t before[TVMGEN_DIGITS_IMAGE_SIZE];
  uint8_t* arena = fenced(TVMGEN_DIGITS_ARENA_SIZE);
  if (fread(in, 1, sizeof before, stdin) != sizeof before) return 3;
  memcpy(before, in, sizeof before);
  memset(arena, 0xa5, TVMGEN_DIGITS_ARENA_SIZE);
  if (tvmgen_digits_run_in(arena, &inputs, &outputs) != TVMGEN_DIGITS_OK) return 4;
  if (memcmp(before, in, sizeof before) != 0) return 5;
  if (tvmgen_digits_run_in(arena + 32, &inputs, &outputs) != TVMGEN_DIGITS_BAD_ARENA) return 6;
  if (tvmgen_digits_run_in(NULL, &inputs, &outputs) != TVMGEN_DIGITS_BAD_ARENA) return 7;
  fwrite(out, 1, TVMGEN_DIGITS_PROBABILITIES_SIZE, stdout);
  return 0;
}
"""


def test_no_byte_outside_the_buffers_is_touched(folder: Path, tmp_path: Path) -> None:
    assert load(folder).facts.arena_bytes % 64 == 0
    (tmp_path / "fenced.c").write_text(FENCED)
    fenced = program(folder, "fenced", tmp_path / "fenced.c", sanitize=False)
    x = inputs((1, 16, 16, 1))
    got = [subprocess.run([fenced], input=one.tobytes(), capture_output=True, check=True).stdout for one in x]
    assert b"".join(got) == golden(digits(), x).tobytes()


def test_the_header_is_one_of_cpp_too(folder: Path, tmp_path: Path) -> None:
    text = '#include "tvmgen_digits.h"\nint main() { return tvmgen_digits_lacks() == nullptr ? 0 : 1; }\n'
    (tmp_path / "main.cpp").write_text(text)
    subprocess.run([program(folder, "cpp", "-pedantic", tmp_path / "main.cpp", cc="c++")], check=True)


def test_a_cpu_that_lacks_something_is_told_not_tried(foreign: Path, tmp_path: Path) -> None:
    with pytest.raises(WvvError, match=rf"libwvv_digits.so: made for {foreign_cpu()}, and this CPU has no [a-z0-9.]+;"):
        load(foreign)
    (tmp_path / "x.bin").write_bytes(inputs((1, 16, 16, 1)).tobytes())
    done = subprocess.run(
        [program(foreign, "example", foreign / "example.c"), tmp_path / "x.bin", tmp_path / "y.bin"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"digits: made for {foreign_cpu()}, and this CPU has no ")
    handle = ctypes.CDLL(str(foreign / "libwvv_digits.so"))
    arena, pointers = aligned(1 << 20, 64), (ctypes.c_void_p * 1)()
    assert handle.tvmgen_digits_run_in(ctypes.c_void_p(arena.ctypes.data), pointers, pointers) == 1
    assert handle.tvmgen_digits_run(pointers, pointers) == 1


def test_every_feature_is_asked_for_as_linux_has_it(tmp_path: Path) -> None:
    """CPUID's bits against what the kernel made of them, one feature at a time."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    flags = set(next(line for line in cpuinfo.splitlines() if line.startswith("flags")).partition(":")[2].split())
    made = made_of(awkward().lowered, "x86-64")
    tables = source(made.code, FEATURES).partition("features[] = {\n")[2].partition("    {NULL")[0].splitlines()
    lists = "".join(f"    {{{row.strip().rstrip(',')}, {{NULL, 0u, 0u, 0u, 0u, 0u}}}},\n" for row in tables)
    text = f"""#include <stdio.h>
#include "wvv_x86.h"
static const struct wvv_x86_feature lists[][2] = {{
{lists}}};
int main(void) {{
  for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; ++i) puts(wvv_x86_lacks(lists[i]) == NULL ? "1" : "0");
  return wvv_x86_fits(lists[0]) < 0;
}}
"""
    (tmp_path / "ask.c").write_text(text)
    cc = [require_tool("cc"), f"-I{deploy_dir() / 'x86'}"]
    subprocess.run([*cc, str(tmp_path / "ask.c"), "-o", str(tmp_path / "ask")], check=True)
    told = subprocess.run([tmp_path / "ask"], capture_output=True, text=True, check=True).stdout.split()
    # A kernel older than the instruction set has no word for it.
    known = {one.linux for one in FEATURES} - {"avx10", "apx", "avx_ifma", "avx_vnni_int8", "avx_vnni_int16"}
    pairs = [(one.name, here == "1", one.linux in flags) for one, here in zip(FEATURES, told, strict=True)
             if one.linux in known]  # fmt: skip
    assert [pair for pair in pairs if pair[1] != pair[2]] == []
    assert {here for _, here, _ in pairs} == {True, False}


def test_known_cpus_have_the_features_of_their_manuals() -> None:
    def names(cpu: str) -> set[str]:
        return {feature.name for feature in features_of(cpu)}

    assert names("x86-64") == set()
    assert {"avx2", "fma", "bmi2", "movbe", "lzcnt"} <= names("haswell")
    assert names("znver4") - names("haswell") >= {"avx512vnni", "avx512vbmi2", "gfni", "sse4a"}
    assert "avx512fp16" in names("sapphirerapids") - names("znver4")
    assert "avxvnni" in names("alderlake") - names("znver4")


def test_the_same_bytes_in_any_folder(folder: Path, tmp_path: Path) -> None:
    again = of_model(digits(), "native", tmp_path / "again")
    for path in sorted(folder.iterdir()):
        data = (again / path.name).read_bytes()
        assert data == path.read_bytes(), path.name
        assert str(tmp_path).encode() not in data
        assert b"/tmp" not in data


def test_wrong_inputs_are_refused_with_both_shapes(folder: Path) -> None:
    loaded, x = tvm_wvv.load(folder), np.zeros((1, 16, 16, 1), np.int8)
    for arrays, line in (
        ((), "0 inputs given, the model takes 1"),
        ((x, x), "2 inputs given, the model takes 1"),
        ((x[0],), r"got int8 \(16, 16, 1\), needs int8 \(1, 16, 16, 1\)"),
        ((x.astype(np.float32),), r"got float32 \(1, 16, 16, 1\), needs int8"),
    ):
        with pytest.raises(WvvError, match=line):
            loaded(*arrays)
    # Any order of bytes in memory will do.
    turned = inputs((1, 16, 16, 1), 3)[2].transpose(0, 2, 1, 3)
    np.testing.assert_array_equal(loaded(turned)[0], loaded(turned.copy())[0])


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("no library\n")
    cases = {
        tmp_path / "none.so": "no such library",
        tmp_path / "text.so": "is no library of this version of wvv",
        tmp_path: "holds 0 files libwvv_",
    }
    strange = tmp_path / "strange.c"
    strange.write_text('const char wvv_metadata[] = "{\\"made_by\\": 1}";\n')
    subprocess.run([require_tool("cc"), "-shared", strange, "-o", tmp_path / "strange.so"], check=True)
    cases[tmp_path / "strange.so"] = "is no library of this version of wvv"
    for path, line in cases.items():
        with pytest.raises(WvvError, match=line):
            x86_loaded.load(path)


def test_loading_needs_no_tvm(folder: Path) -> None:
    text = f"""
import sys, numpy, tvm_wvv
net = tvm_wvv.load({str(folder)!r})
(scores,) = net(numpy.full(net.facts.inputs[0].shape, -128, numpy.int8))
assert scores.shape == net.facts.outputs[0].shape
assert not [name for name in sys.modules if name.split(".")[0] in ("tvm", "tvm_ffi", "torch")]
"""
    subprocess.run([sys.executable, "-c", text], env={"PYTHONPATH": str(ROOT)}, check=True)
