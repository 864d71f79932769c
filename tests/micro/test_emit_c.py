"""The C of whole small models: read (golden), compiled by both compilers, run under sanitizers, and emitted twice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT, require_tool
from lowered_models import MODELS, Model, awkward, residual

from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.emit_c import emit
from tvm_wvv.micro.host import run_host
from tvm_wvv.micro.toolchain import build_firmware, build_host

_STRICT = ["-Wall", "-Wextra", "-Werror", "-Wpedantic", "-Wundef", "-Wwrite-strings", "-Wcast-qual", "-Wvla"]


def as_bytes(examples: list[tuple[np.ndarray, ...]]) -> bytes:
    return b"".join(array.tobytes() for example in examples for array in example)


@pytest.mark.parametrize("name", MODELS)
def test_host_c_under_sanitizers_gives_the_oracles_bytes(name, tmp_path):
    require_tool("cc")
    model = MODELS[name]()
    program = build_host(emit(model.lowered).files, tmp_path, sanitize=True)
    examples = [model.inputs(seed) for seed in range(4)]
    expected = [model.oracle(example) for example in examples]
    run = run_host(program, as_bytes(examples), sum(array.nbytes for array in expected[0]))
    assert run.outputs == as_bytes(expected)


@pytest.mark.parametrize("profile", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_firmware_builds_without_a_warning(name, profile, tmp_path):
    require_tool("arm-none-eabi-gcc")
    files = emit(MODELS[name]().lowered).files
    assert build_firmware(files, load_board("mps2-an386"), tmp_path, profile=profile).exists()


@pytest.mark.parametrize("name", MODELS)
def test_generated_c_is_strict_c11_and_calls_no_library_but_memory_functions(name, tmp_path):
    require_tool("cc")
    allowed = {"memcpy", "memset", "memmove"}
    for file, text in emit(MODELS[name]().lowered).files.items():
        (tmp_path / file).write_text(text)
    sources = [path for path in sorted(tmp_path.glob("*.c")) if path.name != "wvv_model.c"]
    for source in sources:
        # -Wcast-qual is not for the kernels: TVM's views of the workspace are casts.
        flags = [f for f in _STRICT if f != "-Wcast-qual" or "kernels" not in source.name]
        subprocess.run(["cc", "-std=c11", "-O2", *flags, "-c", source, "-o", source.with_suffix(".o")], check=True)
    command = ["nm", "-g", *(s.with_suffix(".o") for s in sources)]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    symbols = [line.split() for line in listed.stdout.splitlines() if line and not line.endswith(":")]
    defined = {words[-1] for words in symbols if words[-2] != "U"}
    assert {words[-1] for words in symbols if words[-2] == "U"} - defined <= allowed


_CPP = """
#include <cstdio>
#include <cstring>
#include "tvmgen_awkward.h"
int main() {
  signed char a[TVMGEN_AWKWARD_FOR__SIZE], b[TVMGEN_AWKWARD_T_2ND_SIZE], out[4][TVMGEN_AWKWARD_IDENTITY_0_SIZE];
  for (int i = 0; i < 12; ++i) { a[i] = i - 6; b[i] = 3 * i; }
  tvmgen_awkward_inputs inputs = {a, b};
  tvmgen_awkward_outputs outputs = {out[0], out[1], out[2], out[3]};
  if (tvmgen_awkward_run(&inputs, &outputs) != 0) return 1;
  for (int i = 0; i < 12; ++i) { if (a[i] != i - 6 || b[i] != 3 * i) return 2; }
  return std::fwrite(out, 1, sizeof out, stdout) == sizeof out ? 0 : 3;
}
"""


def test_the_interface_serves_cpp_and_leaves_the_inputs_alone(tmp_path):
    require_tool("c++")
    model = awkward()
    for file, text in {**emit(model.lowered).files, "user.cpp": _CPP}.items():
        (tmp_path / file).write_text(text)
    sources = ["tvmgen_awkward.c", "awkward_kernels.c", "awkward_weights.c"]
    subprocess.run(["cc", "-std=c11", "-c", *sources], cwd=tmp_path, check=True)
    objects = [name.replace(".c", ".o") for name in sources]
    subprocess.run(["c++", "-Wall", "-Wextra", "-Werror", "user.cpp", *objects, "-o", "user"], cwd=tmp_path, check=True)
    a = np.arange(12, dtype=np.int8).reshape(2, 6)
    got = subprocess.run([tmp_path / "user"], check=True, capture_output=True).stdout
    assert got == as_bytes([model.oracle((a - np.int8(6), a * np.int8(3)))])


_AGAIN = """
import hashlib, sys
from lowered_models import MODELS
from tvm_wvv.micro.emit_c import emit
for name, make in MODELS.items():
    for file, text in emit(make().lowered).files.items():
        print(name, file, hashlib.sha256(text.encode()).hexdigest())
"""


def test_the_same_bytes_in_every_process():
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    runs = []
    for seed in ("1", "271"):
        env = {**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", _AGAIN], check=True, capture_output=True, text=True, env=env)
        runs.append(done.stdout)
    assert runs[0] == runs[1]
    assert len(runs[0].splitlines()) == 7 * len(MODELS)


@pytest.mark.parametrize("model", [residual(size=(3, 4, 2)), awkward()], ids=lambda model: model.lowered.name)
def test_golden(model: Model, golden):
    golden(model.lowered.name, emit(model.lowered).files)


def test_layer_names_cannot_end_a_comment():
    text = emit(residual().lowered).files["tvmgen_residual.c"]
    assert "/* block/add * / // ? */" in text


def test_each_layer_is_marked_once_in_order_and_after_its_calls():
    text = emit(residual(depth=3).lowered).files["tvmgen_residual.c"]
    body = [line.strip() for line in text[text.index("_run(") :].splitlines()]
    marks = [line for line in body if line.startswith("wvv_layer_mark")]
    assert marks == ["wvv_layer_mark(WVV_LAYER_START);", *(f"wvv_layer_mark({i}u);" for i in range(6))]
    assert body.index("wvv_layer_mark(3u);") == 1 + next(i for i, line in enumerate(body) if "residual_add_0(" in line)


def test_inputs_called_like_our_macros_get_names_of_their_own():
    lowered = awkward().lowered
    infos = tuple(replace(info, name=name) for info, name in zip(lowered.inputs, ("workspace", "Arena"), strict=True))
    header = emit(replace(lowered, inputs=infos)).files["tvmgen_awkward.h"]
    macros = re.findall(r"^#define (TVMGEN_AWKWARD_\w+_SIZE) ", header, re.M)
    assert len(macros) == len(set(macros)) == 8


def test_sizes_add_up():
    emitted = emit(residual(strip=False).lowered)
    assert emitted.weight_bytes == 3 * (3 * 3 * 3 * 3 + 3 * 4)
    assert f"#define TVMGEN_RESIDUAL_ARENA_SIZE {emitted.arena_bytes}\n" in emitted.files["tvmgen_residual.h"]
    assert f"#define TVMGEN_RESIDUAL_WORKSPACE_SIZE {emitted.workspace_bytes}\n" in emitted.files["tvmgen_residual.h"]
    # Scratch of an unscheduled convolution: the padded input in int16 and the int32 sums, both to 16 bytes.
    assert emitted.workspace_bytes == 384 + 432 == 16 * -(-7 * 9 * 3 * 2 // 16) + 16 * -(-5 * 7 * 3 * 4 // 16)
    assert emitted.layer_workspace == (816, 816, 0, 816, 0)
