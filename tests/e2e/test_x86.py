"""Whole networks on x86, compiled for CPU after CPU: the bytes are those of TFLite's reference kernels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import wvv
from conftest import require_data
from tvm.target.codegen import target_has_features

from tvm_wvv.frontends.tflite import load
from tvm_wvv.micro.in_process import InProcess
from tvm_wvv.models import packaged
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower
from tvm_wvv.reference.golden import Golden
from tvm_wvv.schedules import x86

# Each vector unit that kernels are written for; `native` is the best one here.
CPUS = {"x86-64": [], "haswell": ["avx2"], "alderlake": ["avxvnni"], "native": []}
COUNT = 20


def path_of(name: str) -> Path:
    return packaged(name) or require_data(f"models/{name}.tflite")


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("name", ["digits", "pretrainedResnet_quant", "kws_ref_model", "ad01_int8", "vww_96_int8"])
def test_networks_give_the_reference_bytes(name: str, cpu: str) -> None:
    if CPUS[cpu] and not target_has_features(CPUS[cpu], x86.llvm_target(x86.resolve("native"))):
        pytest.skip(f"this machine cannot run code for {cpu}")
    path = path_of(name)
    model = load(path)
    x = np.random.default_rng(3).integers(-128, 128, (COUNT, *model.inputs[0].shape)).astype(np.int8)
    x[0], x[1] = -128, 127
    compiled = InProcess(lower(model, Options(mcpu=cpu), "x86"))
    expected = Golden(path.read_bytes()).run(x)[model.outputs[0].name]
    np.testing.assert_array_equal(np.stack([compiled.run((one,))[0] for one in x]), expected)


def test_a_bound_call_computes_what_run_computes() -> None:
    path = path_of("digits")
    model = load(path)
    compiled = InProcess(lower(model, Options(mcpu="native"), "x86"))
    first, second = np.random.default_rng(4).integers(-128, 128, (2, *model.inputs[0].shape)).astype(np.int8)
    expected = compiled.run((first,))[0]
    again = compiled.bound((first,))
    assert not np.array_equal(compiled.run((second,))[0], expected)
    again()
    np.testing.assert_array_equal(compiled.outputs[0], expected)


def test_the_command_takes_a_cpu(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 16, 16, 1), np.int8))
    arguments = ("run", "digits", "--board", "x86", "--input", tmp_path / "x.npy", "--json")
    plain, chosen = (wvv(*arguments, *more).value for more in ((), ("--mcpu", "x86-64")))
    assert plain == chosen


def test_a_cpu_is_refused_where_it_means_nothing(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 16, 16, 1), np.int8))
    arguments = ("run", "digits", "--input", tmp_path / "x.npy", "--mcpu", "haswell")
    assert "--mcpu haswell: goes with --board x86; mps2-an386 has" in wvv(*arguments, "--board", "mps2-an386").line
    unknown = wvv("run", "digits", "--input", tmp_path / "x.npy", "--board", "x86", "--mcpu", "pentium9000").line
    assert "--mcpu pentium9000: LLVM knows no such x86 CPU" in unknown
